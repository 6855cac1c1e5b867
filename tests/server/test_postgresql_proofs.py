"""What PostgreSQL must not do to us, on a real one: lose a row, double one, or show a gap.

Short in `make test`, minutes under load in `make soak`.
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psycopg
import pytest
from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import DBAPIError

from mykey_server.app import create_app
from mykey_server.core import Core, open_core
from mykey_server.database import is_passing, open_database, reading, write
from mykey_server.migrations import migrate
from mykey_server.services.feeds import LINKS, Change, Feed, Head
from mykey_server.services.intake import take
from mykey_server.services.publish import page_after
from mykey_server.services.selfcheck import self_check
from mykey_server.services.site import read_epoch
from mykey_server.services.terminals import find_terminal
from mykey_server.settings import PostgresUrl, Settings
from mykey_server.tables.base import table_of
from mykey_server.tables.terminal import MutationTable
from mykey_tui.wire.messages import ItemVerdict, Problem, PushItem
from tests.postgres.cluster import STANDBY, CannotRunError, Cluster
from tests.proofs.length import Figures, length
from tests.server.conftest import NOT_HERE, ORIGIN, POSTGRESQL_ONLY, Counter, Server, TestClock

LOAD_SECONDS = length(short=2, long=120)
SCOPES = 3
WRITERS = 8
STATEMENTS_MAX = 60
CNS = [f"W{number:013d}07202002B" for number in range(WRITERS)]

Act = Callable[["Writer", PushItem], ItemVerdict]


class Writer:
    """One counter that links and unlinks one person, one numbered act after the other."""

    def __init__(self, core: Core, counter: Counter, cn: str) -> None:
        self.core = core
        self.counter = counter
        self.cn = cn
        self.acknowledged: list[int] = []
        with reading(core.engine) as connection:
            terminal = find_terminal(connection, counter.identity.device_id)
        assert terminal is not None
        self.terminal = terminal

    def run(self, until: threading.Event) -> None:
        """Act until told to stop; what fails is sent again, the same."""
        while not until.is_set():
            odd = len(self.acknowledged) % 2
            item = self.counter.item("unlink" if odd else "link", self.cn, "" if odd else self.cn)
            verdict = self._until_answered(item, until)
            if verdict is None:
                return
            assert (verdict.mid, verdict.verdict) == (item.mid, "applied")
            self.acknowledged.append(item.mid)

    def _until_answered(self, item: PushItem, until: threading.Event) -> ItemVerdict | None:
        while not until.is_set():
            try:
                return self.push(item)
            except DBAPIError as error:
                assert is_passing(error), error
                time.sleep(0.05)
        return None

    def push(self, *items: PushItem) -> ItemVerdict:
        core = self.core
        reply = take(
            core.engine,
            core.site,
            core.cards,
            terminal=self.terminal,
            request=self.counter.batch(list(items)),
            now=core.clock.now(),
        )
        return reply.items[-1]


class Tail:
    """A counter's copy of one scope, kept by its cursor alone."""

    def __init__(self, engine: Engine, scope: str) -> None:
        self.engine = engine
        self.scope = scope
        self.after = 0
        self.rows: dict[bytes, tuple[Any, ...]] = {}

    def pull(self) -> None:
        with reading(self.engine) as connection:
            page = page_after(
                connection, LINKS, self.scope, epoch=read_epoch(connection), after=self.after,
                limit=1000,
            )  # fmt: skip
        assert not page.more
        self.rows |= {row[0]: tuple(row) for row in page.rows}
        self.after = page.next

    def missing(self) -> list[bytes]:
        """Tokens whose newest row the cursor never met."""
        with reading(self.engine) as connection:
            found = connection.execute(
                select(*LINKS.row_columns).where(LINKS.rows.c.scope == self.scope)
            )
            return [row[0] for row in found if self.rows.get(row[0]) != tuple(row)]


@pytest.fixture
async def writers(server: Server) -> AsyncIterator[list[Writer]]:
    scopes = [server.add_provider(f"A-{number}") for number in range(SCOPES)]
    yield [
        Writer(server.core, await server.enrol(scopes[number % SCOPES]), cn)
        for number, cn in enumerate(CNS)
    ]


def run_all(writers: list[Writer], meanwhile: Callable[[], None]) -> list[BaseException]:
    """Let all writers act until `meanwhile` returns; give what went wrong in a thread."""
    stop, wrong = threading.Event(), []

    def run(writer: Writer) -> None:
        try:
            writer.run(stop)
        except BaseException as error:  # noqa: BLE001 - given to the test, which fails with it
            wrong.append(error)

    threads = [threading.Thread(target=run, args=(writer,)) for writer in writers]
    for thread in threads:
        thread.start()
    try:
        meanwhile()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    return wrong


def tail(tails: list[Tail], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for one in tails:
            one.pull()


def stored_mids(engine: Engine, writer: Writer) -> list[int]:
    mutations = table_of(MutationTable)
    with reading(engine) as connection:
        return list(
            connection.execute(
                select(mutations.c.mid)
                .where(mutations.c.device_id == writer.terminal.device_id)
                .order_by(mutations.c.mid)
            ).scalars()
        )


def check_nothing_lost_or_doubled(engine: Engine, writers: list[Writer]) -> None:
    """Each acknowledged act is there; each that is there moved its scope once, without a gap."""
    moved: dict[str, int] = {}
    for writer in writers:
        mids = stored_mids(engine, writer)
        assert mids == list(range(1, len(mids) + 1))
        assert set(writer.acknowledged) <= set(mids)
        moved[writer.terminal.scope] = moved.get(writer.terminal.scope, 0) + len(mids)
    with reading(engine) as connection:
        for scope, count in moved.items():
            assert LINKS.head(connection, scope).seq == count
            places = connection.execute(
                select(LINKS.places.c.seq)
                .where(LINKS.places.c.scope == scope)
                .order_by(LINKS.places.c.seq)
            )
            assert list(places.scalars()) == list(range(1, count + 1))
    assert [finding for finding in self_check(engine) if not finding.ok] == []


@POSTGRESQL_ONLY
async def test_eight_writers_and_a_tailing_reader_see_every_row_without_a_gap(
    server: Server, writers: list[Writer]
) -> None:
    engine = server.core.engine
    tails = [Tail(engine, f"A-{number}") for number in range(SCOPES)]
    figures = Figures("postgresql-tail")
    assert run_all(writers, lambda: tail(tails, LOAD_SECONDS)) == []
    for one in tails:
        one.pull()
        assert one.missing() == []
    assert all(len(writer.acknowledged) > 1 for writer in writers)
    check_nothing_lost_or_doubled(engine, writers)
    acts = sum(len(writer.acknowledged) for writer in writers)
    figures.say(writers=WRITERS, scopes=SCOPES, acts=acts, never_seen=0, gaps=0)


@POSTGRESQL_ONLY
async def test_the_tailing_reader_would_find_a_cursor_that_is_drawn_before_the_lock(
    server: Server, writers: list[Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The naive way, a sequence as cursor: numbers are drawn in one order and committed in
    another, and who reads in between never sees the late one."""
    engine = server.core.engine
    write(engine, lambda connection: connection.execute(text("CREATE SEQUENCE naive")))
    chance = random.Random(20261122)  # noqa: S311 - repeatable, not secret

    def lock(feed: Feed, connection: Connection, scope: str) -> Head:
        drawn: int = connection.execute(text("SELECT nextval('naive')")).scalar_one()
        head = feed.head(connection, scope)
        time.sleep(chance.uniform(0, 0.01))
        return Head(drawn - 1, head.horizon, head.digest)

    def move(
        feed: Feed, connection: Connection, scope: str, head: Head, changes: list[Change]
    ) -> Head:
        del changes
        connection.execute(
            text("UPDATE scope SET seq = greatest(seq, :seq) WHERE scope = :scope"),
            {"seq": head.seq + 1, "scope": scope},
        )
        return Head(head.seq + 1, head.horizon, head.digest)

    monkeypatch.setattr(Feed, "lock", lock)
    monkeypatch.setattr(Feed, "move", move)
    tails = [Tail(engine, f"A-{number}") for number in range(SCOPES)]
    found = 0

    def until_found() -> None:
        nonlocal found
        end = time.monotonic() + 20
        while not found and time.monotonic() < end:
            tail(tails, 0.2)
            found = sum(late(one) for one in tails)

    assert run_all(writers, until_found) == []
    assert found


def late(one: Tail) -> int:
    """Rows that lie below the cursor and were never met."""
    with reading(one.engine) as connection:
        found = connection.execute(
            select(*LINKS.row_columns).where(
                LINKS.rows.c.scope == one.scope, LINKS.rows.c.seq <= one.after
            )
        )
        return sum(one.rows.get(row[0], (0,) * 5)[4] < row[4] for row in found)


def serialization_failure(cursor: Any) -> None:
    raise psycopg.errors.SerializationFailure


def broken_line(cursor: Any) -> None:
    cursor.connection.close()


@contextmanager
def fault_at(engine: Engine, number: int, strike: Callable[[Any], None]) -> Iterator[list[int]]:
    """Strike once, at statement `number` of write transactions; the commit counts as the last.

    At the commit a broken line breaks after the server has done it: the word of it is lost.
    """
    dialect, struck, seen = engine.dialect, list[int](), 0
    names = ("do_execute", "do_executemany", "do_commit")
    execute, executemany, commit = (getattr(dialect, name) for name in names)

    def count(cursor: Any, context: Any) -> None:
        nonlocal seen
        if context is not None and not context.execution_options.get("begin_immediate"):
            return
        seen += 1
        if seen == number and not struck:
            struck.append(number)
            strike(cursor)

    def one(cursor: Any, statement: Any, parameters: Any, context: Any = None) -> None:
        count(cursor, context)
        execute(cursor, statement, parameters, context)

    def many(cursor: Any, statement: Any, parameters: Any, context: Any = None) -> None:
        count(cursor, context)
        executemany(cursor, statement, parameters, context)

    def committed(connection: Any) -> None:
        nonlocal seen
        if seen and not struck and seen + 1 == number:
            struck.append(number)
            if strike is broken_line:
                commit(connection)
                connection.driver_connection.close()
            else:
                raise psycopg.errors.SerializationFailure
        commit(connection)

    with pytest.MonkeyPatch.context() as patch:
        for name, replacement in zip(names, (one, many, committed), strict=True):
            patch.setattr(dialect, name, replacement)
        yield struck


@POSTGRESQL_ONLY
@pytest.mark.parametrize("strike", [serialization_failure, broken_line])
async def test_a_fault_at_any_statement_of_a_push_changes_nothing_of_its_outcome(
    server: Server, scope: str, strike: Callable[[Any], None]
) -> None:
    engine = server.core.engine
    struck, number = [0], 0
    while struck:
        number += 1
        assert number < STATEMENTS_MAX, "the sweep never comes to an end"
        counter = await server.enrol(scope)
        first, second = CNS[0], CNS[1]
        items = [
            counter.link(first, "A1"),
            counter.link(second, "A1"),  # Another person's service ID.
            counter.unlink(first),
            counter.link(second, "A2"),
            counter.unlink(second),
        ]
        writer = Writer(server.core, counter, first)
        with fault_at(engine, number, strike) as struck:
            verdict = writer.push(*items)
        assert (verdict.mid, verdict.verdict) == (5, "applied"), number
        again = await counter.push(*items)
        assert [item.verdict for item in again.items] == [
            "applied", "conflict", "applied", "applied", "applied",
        ], number  # fmt: skip
        assert stored_mids(engine, writer) == [1, 2, 3, 4, 5], number
        assert server.links() == []
    assert number > 10  # Statements of one push, its commit, and one run with no fault.
    assert [finding for finding in self_check(engine) if not finding.ok] == []


@POSTGRESQL_ONLY
@pytest.mark.parametrize("strike", [serialization_failure, broken_line])
async def test_the_sweep_would_find_a_server_that_does_not_try_again(
    counter: Counter, strike: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mykey_server.database.TRIES_MAX", 1)
    core = counter.server.core
    writer = Writer(core, counter, CNS[0])
    with fault_at(core.engine, 2, strike), pytest.raises(DBAPIError):
        writer.push(counter.link(CNS[0], "A1"))
    assert stored_mids(core.engine, writer) == []


@pytest.fixture
def pair() -> Iterator[tuple[Cluster, Cluster]]:
    """A primary and its synchronous standby."""
    with tempfile.TemporaryDirectory(prefix="mykey-pg-") as folder:
        places = [Path(folder) / name for name in "ab"]
        for place in places:
            place.mkdir()
        Path(folder).chmod(0o755)
        try:
            primary, standby = map(Cluster, places)
            primary.create()
        except CannotRunError as reason:
            pytest.skip(f"{NOT_HERE}: {reason}")
        standby.copy(primary)
        primary.execute("ALTER SYSTEM SET synchronous_standby_names = {}", STANDBY)
        primary.execute("SELECT pg_reload_conf()")
        yield primary, standby
        for cluster in (primary, standby):
            if cluster.running:
                cluster.stop("immediate")


async def test_a_database_that_is_down_says_come_again_and_is_found_again(
    pair: tuple[Cluster, Cluster],
) -> None:
    primary, standby = pair
    standby.stop("immediate")
    primary.execute("ALTER SYSTEM RESET synchronous_standby_names")
    primary.execute("SELECT pg_reload_conf()")
    primary.execute("CREATE DATABASE mykey")
    async with serving(primary.url("mykey")) as server:
        counter = await server.enrol(server.add_provider("A-1"))
        item = counter.link(CNS[0], "A1")
        primary.stop("immediate")
        for answer in (
            await counter.send("GET", f"/v1/heads?scope={counter.scope}"),
            await counter.try_push(counter.batch([item])),
        ):
            problem = msgspec.json.decode(answer.content, type=Problem)
            assert (answer.status_code, problem.type) == (503, "busy")
            assert "retry-after" in answer.headers
        primary.start()
        verdicts = [await counter.try_push(counter.batch([item])) for _ in range(3)]
        assert verdicts[-1].status_code == 200
        assert [row["service_id"] for row in server.links()] == ["A1"]


@asynccontextmanager
async def serving(url: PostgresUrl) -> AsyncIterator[Server]:
    """A server on a database that has no tables yet."""
    engine = open_database(url)
    migrate(engine)
    engine.dispose()
    clock = TestClock()
    app = create_app(Settings(database=url), clock)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        try:
            yield Server(app, app.state.core, clock, client)
        finally:
            app.state.core.close()


async def test_a_primary_that_dies_under_load_loses_nothing_and_doubles_nothing(
    pair: tuple[Cluster, Cluster],
) -> None:
    primary, standby = pair
    primary.execute("CREATE DATABASE mykey")
    both = PostgresUrl(f"postgresql:///mykey?host={primary.folder},{standby.folder}&user=mykey")
    async with serving(both) as server:
        scopes = [server.add_provider(f"A-{number}") for number in range(SCOPES)]
        writers = [
            Writer(server.core, await server.enrol(scopes[number % SCOPES]), cn)
            for number, cn in enumerate(CNS)
        ]
        check_failover(server.core, writers, primary, standby)


def check_failover(core: Core, writers: list[Writer], primary: Cluster, standby: Cluster) -> None:
    with reading(core.engine) as connection:
        before = read_epoch(connection)
    (in_sync,) = primary.execute("SELECT count(*) FROM pg_stat_replication WHERE sync_state='sync'")
    assert in_sync == (1,)
    figures = Figures("postgresql-failover")
    told_before = 0

    def fail_over() -> None:
        nonlocal told_before
        time.sleep(LOAD_SECONDS)
        primary.stop("immediate")
        told_before = sum(len(writer.acknowledged) for writer in writers)
        standby.promote()
        time.sleep(LOAD_SECONDS)

    assert run_all(writers, fail_over) == []
    told = sum(len(writer.acknowledged) for writer in writers)
    assert told > told_before > 0
    check_nothing_lost_or_doubled(core.engine, writers)
    with reading(core.engine) as connection:
        after = read_epoch(connection)
    assert after != before
    other = open_core(core.settings, core.clock)  # Another process finds the same one.
    with reading(other.engine) as connection:
        assert read_epoch(connection) == after
    figures.say(told=told, told_before=told_before, lost=0, doubled=0)
    other.close()
