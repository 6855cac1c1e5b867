"""Transactions: one way to read, one to write, on embedded SQLite and on PostgreSQL.

What differs between the two engines stands in `embedded.py` and `postgresql.py`; why these
transactions are enough on both, in docs/adr/0020-postgresql.md.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from mykey_server.settings import PostgresUrl
from mykey_tui.domain.errors import MyKeyError

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

_PASSING = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY")
_PASSING_STATES = ("08", "25006", "25P03", "40", "53", "55P03", "57014", "57P", "58030")
"""Line lost; a standby, which takes no writes; an idle transaction ended; not serialisable; no room
or no connection left; a lock or a statement that took too long; shut down; a disk in trouble."""


class DatabaseError(MyKeyError):
    """The database cannot be used; the message says why and names no row."""


def open_database(where: Path | PostgresUrl) -> Engine:
    """Open (or make) the file, or make ready a pool for PostgreSQL, which is not called here yet.

    Error texts carry no values (`hide_parameters`), so no MyKey ID reaches a log through them.

    Raises:
        DatabaseError: an SQLite engine with the WAL-reset bug; a URL that is none.
    """
    # Imported here: a server needs one of the two drivers, not both.
    if isinstance(where, PostgresUrl):
        from mykey_server.postgresql import open_postgresql  # noqa: PLC0415

        return open_postgresql(where)
    from mykey_server.embedded import open_file  # noqa: PLC0415

    return open_file(where)


def is_embedded(engine: Engine) -> bool:
    """Whether the tables are in a file of this process's own."""
    return engine.dialect.name == "sqlite"


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One read transaction: everything read inside it belongs to one moment."""
    with engine.connect() as connection:
        if not is_embedded(engine):
            connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        with connection.begin():
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


def is_passing(error: Exception) -> bool:
    """Whether the same may succeed later: a lock that did not come free, no room, no line.

    Damage and bugs of ours are something else. Codes: https://sqlite.org/rescode.html and
    https://www.postgresql.org/docs/current/errcodes-appendix.html.
    """
    if isinstance(error, PoolTimeoutError):  # No connection of the pool came free.
        return True
    if not isinstance(error, DBAPIError):
        return False
    name = getattr(error.orig, "sqlite_errorname", None) or ""
    return (
        name.startswith(_PASSING) or sqlstate(error).startswith(_PASSING_STATES) or is_lost(error)
    )


def is_lost(error: DBAPIError) -> bool:
    """Whether the connection ended, or none could be made. Never on SQLite."""
    if error.connection_invalidated or sqlstate(error).startswith(_LOST):
        return True
    # libpq gives no code to what happens before the first word of the server.
    return (
        isinstance(error, OperationalError)
        and hasattr(error.orig, "sqlstate")
        and not sqlstate(error)
    )


def _is_chance(error: DBAPIError, retry_also: frozenset[str]) -> bool:
    """Whether the same transaction may go through when it is run once more, at once."""
    state = sqlstate(error)
    return state in _TRY_AGAIN or state in retry_also or is_lost(error)


def sqlstate(error: DBAPIError) -> str:
    """PostgreSQL's five characters; empty on SQLite, and where the line broke without a word."""
    return getattr(error.orig, "sqlstate", None) or ""


def _pause(tries: int) -> None:
    """Wait a random while, longer from try to try: those who met go apart."""
    longest = min(PAUSE_SECONDS_MAX, PAUSE_FIRST_SECONDS * 2**tries)
    time.sleep(longest * secrets.randbelow(1000) / 1000)
