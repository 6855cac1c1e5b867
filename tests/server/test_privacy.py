"""No column, no log line and no reply joins a person with a time or a place."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import inspect

from mykey_server.app import create_app
from mykey_server.core import Core
from mykey_server.database import DatabaseError, open_database, reading, writing
from mykey_server.migrations import migrate
from mykey_server.services import intake
from mykey_server.settings import Settings
from mykey_server.tables.allowed import ALLOWED_COLUMNS
from mykey_tui.wire.messages import Problem
from tests.server.conftest import Counter, Server, certificate, stored

SEED = "1C2410DF79DGEL07202002B"

COLUMNS = """
alembic_version: version_num
backup: name scope seq
enrolment_code: device_id expires_at prefix scope secret_tag site wrong_tries
former_seal: fingerprint number seal_key
held: device_id incarnation mid sid_tag token_tag
link: binding my_key_id scope seq service_id status terminal_code token
mutation: device_id incarnation item_hash kind mid verdict
my_key_id: certificate_tag kind my_key_id origin status successor_code successor_id terminal_code
next_key: backup number safe seal_key sign_key
provider: digest_key green_s lookup_key lookups_max name profile provider_id refuse_s scope service_id_format
scope: buckets digest durable_through horizon scope seq
scope_history: digest scope seq
site: branch cluster epoch key_state number seal_key sign_key tag_key
succession: number seal_key server_key signature
suspension: scope seq status token
suspension_history: digest scope seq
suspension_scope: buckets digest horizon scope seq total
terminal: believes device_id name public_key scope site status
"""
"""Whoever makes this test pass after adding a column has read rule 2: there is no history."""


def test_the_file_has_these_columns_and_no_others(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "server.db")
    migrate(engine)
    with reading(engine) as connection:
        inspector = inspect(connection)
        found = {
            table: {column["name"] for column in inspector.get_columns(table)}
            for table in inspector.get_table_names()
        }
    engine.dispose()
    lines = (line.partition(": ") for line in COLUMNS.strip().splitlines())
    assert found == {table: set(columns.split()) for table, _, columns in lines}
    assert found == {table: set(columns) for table, columns in ALLOWED_COLUMNS.items()}


def test_no_column_is_a_time_but_the_end_of_an_enrolment_code() -> None:
    named = re.compile(r"(_at|_on|time|date|last|when|count|used|seen)")
    times = {
        f"{table}.{column}"
        for table, columns in ALLOWED_COLUMNS.items()
        for column in columns
        if named.search(column)
    }
    assert times == {"enrolment_code.expires_at"}


def test_a_server_does_not_start_on_a_file_with_another_column(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "server.db")
    migrate(engine)
    with writing(engine) as connection:
        connection.exec_driver_sql("ALTER TABLE link ADD COLUMN last_used_at TEXT")
    engine.dispose()
    with pytest.raises(DatabaseError, match=r"link\.last_used_at"):
        create_app(Settings(database=tmp_path / "server.db"))


async def test_the_certificate_itself_is_not_kept(server: Server, counter: Counter) -> None:
    await counter.push(counter.link(SEED, "A1"))
    content = stored(server)
    assert b"1C2410DF79DGEL" in content  # The canary can be seen at all.
    der = certificate(SEED)
    assert not any(der[start : start + 24] in content for start in range(0, len(der) - 24, 8))


async def test_a_bug_is_answered_and_logged_without_a_persons_id(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise RuntimeError(f"{SEED} {arguments} {options}")

    monkeypatch.setattr(intake, "write_holdings", broken)
    with caplog.at_level(logging.DEBUG):
        answer = await counter.try_push(counter.batch([counter.link(SEED, "SECRET1")]))
    assert answer.status_code == 500
    assert msgspec.json.decode(answer.content, type=Problem).type == "server-error"
    assert "RuntimeError" in caplog.text  # The place of the bug is there.
    for canary in ("1C2410DF79DGEL", "07202002B", "SECRET1"):
        assert canary not in caplog.text
        assert canary.encode() not in answer.content


async def test_a_broken_constraint_is_logged_without_its_values(
    counter: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    with writing(counter.server.core.engine) as connection:
        connection.exec_driver_sql("DROP TABLE link")
        connection.exec_driver_sql("DROP TABLE my_key_id")
    with caplog.at_level(logging.DEBUG):
        answer = await counter.try_push(counter.batch([counter.link(SEED, "SECRET1")]))
    assert answer.status_code == 500
    assert re.search("OperationalError|ProgrammingError 42P01", caplog.text)
    assert "1C2410DF79DGEL" not in caplog.text
    assert "SECRET1" not in caplog.text


async def test_ordinary_work_logs_nothing(
    counter: Counter, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO, logger="mykey_server"):
        await counter.push(counter.link(SEED, "A1"))
        await counter.page()
    assert [record for record in caplog.records if record.name.startswith("mykey_server")] == []
    assert capfd.readouterr() == ("", "")


async def test_error_texts_of_the_database_carry_no_values(counter: Counter) -> None:
    core: Core = counter.server.core
    assert core.engine.hide_parameters


async def test_no_request_is_traced_by_the_framework(server: Server) -> None:
    assert not server.app._native_telemetry.enabled()
