"""`CounterStore.check`: every page of the file is looked at, and no sound file is called damaged."""

from __future__ import annotations

import threading
import time

import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home
from mykey_tui.store.identity import Identity

PAGE = 4096


@pytest.fixture
def closed(home: Home, identity: Identity) -> Home:
    """A store whose log has been written back into its file."""
    CounterStore.create(home, identity).close()
    return home


def test_a_sound_file_passes(closed: Home) -> None:
    store = CounterStore.open(closed)
    store.check()
    store.close()


@pytest.mark.parametrize("part", [0.0, 0.25, 0.5, 0.75, 0.99])
def test_a_page_that_was_damaged_anywhere_is_found(closed: Home, part: float) -> None:
    pages = closed.database.stat().st_size // PAGE
    page = 1 + int(part * (pages - 1))
    with closed.database.open("r+b") as file:
        file.seek(page * PAGE + 100)
        (byte,) = file.read(1)
        file.seek(page * PAGE + 100)
        file.write(bytes([byte ^ 0x01]))
    with pytest.raises(StoreError) as caught:
        store = CounterStore.open(closed)
        try:
            store.check()
        finally:
            store.close()
    assert caught.value.code is Code.STORE_CORRUPT


def test_a_file_that_is_written_meanwhile_is_not_called_damaged(closed: Home) -> None:
    """The doctor's command looks while the screen works."""
    writer, looker = CounterStore.open(closed), CounterStore.open(closed)
    over = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        while not over.is_set():
            writer.note_fingerprint()
            writer.freshness()
            writer.count_lookup()
            written += 1

    thread = threading.Thread(target=write)
    thread.start()
    deadline, looked = time.monotonic() + 30, 0
    try:
        while (looked < 50 or written <= 5) and time.monotonic() < deadline:
            looker.check()
            looked += 1
    finally:
        over.set()
        thread.join(10)
        writer.close()
        looker.close()
    assert written > 5, "the canary: there was a writer"
