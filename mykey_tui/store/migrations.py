"""The schema's history: numbered steps, each applied once, in a transaction. Steps are never edited."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, Engine

from mykey_tui.domain.codes import Code
from mykey_tui.domain.digest import EMPTY_DIGEST
from mykey_tui.domain.errors import StoreError
from mykey_tui.store.engine import reading, writing
from mykey_tui.wire.messages import FIRST_PREV


def bring_up(engine: Engine) -> None:
    """Bring the file to this program's schema.

    Raises:
        StoreError: STORE_NEWER when a newer program has written it; nothing was changed.
    """
    # Most starts find nothing to do, and then must not wait for another process's write.
    with reading(engine) as connection:
        if _version(connection) == len(STEPS):
            return
    with writing(engine) as connection:
        version = _version(connection)
        if version > len(STEPS):
            raise StoreError(Code.STORE_NEWER, f"schema {version}")
        for number, step in enumerate(STEPS[version:], start=version + 1):
            step(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {number}")


def _version(connection: Connection) -> int:
    version: int = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    return version


LINK_NEXT = (
    "CREATE TABLE link_next (token BLOB NOT NULL PRIMARY KEY, binding BLOB, "
    "service_id VARCHAR NOT NULL, status INTEGER NOT NULL, seq INTEGER NOT NULL) WITHOUT ROWID"
)
"""Made anew by each swap (`store.loading`): what it was has become `link`."""


def _first(connection: Connection) -> None:
    for statement in (
        "CREATE TABLE link (token BLOB NOT NULL PRIMARY KEY, binding BLOB, "
        "service_id VARCHAR NOT NULL, status INTEGER NOT NULL, seq INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE TABLE local_link (token BLOB NOT NULL PRIMARY KEY, service_id VARCHAR, "
        "mid INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE TABLE outbox (mid INTEGER NOT NULL PRIMARY KEY, op VARCHAR NOT NULL, "
        "v INTEGER NOT NULL, token BLOB NOT NULL, service_id VARCHAR NOT NULL, "
        "prev BLOB NOT NULL, sealed BLOB NOT NULL, seen_seq INTEGER NOT NULL, "
        "state VARCHAR NOT NULL, code VARCHAR, tries INTEGER NOT NULL, queued_at INTEGER, "
        "acked_seq INTEGER)",
        # The journal may be long; what is open is not.
        "CREATE INDEX outbox_open ON outbox (mid) WHERE state <> 'done'",
        "CREATE INDEX local_link_by_service_id ON local_link (service_id)",
        "CREATE TABLE identity (id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), "
        "device_id VARCHAR NOT NULL, incarnation BLOB NOT NULL, provider_id VARCHAR NOT NULL, "
        "provider_name VARCHAR NOT NULL, scope VARCHAR NOT NULL, provider_key BLOB NOT NULL, "
        "digest_key BLOB NOT NULL, seal_key BLOB NOT NULL, device_key BLOB NOT NULL, "
        "server_url VARCHAR NOT NULL, profile VARCHAR NOT NULL, counter_name VARCHAR NOT NULL, "
        "service_id_format VARCHAR NOT NULL)",
        "CREATE TABLE progress (id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), epoch VARCHAR, "
        "cursor INTEGER NOT NULL, digest BLOB NOT NULL, rows INTEGER NOT NULL, "
        "position_seq INTEGER, position_digest BLOB, mark_seq INTEGER, mark_digest BLOB, "
        "durable_through INTEGER NOT NULL, last_mid INTEGER NOT NULL, last_hash BLOB NOT NULL, "
        "refused_rows INTEGER NOT NULL, synced_at INTEGER, clock_offset_ms INTEGER NOT NULL)",
    ):
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql(
        "INSERT INTO progress (id, cursor, digest, rows, durable_through, last_mid, last_hash, "
        "refused_rows, clock_offset_ms) VALUES (1, 0, ?, 0, 0, 0, ?, 0, 0)",
        (EMPTY_DIGEST, FIRST_PREV),
    )


def _second(connection: Connection) -> None:
    for column in ("parked_sent_at INTEGER", "parked_next INTEGER NOT NULL DEFAULT 1"):
        connection.exec_driver_sql(f"ALTER TABLE progress ADD COLUMN {column}")


def _third(connection: Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE progress ADD COLUMN time_floor INTEGER")


def _fourth(connection: Connection) -> None:
    connection.exec_driver_sql(
        "ALTER TABLE progress ADD COLUMN push_blocked INTEGER NOT NULL DEFAULT 0"
    )


def _fifth(connection: Connection) -> None:
    """The number on the wire apart from the counter's own; what a conflict saw; age and look-ups."""
    for column in (
        "incarnation BLOB NOT NULL DEFAULT x''",
        "number INTEGER NOT NULL DEFAULT 0",
        "origin_incarnation BLOB",
        "origin_number INTEGER",
        "origin_op VARCHAR",
        "replaces VARCHAR",
        "other_service_id VARCHAR",
    ):
        connection.exec_driver_sql(f"ALTER TABLE outbox ADD COLUMN {column}")
    connection.exec_driver_sql(
        "UPDATE outbox SET number = mid, incarnation = (SELECT incarnation FROM identity)"
    )
    connection.exec_driver_sql(
        "CREATE UNIQUE INDEX outbox_by_number ON outbox (incarnation, number)"
    )
    connection.exec_driver_sql("ALTER TABLE progress RENAME COLUMN push_blocked TO recover_due")
    for column in (
        "last_number INTEGER NOT NULL DEFAULT 0",
        "fingerprint BLOB",
        "age_noted FLOAT NOT NULL DEFAULT 0",
        "age_boot VARCHAR",
        "age_boot_seconds FLOAT NOT NULL DEFAULT 0",
        "lookups INTEGER NOT NULL DEFAULT 0",
        "green_seconds INTEGER",
        "refuse_seconds INTEGER",
        "lookups_max INTEGER",
    ):
        connection.exec_driver_sql(f"ALTER TABLE progress ADD COLUMN {column}")
    connection.exec_driver_sql("UPDATE progress SET last_number = last_mid")


def _sixth(connection: Connection) -> None:
    """What the server signs with, and the CA that the line is trusted by."""
    for column in ("server_key BLOB", "server_ca BLOB"):
        connection.exec_driver_sql(f"ALTER TABLE identity ADD COLUMN {column}")


def _seventh(connection: Connection) -> None:
    """A load of all rows beside those that serve, and the suspensions in a table of their own."""
    for statement in (
        LINK_NEXT,
        "CREATE TABLE loading (id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), "
        "epoch VARCHAR NOT NULL, by_log INTEGER NOT NULL, next_bucket INTEGER, cursor INTEGER, "
        "digest BLOB NOT NULL, rows INTEGER NOT NULL, refused INTEGER NOT NULL)",
        "CREATE TABLE suspension (token BLOB NOT NULL PRIMARY KEY) WITHOUT ROWID",
        "CREATE TABLE suspension_head (id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), "
        "epoch VARCHAR NOT NULL, seq INTEGER NOT NULL, digest BLOB NOT NULL, "
        "total INTEGER NOT NULL, issued_at INTEGER NOT NULL, not_after INTEGER NOT NULL)",
        "ALTER TABLE progress ADD COLUMN repaired_at INTEGER",
    ):
        connection.exec_driver_sql(statement)


def _eighth(connection: Connection) -> None:
    """No index over the service IDs: it doubled the pages that a change of the rows writes."""
    connection.exec_driver_sql("DROP INDEX IF EXISTS link_by_service_id")


STEPS: tuple[Callable[[Connection], None], ...] = (
    _first,
    _second,
    _third,
    _fourth,
    _fifth,
    _sixth,
    _seventh,
    _eighth,
)
