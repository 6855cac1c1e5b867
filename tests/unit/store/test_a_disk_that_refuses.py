"""A disk that has no room or may not be written: said as that, and never as damage or as no store."""

from __future__ import annotations

import errno
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home
from mykey_tui.store.identity import Identity


@contextmanager
def no_room() -> Iterator[None]:
    """Nothing can be written to any file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def code_of(act: Callable[[], object]) -> Code:
    with pytest.raises(StoreError) as caught:
        act()
    return caught.value.code


def read_only(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let one call of the system say what a read-only file system says."""

    def refuse(*args: object, **kwargs: object) -> Any:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, name, refuse)


def test_a_disk_that_is_full_at_the_start_is_not_called_damage(
    store: CounterStore, home: Home
) -> None:
    store.close()
    with no_room():
        code = code_of(lambda: CounterStore.open(home).close())
    assert code is Code.STORE_FULL
    CounterStore.open(home).close()


def test_a_store_that_is_there_and_cannot_be_opened_is_not_called_none(
    store: CounterStore, home: Home
) -> None:
    store.close()
    (home.path / "counter.db-wal").mkdir()
    assert code_of(lambda: CounterStore.open(home).close()) is Code.STORE_FULL


def test_a_round_on_a_read_only_disk_says_that_nothing_can_be_stored(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.prepare()
    read_only(monkeypatch, "open")

    def lock() -> None:
        with home.syncing(0.0):
            pass

    assert code_of(lock) is Code.STORE_FULL


def test_a_round_without_a_home_says_that_there_is_no_store(home: Home) -> None:
    def lock() -> None:
        with home.syncing(0.0):
            pass

    assert code_of(lock) is Code.STORE_NONE


def test_a_home_that_cannot_be_made_says_that_nothing_can_be_stored(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_only(monkeypatch, "mkdir")
    assert code_of(home.prepare) is Code.STORE_FULL


def test_a_file_where_the_home_should_be_says_that_nothing_can_be_stored(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert code_of(Home(tmp_path / "file" / "home").prepare) is Code.STORE_FULL


@pytest.mark.parametrize("call", ["replace", "chmod", "unlink"])
def test_a_store_that_cannot_be_put_in_place_leaves_none(
    home: Home, identity: Identity, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    home.prepare()
    (home.path / "counter.db.new").write_bytes(b"half")
    with monkeypatch.context() as patch:
        read_only(patch, call)
        assert code_of(lambda: CounterStore.create(home, identity)) is Code.STORE_FULL
    assert not home.database.exists()
    CounterStore.create(home, identity).close()


def test_a_store_that_cannot_be_set_aside_stays(
    store: CounterStore, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.close()
    with monkeypatch.context() as patch:
        read_only(patch, "mkdir")
        assert code_of(home.set_aside) is Code.STORE_FULL
    CounterStore.open(home).close()
