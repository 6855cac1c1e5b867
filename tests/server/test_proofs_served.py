"""The real server with its proof process: when it is there, what it knows, and how it ends."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mykey_server.proofs import SHARED_FROM_ITEMS
from mykey_tui.simulated.foreign import Variant
from mykey_tui.wire.messages import PUSH_ITEMS_MAX, PushItem
from tests.server.conftest import Counter, certificate
from tests.server.test_proofs import is_gone, until
from tests.server.test_server_process import (
    Running,
    database,
    enrolled,
    mykey_server,
    push,
    start,
)

__all__ = ["database", "start"]  # Fixtures.
CODE = "07202002B"
REST_SECONDS = 0.4


def batch(counter: Counter, count: int) -> list[PushItem]:
    """Links of people who are new to the counter."""
    first = counter.mid
    return [counter.link(f"M{n:013d}{CODE}", f"S{n}") for n in range(first, first + count)]


def _stat(pid: int) -> list[str]:
    """State, parent, …: what stands behind the name (`man 5 proc_pid_stat`)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def children(server: Running) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(_stat(int(path.name))[1])
        except OSError:  # It ended meanwhile.
            continue
        if parent == server.process.pid:
            found.append(int(path.name))
    return found


def at_rest(server: Running, counter: Counter) -> int:
    """Push a large batch, and wait until the process that it started has nothing more to do."""
    push(counter, server.url, batch(counter, SHARED_FROM_ITEMS))
    (child,) = children(server)

    def rests() -> bool:
        before = _stat(child)[11:13]
        time.sleep(REST_SECONDS)
        after = _stat(child)
        return after[0] == "S" and before == after[11:13] != ["0", "0"]

    until(rests)
    return child


def processor_ticks(pid: int) -> int:
    return sum(int(ticks) for ticks in _stat(pid)[11:13])


def test_it_is_started_by_the_first_large_push_and_takes_part_in_the_next(
    database: Path, start: Callable[..., Running]
) -> None:
    server = start("--proof-processes", "1")
    counter = enrolled(database, server.url)
    push(counter, server.url, batch(counter, SHARED_FROM_ITEMS - 1))
    assert children(server) == []
    child = at_rest(server, counter)
    before = processor_ticks(child)
    for _ in range(4):
        push(counter, server.url, batch(counter, PUSH_ITEMS_MAX))
    assert processor_ticks(child) > before
    assert children(server) == [child]


def test_a_large_push_that_is_only_sent_again_starts_none(
    database: Path, start: Callable[..., Running]
) -> None:
    server = start("--proof-processes", "1")
    counter = enrolled(database, server.url)
    size = SHARED_FROM_ITEMS - 1
    items = [item for _ in range(3) for item in _pushed(server, counter, size)]
    assert {v.verdict for v in push(counter, server.url, items).items} == {"applied"}
    assert children(server) == []


def _pushed(server: Running, counter: Counter, count: int) -> list[PushItem]:
    items = batch(counter, count)
    push(counter, server.url, items)
    return items


def test_without_it_the_server_stays_alone(database: Path, start: Callable[..., Running]) -> None:
    server = start("--proof-processes", "0")
    counter = enrolled(database, server.url)
    push(counter, server.url, batch(counter, PUSH_ITEMS_MAX))
    assert children(server) == []


def test_killed_in_the_middle_of_a_push_it_changes_no_verdict(
    database: Path, start: Callable[..., Running], tmp_path: Path
) -> None:
    server = start("--proof-processes", "1")
    counter = enrolled(database, server.url)
    child = at_rest(server, counter)
    items = batch(counter, PUSH_ITEMS_MAX - 2)
    items.append(counter.link(f"FORGED00000000{CODE}", "F1", der=_forged()))
    items.append(counter.link(f"M{0:013d}{CODE}", "SNEW"))
    os.kill(child, signal.SIGSTOP)  # So that it surely has its half at hand when it is killed.
    killer = threading.Timer(0.5, os.kill, (child, signal.SIGKILL))
    killer.start()
    reply = push(counter, server.url, items)
    killer.join()
    assert is_gone(child)
    assert [v.verdict for v in reply.items] == ["applied"] * 98 + ["invalid", "conflict"]
    assert mykey_server(database, "check")["ok"]
    time.sleep(1.1)  # The pause before it is started anew.
    assert at_rest(server, counter) != child
    log = (tmp_path / "server.log").read_text().splitlines()
    assert log == ["the proof process failed; proofs are made without it for 1 s"]


def _forged() -> bytes:
    return certificate(f"FORGED00000000{CODE}", Variant.FORGED)


def test_it_ends_with_the_server_however_that_ends(
    database: Path, start: Callable[..., Running]
) -> None:
    server = start("--proof-processes", "1")
    counter = enrolled(database, server.url)
    first = at_rest(server, counter)
    assert server.stop(signal.SIGTERM) == 0
    assert is_gone(first)
    server = start("--proof-processes", "1")
    second = at_rest(server, counter)
    assert server.stop(signal.SIGKILL) == -signal.SIGKILL
    until(lambda: is_gone(second))


def test_its_arguments_and_surroundings_hold_neither_key_nor_database(
    database: Path, start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYKEY_SERVER_DB", "postgresql://user:password@nowhere/name")
    server = start("--proof-processes", "1")
    counter = enrolled(database, server.url)
    child = at_rest(server, counter)
    shown = [Path(f"/proc/{child}/{name}").read_bytes() for name in ("cmdline", "environ")]
    assert shown[0].split(b"\0")[1:4] == [b"-P", b"-m", b"mykey_server.proof_process"]
    assert b"MYKEY_" not in shown[1]
    assert b"PATH=" in shown[1]
    open_files = [str(path.readlink()) for path in Path(f"/proc/{child}/fd").iterdir()]
    assert not [name for name in open_files if "server.db" in name]
