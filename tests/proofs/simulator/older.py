"""Files as an older program wrote them, made of the files of today's: the same rows in an older form.

What the older form has no place for is gone, as if it had never been there. The file itself stays
the same one: a counter knows its own (`store.numbering.fingerprint`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import Connection

from mykey_server.database import writing as writing_at_server
from mykey_server.migrations import migrate
from mykey_tui.domain.digest import EMPTY_DIGEST
from mykey_tui.store import links, migrations
from mykey_tui.store.engine import open_engine, writing
from mykey_tui.store.home import Home
from mykey_tui.store.keys import load_key
from mykey_tui.store.links import Tally
from mykey_tui.wire.messages import Row
from tests.proofs.server_file import server_engine

STORE_OLDEST = 4
"""Forms before it could not say that a file may be a copy, and histories are full of copies."""
STORE_NUMBERS_ANEW = 5
"""Since this form a mutation's number may be another one than its place in the queue."""
STORE_LOADS_BESIDE = 7
"""Since this form a load of all rows lies beside those that serve."""
SERVER_STEP = "0004"
"""Before it a server could not suspend, renew or tell of a backup, and histories are full of these."""

Tables: TypeAlias = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Begun:
    """A load of all rows that did not come to its end: its first pages, and how far they reach."""

    epoch: str
    cursor: int
    rows: list[Row]


def oldest_form_of(home: Path) -> int:
    """The oldest form of a store that can say what this one says."""
    with _store(home) as connection:
        is_numbered_anew = connection.exec_driver_sql(
            "SELECT EXISTS (SELECT 1 FROM outbox WHERE number <> mid OR op = 'replace' "
            "OR origin_number IS NOT NULL) OR (SELECT last_number <> last_mid FROM progress)"
        ).scalar()
    return STORE_NUMBERS_ANEW if is_numbered_anew else STORE_OLDEST


def write_store_as(home: Path, form: int, begun: Begun | None, *, digest_key: bytes) -> None:
    """Give a closed counter's file the form that it had after so many steps (`store.migrations`).

    With `begun` the rows are those of a first load that was cut off, as that form had it: the log
    from 0 on, into the rows that serve.
    """
    with _store(home) as connection:
        tables = _take_out(connection)
        if form < STORE_NUMBERS_ANEW:
            for row in tables["progress"]:
                row["push_blocked"] = row["recover_due"]
        for step in migrations.STEPS[:form]:
            step(connection)
        connection.exec_driver_sql(f"PRAGMA user_version = {form}")
        _put_in(connection, tables)
        if begun is not None:
            _begin_load(connection, begun, digest_key)


def write_server_as(file: Path, step: str = SERVER_STEP) -> None:
    """Give a stopped server's file the form of an older step (`mykey_server.migrations`)."""
    engine = server_engine(file)
    try:
        with closing(engine.raw_connection()) as raw:  # this thread's one connection
            raw.cursor().execute("PRAGMA foreign_keys = OFF")
        with writing_at_server(engine) as connection:
            tables = _take_out(connection)
        del tables["alembic_version"]
        migrate(engine, step=step)
        with writing_at_server(engine) as connection:
            _put_in(connection, tables)
    finally:
        engine.dispose()


@contextmanager
def _store(home: Path) -> Iterator[Connection]:
    """One transaction on a closed counter's file."""
    counter = Home(home)
    engine = open_engine(counter.database, key=load_key(counter))
    try:
        with writing(engine) as connection:
            yield connection
    finally:
        engine.dispose()


def _take_out(connection: Connection) -> Tables:
    """All rows; the tables are gone then."""
    named = "SELECT name FROM sqlite_schema WHERE type = 'table'"
    tables: Tables = {}
    for name in connection.exec_driver_sql(named).scalars().all():
        rows = connection.exec_driver_sql(f"SELECT * FROM {name}")  # noqa: S608  # of the file
        tables[name] = [dict(row) for row in rows.mappings()]
        connection.exec_driver_sql(f"DROP TABLE {name}")
    return tables


def _put_in(connection: Connection, tables: Tables) -> None:
    """Of the rows, what the tables that are there have columns for."""
    for name, rows in tables.items():
        columns = {each.name for each in connection.exec_driver_sql(f"PRAGMA table_info({name})")}
        if columns:
            connection.exec_driver_sql(f"DELETE FROM {name}")  # noqa: S608  # of the file
        for row in rows if columns else ():
            kept = {column: value for column, value in row.items() if column in columns}
            places = ", ".join("?" * len(kept))
            statement = f"INSERT INTO {name} ({', '.join(kept)}) VALUES ({places})"  # noqa: S608
            connection.exec_driver_sql(statement, tuple(kept.values()))


def _begin_load(connection: Connection, begun: Begun, digest_key: bytes) -> None:
    connection.exec_driver_sql("DELETE FROM link")
    tally = Tally(int.from_bytes(EMPTY_DIGEST, "big"), 0)
    sound, _ = links.sort_out(begun.rows)
    links.put(connection, digest_key, tally, sound)
    connection.exec_driver_sql(
        "UPDATE progress SET epoch = ?, cursor = ?, digest = ?, rows = ?, position_seq = NULL, "
        "position_digest = NULL, synced_at = NULL",
        (begun.epoch, begun.cursor, tally.digest_bytes, tally.rows),
    )
