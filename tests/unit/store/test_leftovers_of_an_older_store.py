"""What an older store left behind never gets into a new one, and is never thrown away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mykey_tui.domain.ids import LookupToken, ServiceId
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home
from mykey_tui.store.identity import Identity

Tokens = Callable[[str], LookupToken]


def test_a_new_store_does_not_take_over_the_queue_of_one_that_was_deleted(
    store: CounterStore, home: Home, identity: Identity, token_of_name: Tokens
) -> None:
    """The file is deleted by hand; its log and its key are forgotten there."""
    store.queue_mutation("link", token_of_name("a"), ServiceId("1"), lambda _: b"sealed")
    log, key = (home.path / "counter.db-wal").read_bytes(), home.key_file.read_bytes()
    store.close()
    home.database.unlink()
    (home.path / "counter.db-wal").write_bytes(log)
    new = CounterStore.create(home, identity)
    assert new.counts().waiting == 0
    assert new.lookup(token_of_name("a")) is None
    assert home.key_file.read_bytes() != key
    new.close()
    aside = home.path / "aside-1"
    assert (aside / "counter.db-wal").read_bytes() == log
    assert (aside / "counter.key").read_bytes() == key


class _CutOffError(Exception):
    """The power goes."""


@pytest.mark.parametrize("moves", [0, 1, 2, 3, 4])
def test_setting_aside_that_was_cut_off_anywhere_is_finished_as_one_group(
    store: CounterStore,
    home: Home,
    identity: Identity,
    monkeypatch: pytest.MonkeyPatch,
    moves: int,
) -> None:
    store.close()
    (home.path / "counter.db-wal").write_bytes(b"log")
    (home.path / "counter.db-shm").write_bytes(b"index")
    names = ["counter.key", "counter.db", "counter.db-wal", "counter.db-shm"]
    content = {name: (home.path / name).read_bytes() for name in names}
    done: list[str] = []
    rename = Path.rename

    def cut_off(path: Path, target: Path) -> Path:
        if len(done) == moves:
            raise _CutOffError
        done.append(path.name)
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", cut_off)
        with pytest.raises(_CutOffError):
            home.set_aside()
    assert done == names[:moves]
    if moves < 2:
        assert home.set_aside() == home.path / "aside-1"
    CounterStore.create(home, identity).close()
    aside = home.path / "aside-1"
    assert {path.name: path.read_bytes() for path in aside.iterdir()} == content
    assert [path.name for path in home.path.glob("aside-*")] == ["aside-1"]


def test_two_stores_set_aside_lie_apart(
    store: CounterStore, home: Home, identity: Identity
) -> None:
    store.close()
    assert home.set_aside() == home.path / "aside-1"
    CounterStore.create(home, identity).close()
    assert home.set_aside() == home.path / "aside-2"
    for number in (1, 2):
        names = {path.name for path in (home.path / f"aside-{number}").iterdir()}
        assert names == {"counter.key", "counter.db"}


def test_a_key_left_by_an_enrolment_that_was_cut_off_is_used(
    home: Home, identity: Identity
) -> None:
    home.prepare()
    home.write_private(home.key_file, b"ab" * 32)
    CounterStore.create(home, identity).close()
    assert home.key_file.read_bytes() == b"ab" * 32
    assert not list(home.path.glob("aside-*"))
