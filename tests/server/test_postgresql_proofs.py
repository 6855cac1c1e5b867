"""What PostgreSQL must not do to us, on a real one: lose a row, double one, or show a gap.

Short in `make test`, minutes under load in `make soak`.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec
import pytest
from sqlalchemy import Connection, text

from mykey_server.app import create_app
from mykey_server.core import Core, open_core
from mykey_server.database import open_database, reading, write
from mykey_server.migrations import migrate
from mykey_server.services.feeds import Change, Feed, Head
from mykey_server.services.site import read_epoch
from mykey_server.settings import PostgresUrl, Settings
from mykey_tui.wire.messages import Problem
from tests.postgres.cluster import STANDBY, CannotRunError, Cluster
from tests.postgres.writers import (
    CNS,
    WRITERS,
    Tail,
    Writer,
    check_nothing_lost_or_doubled,
    late,
    run_all,
    tail,
)
from tests.proofs.length import Figures, length
from tests.server.conftest import NOT_HERE, ORIGIN, POSTGRESQL_ONLY, Server, TestClock

LOAD_SECONDS = length(short=2, long=120)
SCOPES = 3


@pytest.fixture
async def writers(server: Server) -> AsyncIterator[list[Writer]]:
    scopes = [server.add_provider(f"A-{number}") for number in range(SCOPES)]
    yield [
        Writer(server.core, await server.enrol(scopes[number % SCOPES]), cn)
        for number, cn in enumerate(CNS)
    ]


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
