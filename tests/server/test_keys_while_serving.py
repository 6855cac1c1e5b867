"""Real processes: the keys change while counters link and reconcile, and nobody notices."""

from __future__ import annotations

import io
import json
import signal
import threading
from contextlib import ExitStack, closing, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mykey_server.cli import run
from mykey_server.settings import PostgresUrl
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.ids import ServiceId, SubjectCn
from mykey_tui.domain.tokens import default_token
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home
from mykey_tui.store.outbox import QueuedFrame
from mykey_tui.sync.client import ServerClient
from mykey_tui.sync.enrol import enrol
from mykey_tui.sync.round import sync_round
from mykey_tui.wire.messages import SealedLink
from mykey_tui.wire.seal import seal
from tests.server.conftest import certificate
from tests.server.test_server_process import Running, mykey_server

COUNTERS = 2
CHANGES = 2
ROUNDS_MAX = 2_000
JOIN_SECONDS_MAX = 120
PEOPLE_APART = 100_000


@dataclass
class Clerk:
    """A counter at work in a thread: links somebody, reconciles, and so on until it is told to stop."""

    number: int
    store: CounterStore
    client: ServerClient
    stop: threading.Event = field(default_factory=threading.Event)
    rounds: int = 0
    applied: int = 0
    followed: set[bytes] = field(default_factory=set)
    """The sealing keys that it queued with."""
    error: BaseException | None = None

    def work(self) -> None:
        try:
            while not self.stop.is_set() and self.rounds < ROUNDS_MAX:
                self._link(PEOPLE_APART * self.number + self.rounds)
                self.reconcile()
        except BaseException as error:  # noqa: BLE001 - told by the thread that looks
            self.error = error

    def reconcile(self) -> None:
        report = sync_round(self.store, self.client)
        assert (report.conflicts, report.invalid, report.put_off) == (0, 0, 0)
        assert report.digest == "match"
        self.applied += report.applied
        self.rounds += 1

    def _link(self, person: int) -> None:
        cn = f"M{person:013d}07202002B"
        token = default_token(self.store.identity.provider_key, SubjectCn.parse(cn))

        def sealed(frame: QueuedFrame) -> bytes:
            key = self.store.believed().seal_key
            self.followed.add(key)
            return seal(SealedLink(certificate(cn)), seal_key=key, context=frame.context)

        self.store.queue_mutation("link", token, ServiceId(f"S{person}"), sealed)


def operate(where: Path | str, *words: str) -> Any:
    """A command, in this process: another's start would cost seconds, and proves nothing more."""
    said = io.StringIO()
    with redirect_stdout(said):
        assert run([*words, "--db", str(where)]) == 0, said.getvalue()
    return json.loads(said.getvalue())


def begin(where: Path | str, urls: list[str], folder: Path, stack: ExitStack) -> list[Clerk]:
    operate(where, "provider", "add", "A-α1-0001", "--name", "図書館")
    clerks = []
    for number in range(COUNTERS):
        code = operate(where, "terminal", "code", "--provider", "A-α1-0001")["code"]
        store = stack.enter_context(
            closing(
                enrol(
                    Home(folder / f"counter{number}"),
                    server_url=urls[number % len(urls)],
                    code=code,
                    profile=None,
                    counter_name="窓口",
                    clock=SystemClock(),
                )
            )
        )
        client = stack.enter_context(closing(ServerClient(store.identity, SystemClock())))
        clerks.append(Clerk(number, store, client))
    return clerks


def wait_for(clerks: list[Clerk], rounds: int) -> None:
    """Until each has done so many more rounds."""
    aims = [clerk.rounds + rounds for clerk in clerks]
    for _ in range(JOIN_SECONDS_MAX * 20):
        if all(c.rounds >= aim or c.error for c, aim in zip(clerks, aims, strict=True)):
            break
        threading.Event().wait(0.05)
    assert [clerk.error for clerk in clerks] == [None] * COUNTERS
    assert all(c.rounds >= aim for c, aim in zip(clerks, aims, strict=True))


def change_keys(where: Path | str) -> None:
    operate(where, "keys", "draw")
    operate(where, "backup", "confirm", operate(where, "backup", "begin")["name"])
    mykey_server(where, "keys", "rotate")


def test_keys_change_under_load_without_a_refused_push_or_a_lost_item(
    database: Path | PostgresUrl, tmp_path: Path
) -> None:
    where = database.text if isinstance(database, PostgresUrl) else database
    processes = 2 if isinstance(database, PostgresUrl) else 1
    with ExitStack() as stack:
        servers = [Running(where, log=tmp_path / f"{n}.log") for n in range(processes)]
        for server in servers:
            stack.callback(server.stop, signal.SIGTERM)
        clerks = begin(where, [server.url for server in servers], tmp_path, stack)
        threads = [threading.Thread(target=clerk.work) for clerk in clerks]
        for thread in threads:
            thread.start()
        try:
            wait_for(clerks, 2)
            for _ in range(CHANGES):
                change_keys(where)  # each counter has said by now that it can follow
                wait_for(clerks, 3)
        finally:
            for clerk in clerks:
                clerk.stop.set()
            for thread in threads:
                thread.join(JOIN_SECONDS_MAX)
        assert [clerk.error for clerk in clerks] == [None] * COUNTERS
        listed = operate(where, "keys", "list")
        assert listed["present"]["counters"] == COUNTERS
        for clerk in clerks:
            assert len(clerk.followed) == CHANGES + 1
            assert clerk.store.unsent() == 0
            assert clerk.store.believed().fingerprint == listed["present"]["fingerprint"]
        # Nothing sealed to a former key is on its way: each can be dropped while they serve.
        for number in range(1, CHANGES + 1):
            operate(where, "keys", "drop", str(number))
        for clerk in clerks:
            clerk.reconcile()
    rows = operate(where, "link", "list")
    assert len(rows) == sum(clerk.applied for clerk in clerks)
    assert len({row["service_id"] for row in rows}) == len(rows)
    assert operate(where, "check")["ok"]


def test_a_server_that_starts_after_the_change_has_the_same_keys(tmp_path: Path) -> None:
    where = tmp_path / "server.db"
    operate(where, "provider", "add", "A-1", "--name", "x")
    change_keys(where)
    before = operate(where, "keys", "list")
    server = Running(where, log=tmp_path / "log")
    assert server.stop(signal.SIGTERM) == 0
    assert operate(where, "keys", "list") == before
