"""The server's file: embedded SQLite on the engine that comes with the product.

The interpreter's own SQLite is not used: before 3.51.3 it can lose a committed write when a WAL
file is reset (sqlite.org/wal.html#walresetbug), and that engine is whatever the host has.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlcipher3.dbapi2
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import SingletonThreadPool

from mykey_tui.domain.errors import MyKeyError

ENGINE_MINIMUM = (3, 51, 3)
ENGINE_BACKPORTS = frozenset({(3, 44, 6), (3, 50, 7)})
"""Older lines that received the fix of the WAL-reset bug."""

BUSY_TIMEOUT_MS = 5000
"""A command line tool beside the server holds the write lock for milliseconds."""

TRIES_MAX = 8
"""Of one transaction; all pauses together stay below three seconds."""
PAUSE_FIRST_SECONDS = 0.02
PAUSE_SECONDS_MAX = 0.8

UNIQUE_VIOLATION = frozenset({"23505"})
"""Two transactions inserted the same key at once; tried again, the second finds the first's row."""
_TRY_AGAIN = frozenset({"40001", "40P01"})
"""Not serialisable, deadlock: the whole transaction may simply run once more."""
_LOST = ("08", "57P01", "57P02", "57P03")
"""The connection ended or could not be made. Whether a commit went through is then not known."""

_Result = TypeVar("_Result")

_SYNCHRONOUS_FULL = 2
_PASSING = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY")


class DatabaseError(MyKeyError):
    """The server's file cannot be used; the message says why and names no row."""


def check_engine_version(version: tuple[int, ...]) -> None:
    """Refuse an engine with the WAL-reset bug. Raises `DatabaseError`."""
    if version < ENGINE_MINIMUM and version not in ENGINE_BACKPORTS:
        raise DatabaseError(
            "the SQLite engine "
            + ".".join(map(str, version))
            + " has the WAL-reset bug; install sqlcipher3 0.6.2 or newer"
        )


def open_database(path: Path) -> Engine:
    """Open (or make) the file; each thread gets one connection of its own.

    WAL and `synchronous=FULL` are set and read back on every connection. Error texts carry no
    values (`hide_parameters`), so no MyKey ID reaches a log through them.

    Raises:
        DatabaseError: an engine with the WAL-reset bug.
    """
    check_engine_version(sqlcipher3.dbapi2.sqlite_version_info)
    engine = create_engine(
        "sqlite://",
        creator=lambda: _connect(path),
        module=sqlcipher3.dbapi2,
        poolclass=SingletonThreadPool,
        hide_parameters=True,
    )
    event.listen(engine, "begin", _begin)
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One read transaction: everything read inside it belongs to one moment."""
    with engine.connect() as connection, connection.begin():
        yield connection


def write(
    engine: Engine,
    work: Callable[[Connection], _Result],
    *,
    retry_also: frozenset[str] = frozenset(),
) -> _Result:
    """Run `work` in one write transaction and commit; where that fails by chance, run it again.

    By chance: not serialisable, deadlock, connection lost, and the SQLSTATEs in `retry_also`. At
    most `TRIES_MAX` times, with pauses that no two processes share. On SQLite nothing of this
    happens: a writer waits for the file and then has it alone.

    A connection can be lost after the commit went through. So `work` must be right when its effect
    is there already: every caller either finds what it stored (a mutation's number, a provider's
    keys, an enrolment code's counter) or sets a state that may be set twice.

    Raises:
        DBAPIError: the last try's, or one that would come again.
    """
    for tries in range(TRIES_MAX):
        try:
            with writing(engine) as connection:
                return work(connection)
        except DBAPIError as error:
            if tries == TRIES_MAX - 1 or not _is_chance(error, retry_also):
                raise
        _pause(tries)
    raise AssertionError  # The last try returned or raised.


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One try of a write transaction; on SQLite alone with the file from its first statement on.

    The server's own code calls `write`, which tries again.
    """
    with engine.connect() as connection:
        connection.execution_options(begin_immediate=True)
        with connection.begin():
            yield connection


def is_passing(error: DBAPIError) -> bool:
    """Whether the same may succeed later: a lock that did not come free, no room, no writing.

    Damage and bugs of ours are something else. Codes: https://sqlite.org/rescode.html.
    """
    name = getattr(error.orig, "sqlite_errorname", None) or ""
    return name.startswith(_PASSING)


def _is_chance(error: DBAPIError, retry_also: frozenset[str]) -> bool:
    """Whether the same transaction may go through when it is run once more, at once."""
    state = sqlstate(error)
    return (
        error.connection_invalidated
        or state in _TRY_AGAIN
        or state in retry_also
        or state.startswith(_LOST)
    )


def sqlstate(error: DBAPIError) -> str:
    """PostgreSQL's five characters; empty on SQLite, and where the line broke without a word."""
    return getattr(error.orig, "sqlstate", None) or ""


def _pause(tries: int) -> None:
    """Wait a random while, longer from try to try: those who met go apart."""
    longest = min(PAUSE_SECONDS_MAX, PAUSE_FIRST_SECONDS * 2**tries)
    time.sleep(longest * secrets.randbelow(1000) / 1000)


def _connect(path: Path) -> Any:  # noqa: ANN401 - sqlcipher3 has no types
    if not path.exists():
        # Made before the engine makes it, readable by its owner alone: it holds MyKey IDs and keys.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    try:
        connection = sqlcipher3.dbapi2.connect(
            str(path),
            timeout=BUSY_TIMEOUT_MS / 1000,
            isolation_level=None,
            # Each thread has its own connection; only the last step, closing them, is another's.
            check_same_thread=False,
        )
        connection.execute("PRAGMA cipher_log_level = NONE")
        _set(connection, "journal_mode", "WAL", expected="wal")
        _set(connection, "synchronous", "FULL", expected=_SYNCHRONOUS_FULL)
        _set(connection, "foreign_keys", "ON", expected=1)
    except sqlcipher3.dbapi2.Error as error:
        raise DatabaseError(f"cannot open {path}: {error}") from error
    return connection


def _set(connection: Any, pragma: str, value: str, *, expected: object) -> None:  # noqa: ANN401
    """Set a pragma and read it back: one that did not take is silent."""
    connection.execute(f"PRAGMA {pragma} = {value}")
    found = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
    if found != expected:
        raise DatabaseError(f"PRAGMA {pragma} stayed at {found}")


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("begin_immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
