"""The server's file: embedded SQLite on the engine that comes with the product.

The interpreter's own SQLite is not used: before 3.51.3 it can lose a committed write when a WAL
file is reset (sqlite.org/wal.html#walresetbug), and that engine is whatever the host has.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import sqlcipher3.dbapi2
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import SingletonThreadPool

from mykey_server.database import DatabaseError

ENGINE_MINIMUM = (3, 51, 3)
ENGINE_BACKPORTS = frozenset({(3, 44, 6), (3, 50, 7)})
"""Older lines that received the fix of the WAL-reset bug."""

BUSY_TIMEOUT_MS = 5000
"""A command line tool beside the server holds the write lock for milliseconds."""

_SYNCHRONOUS_FULL = 2


def check_engine_version(version: tuple[int, ...]) -> None:
    """Refuse an engine with the WAL-reset bug. Raises `DatabaseError`."""
    if version < ENGINE_MINIMUM and version not in ENGINE_BACKPORTS:
        raise DatabaseError(
            "the SQLite engine "
            + ".".join(map(str, version))
            + " has the WAL-reset bug; install sqlcipher3 0.6.2 or newer"
        )


def open_file(path: Path) -> Engine:
    """Open (or make) the file; each thread gets one connection of its own.

    WAL and `synchronous=FULL` are set and read back on every connection.

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
