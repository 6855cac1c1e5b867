"""A fault at any statement of a push, one after the other: its outcome stays the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from mykey_server.services.selfcheck import self_check
from tests.postgres.writers import CNS, Writer, stored_mids
from tests.server.conftest import POSTGRESQL_ONLY, Counter, Server

STATEMENTS_MAX = 60


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
