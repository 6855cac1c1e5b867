"""A transaction that fails by chance runs again, whole; one that would fail again does not."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

import mykey_server
from mykey_server.database import (
    PAUSE_SECONDS_MAX,
    TRIES_MAX,
    UNIQUE_VIOLATION,
    open_database,
    write,
)


class StateError(Exception):
    """What a PostgreSQL driver raises, as far as `write` looks at it."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(tmp_path / "server.db")
    write(engine, lambda connection: connection.exec_driver_sql("CREATE TABLE n (n INTEGER)"))
    yield engine
    engine.dispose()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr("mykey_server.database.time.sleep", slept.append)
    return slept


def rows(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM n").scalar_one())


def failing(times: int, sqlstate: str | None, *, lost: bool = False) -> list[DBAPIError]:
    return [
        DBAPIError("statement", None, StateError(sqlstate), connection_invalidated=lost)
        for _ in range(times)
    ]


def insert_then_fail(errors: list[DBAPIError]) -> Callable[[Connection], str]:
    def work(connection: Connection) -> str:
        connection.exec_driver_sql("INSERT INTO n VALUES (1)")
        if errors:
            raise errors.pop()
        return "done"

    return work


@pytest.mark.parametrize(
    "sqlstate", ["40001", "40P01", "08006", "08003", "57P01", "57P02", "57P03"]
)
def test_what_failed_by_chance_runs_again_and_leaves_one_effect(
    engine: Engine, pauses: list[float], sqlstate: str
) -> None:
    assert write(engine, insert_then_fail(failing(TRIES_MAX - 1, sqlstate))) == "done"
    assert rows(engine) == 1
    assert len(pauses) == TRIES_MAX - 1
    assert all(0 <= pause <= PAUSE_SECONDS_MAX for pause in pauses)
    assert sum(pauses) < 3


def test_a_line_that_broke_without_a_word_runs_again(engine: Engine, pauses: list[float]) -> None:
    assert write(engine, insert_then_fail(failing(1, None, lost=True))) == "done"
    assert (rows(engine), len(pauses)) == (1, 1)


def test_the_last_try_is_the_last(engine: Engine, pauses: list[float]) -> None:
    errors = failing(TRIES_MAX + 1, "40001")
    with pytest.raises(DBAPIError):
        write(engine, insert_then_fail(errors))
    assert (rows(engine), len(errors), len(pauses)) == (0, 1, TRIES_MAX - 1)


@pytest.mark.parametrize("sqlstate", [None, "23505", "23503", "22001", "42P01", "25006"])
def test_what_would_fail_again_is_told_at_once(
    engine: Engine, pauses: list[float], sqlstate: str | None
) -> None:
    with pytest.raises(DBAPIError):
        write(engine, insert_then_fail(failing(1, sqlstate)))
    assert (rows(engine), pauses) == (0, [])


def test_a_key_that_somebody_inserted_first_runs_again_where_that_is_said(
    engine: Engine, pauses: list[float]
) -> None:
    work = insert_then_fail(failing(1, "23505"))
    assert write(engine, work, retry_also=UNIQUE_VIOLATION) == "done"
    assert (rows(engine), len(pauses)) == (1, 1)


def test_no_server_code_writes_without_trying_again() -> None:
    used = {
        file.name
        for file in Path(mykey_server.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Name) and node.id == "writing"
    }
    assert used == {"database.py"}
