"""What was acknowledged is there after any end of the program; a full disk says so and passes."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.domain.ids import LookupToken, ServiceId
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.engine import open_engine, reading
from mykey_tui.store.home import Home
from mykey_tui.store.keys import load_key
from mykey_tui.wire.messages import Row, item_hash

KILLS = 20
WORKER = Path(__file__).parent / "queueing_worker.py"


def test_kill_at_any_moment_loses_nothing_that_was_acknowledged(
    store: CounterStore, home: Home
) -> None:
    """A real process queues and says each number; it is killed at random moments."""
    store.close()
    random = Random(20261122)  # noqa: S311  # when to kill
    acknowledged: set[int] = set()
    with subprocess.Popen(
        [sys.executable, str(WORKER), str(home.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
        text=True,
    ) as forker:
        assert forker.stdin is not None
        assert forker.stdout is not None
        for _ in range(KILLS):
            forker.stdin.write("go\n")
            forker.stdin.flush()
            said = [forker.stdout.readline(), forker.stdout.readline()]
            pid = next(int(line.split()[1]) for line in said if line.startswith("pid"))
            time.sleep(random.uniform(0.0, 0.08))
            os.kill(pid, signal.SIGKILL)
            while said[-1] != "end\n":
                said.append(forker.stdout.readline())
            acknowledged |= {int(line) for line in said if line[0].isdigit()}
        forker.stdin.close()
    again = CounterStore.open(home)
    items = again.next_batch(first=1, items_max=100_000, bytes_max=1 << 40)
    assert len(acknowledged) >= KILLS
    assert acknowledged <= {item.mid for item in items}
    assert [item.mid for item in items] == list(range(1, len(items) + 1))
    assert [item.prev for item in items[1:]] == [item_hash(item) for item in items[:-1]]
    for item in items:
        link = again.lookup(LookupToken(item.token))
        assert link is not None
        assert link.service_id == ServiceId(item.sid)
    again.close()
    engine = open_engine(home.database, key=load_key(home))
    with reading(engine) as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    engine.dispose()


@contextmanager
def full_disk(home: Home, room: int) -> Iterator[None]:
    """No file may grow past its largest in the home, and a little: a write fails as on a full disk."""
    largest = max(path.stat().st_size for path in home.path.glob("counter.db*"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("room", [0, 5000, 20_000])
def test_a_full_disk_is_said_and_the_store_goes_on_afterwards(
    store: CounterStore, home: Home, row: Callable[..., Row], room: int
) -> None:
    store.apply_page([row("a")], epoch="e", cursor=1)
    done = 0
    with full_disk(home, room), pytest.raises(StoreError) as caught:
        for number in range(1, 2000):
            store.queue_mutation(
                "link", _token(number), ServiceId(str(number)), lambda _: b"s" * 900
            )
            done = number
    assert caught.value.code is Code.STORE_FULL
    assert store.lookup(_token(done + 1)) is None
    assert store.counts().waiting == done
    assert store.queue_mutation("link", _token(9999), ServiceId("9999"), lambda _: b"s") == done + 1
    store.close()
    again = CounterStore.open(home)
    assert again.counts().waiting == done + 1
    again.close()


def test_a_page_that_did_not_fit_moved_neither_rows_nor_cursor(
    store: CounterStore, home: Home, row: Callable[..., Row]
) -> None:
    store.apply_page([row("a")], epoch="e", cursor=1)
    before = store.progress()
    rows = [row(f"p{n}", f"{n:010}", seq=n) for n in range(2, 5000)]
    with full_disk(home, 10_000), pytest.raises(StoreError) as caught:
        store.apply_page(rows, epoch="e", cursor=5000)
    assert caught.value.code is Code.STORE_FULL
    assert store.progress() == before
    assert store.lookup(LookupToken(rows[0][0])) is None
    store.apply_page(rows, epoch="e", cursor=5000)
    assert (store.progress().cursor, store.progress().rows) == (5000, 4999)


def test_a_file_is_replaced_whole_or_not_at_all(store: CounterStore, home: Home) -> None:
    home.write_private(home.settings, b"old")
    with full_disk(home, 0), pytest.raises(StoreError) as caught:
        home.write_private(home.settings, b"x" * 50_000_000)
    assert caught.value.code is Code.STORE_FULL
    assert home.settings.read_bytes() == b"old"


def test_a_writer_that_never_ends_is_said_to_be_busy(
    store: CounterStore, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mykey_tui.store.engine.BUSY_SECONDS", 0.05)
    beside = CounterStore.open(home)
    engine = open_engine(home.database, key=load_key(home))
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(StoreError) as caught:
            beside.queue_mutation("link", _token(1), ServiceId("1"), lambda _: b"s")
        assert caught.value.code is Code.STORE_BUSY
        assert beside.lookup(_token(1)) is None  # reading goes on
        connection.rollback()
    engine.dispose()
    beside.close()


def test_two_rounds_never_run_at_once(home: Home) -> None:
    home.prepare()
    with home.syncing(0.0), pytest.raises(StoreError) as caught, home.syncing(0.1):
        pass
    assert caught.value.code is Code.STORE_BUSY
    with home.syncing(0.0):
        pass


def _token(number: int) -> LookupToken:
    return LookupToken(hashlib.sha256(b"%d" % number).digest()[:16])
