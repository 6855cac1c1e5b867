"""A full disk, a file that cannot be written, a lock that does not come free: come again later."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import httpx
import msgspec
import pytest
import sqlcipher3.dbapi2
from sqlalchemy.exc import OperationalError

from mykey_server.database import is_passing, open_database, writing
from mykey_tui.wire.messages import Problem
from tests.server.conftest import SQLITE_ONLY, Counter, Server

AtTheWriter: TypeAlias = Callable[[str], Awaitable[int]]
SEED = "1C2410DF79DGEL07202002B"


def sample_cn(number: int) -> str:
    return f"M{number:013d}07202002B"


def says_busy(answer: httpx.Response) -> bool:
    problem = msgspec.json.decode(answer.content, type=Problem)
    return (answer.status_code, problem.type) == (503, "busy") and "retry-after" in answer.headers


@pytest.fixture
def at_the_writer(server: Server) -> AtTheWriter:
    """Run a statement on the connection that writes."""

    async def run(statement: str) -> int:
        def work() -> int:
            with server.core.engine.connect() as connection:
                result = connection.exec_driver_sql(statement)
                return int(result.scalar_one()) if result.returns_rows else 0

        return await server.core.write(work)

    return run


@SQLITE_ONLY
async def test_a_full_disk_says_come_again_and_applies_nothing(
    server: Server, counter: Counter, at_the_writer: AtTheWriter
) -> None:
    pages = await at_the_writer("PRAGMA page_count")
    await at_the_writer(f"PRAGMA max_page_count = {pages}")
    links = [counter.link(sample_cn(n), f"A{n}") for n in range(100)]
    assert says_busy(await counter.try_push(counter.batch(links)))
    assert server.links() == []
    await at_the_writer("PRAGMA max_page_count = 1000000")
    assert {item.verdict for item in (await counter.push(*links)).items} == {"applied"}


@SQLITE_ONLY
async def test_a_file_that_cannot_be_written_says_come_again_and_is_read_all_the_same(
    counter: Counter, at_the_writer: AtTheWriter
) -> None:
    await at_the_writer("PRAGMA query_only = on")
    item = counter.link(SEED, "A1")
    assert says_busy(await counter.try_push(counter.batch([item])))
    assert (await counter.head()).seq == 0
    await at_the_writer("PRAGMA query_only = off")
    assert (await counter.verdict(item)).verdict == "applied"


@SQLITE_ONLY
async def test_a_lock_that_does_not_come_free_says_come_again(
    server: Server, counter: Counter, at_the_writer: AtTheWriter
) -> None:
    await at_the_writer("PRAGMA busy_timeout = 10")
    other = open_database(server.core.settings.database)
    item = counter.link(SEED, "A1")
    with writing(other):
        assert says_busy(await counter.try_push(counter.batch([item])))
    other.dispose()
    assert (await counter.verdict(item)).verdict == "applied"


@pytest.mark.parametrize(
    ("name", "passing"),
    [
        ("SQLITE_FULL", True),
        ("SQLITE_IOERR_WRITE", True),
        ("SQLITE_READONLY_DBMOVED", True),
        ("SQLITE_BUSY_SNAPSHOT", True),
        ("SQLITE_CORRUPT", False),
        ("SQLITE_ERROR", False),
        ("SQLITE_CONSTRAINT_UNIQUE", False),
    ],
)
def test_trouble_that_passes_is_told_from_damage_and_bugs(name: str, *, passing: bool) -> None:
    original = sqlcipher3.dbapi2.OperationalError("as the engine says it")
    original.sqlite_errorname = name
    assert is_passing(OperationalError("SELECT 1", None, original)) is passing
