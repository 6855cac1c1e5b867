"""The counter's file holds these columns and no other: nothing joins a person with a time or place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from mykey_tui.store import migrations
from mykey_tui.store.engine import open_engine, writing
from mykey_tui.store.tables import StoreTable

# Each with why it may be there. `queued_at` is the one time beside a token: until the server answers.
ALLOWED = {
    "link": {"token", "binding", "service_id", "status", "seq"},
    "link_next": {"token", "binding", "service_id", "status", "seq"},
    "loading": {"id", "epoch", "by_log", "next_bucket", "cursor", "digest", "rows", "refused"},
    "suspension": {"token"},
    "suspension_head": {"id", "epoch", "seq", "digest", "total", "issued_at", "not_after"},
    "local_link": {"token", "service_id", "mid"},
    "outbox": {
        "mid", "op", "v", "token", "service_id", "prev", "sealed", "seen_seq", "state", "code",
        "tries", "queued_at", "acked_seq", "incarnation", "number", "origin_incarnation",
        "origin_number", "origin_op", "replaces", "other_service_id",
    },
    "identity": {
        "id", "device_id", "incarnation", "provider_id", "provider_name", "scope", "provider_key",
        "digest_key", "seal_key", "device_key", "server_url", "profile", "counter_name",
        "service_id_format", "server_key", "server_ca",
    },
    "progress": {
        "id", "epoch", "cursor", "digest", "rows", "position_seq", "position_digest", "mark_seq",
        "mark_digest", "durable_through", "last_mid", "last_hash", "refused_rows", "synced_at",
        "clock_offset_ms", "parked_sent_at", "parked_next", "time_floor",
        "recover_due", "last_number", "fingerprint", "age_noted", "age_boot", "age_boot_seconds",
        "lookups", "green_seconds", "refuse_seconds", "lookups_max",
        "repaired_at",
    },
}  # fmt: skip


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = open_engine(tmp_path / "counter.db", key=b"K" * 32, create=True)
    migrations.bring_up(engine)
    with writing(engine) as connection:
        yield connection
    engine.dispose()


def columns(connection: Connection) -> dict[str, dict[str, tuple[str, bool, bool]]]:
    """name → (type, required, key) of every table, from the file itself."""
    tables = connection.exec_driver_sql("SELECT name FROM sqlite_schema WHERE type = 'table'")
    return {
        table: {
            row.name: (row.type, bool(row.notnull), bool(row.pk))
            for row in connection.exec_driver_sql(f"PRAGMA table_info({table})")
        }
        for table in tables.scalars().all()
    }


def test_the_store_has_no_column_that_nobody_allowed(connection: Connection) -> None:
    assert {table: set(found) for table, found in columns(connection).items()} == ALLOWED


def test_the_migrations_make_what_the_tables_say(connection: Connection) -> None:
    declared = {
        table.name: {
            column.name: (str(column.type), not column.nullable, column.primary_key)
            for column in table.columns
        }
        for table in StoreTable.metadata.tables.values()
    }
    made = columns(connection)
    assert set(made) == set(declared)
    for table, wanted in declared.items():
        for name, (kind, required, key) in wanted.items():
            assert made[table][name] == (kind, required, key), f"{table}.{name}"


def test_the_schema_keeps_no_other_thing_than_tables_and_indexes(connection: Connection) -> None:
    kinds = connection.exec_driver_sql("SELECT DISTINCT type FROM sqlite_schema").scalars()
    assert set(kinds) == {"table", "index"}


def test_the_stores_tables_stand_on_a_registry_of_their_own() -> None:
    from sqlmodel import SQLModel

    assert StoreTable.metadata is not SQLModel.metadata
    assert not SQLModel.metadata.tables
