"""The server's file: the engine, its settings, its schema, and who may read it."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError

import mykey_server.migrations
from mykey_server.database import (
    DatabaseError,
    check_engine_version,
    open_database,
    reading,
    writing,
)
from mykey_server.migrations import HEAD, current_step, migrate
from mykey_server.tables import management, site, terminal
from mykey_server.tables.base import METADATA


@pytest.mark.parametrize("version", [(3, 40, 1), (3, 44, 5), (3, 50, 6), (3, 51, 2)])
def test_an_engine_with_the_wal_reset_bug_is_refused(version: tuple[int, ...]) -> None:
    with pytest.raises(DatabaseError, match="WAL-reset"):
        check_engine_version(version)


@pytest.mark.parametrize("version", [(3, 44, 6), (3, 50, 7), (3, 51, 3), (3, 53, 4), (4, 0, 0)])
def test_a_mended_engine_is_taken(version: tuple[int, ...]) -> None:
    check_engine_version(version)


def test_every_connection_writes_ahead_and_waits_for_the_disk(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "server.db")
    with reading(engine) as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "server.db")
    migrate(engine)
    engine.dispose()
    assert (tmp_path / "server.db").stat().st_mode & 0o777 == 0o600


def test_a_broken_constraint_arrives_as_sqlalchemys_own_error(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "server.db")
    migrate(engine)
    statement = "INSERT INTO site VALUES (1, 'e', x'00', x'00', x'00')"
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.exec_driver_sql(statement)
        connection.exec_driver_sql(statement)
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM site").scalar() == 0
    engine.dispose()


def test_the_steps_make_exactly_the_tables_that_the_code_knows(tmp_path: Path) -> None:
    assert {management, site, terminal}  # Imported so that the metadata is full.
    engine = open_database(tmp_path / "server.db")
    assert migrate(engine)
    with reading(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


def test_the_newest_step_is_the_one_that_the_code_expects(tmp_path: Path) -> None:
    folder = Path(mykey_server.migrations.__file__).with_name("versions")
    assert max(re.match(r"\d+", file.name)[0] for file in folder.glob("*.py")) == HEAD  # type: ignore[index]
    engine = open_database(tmp_path / "server.db")
    assert current_step(engine) is None
    assert migrate(engine)
    assert current_step(engine) == HEAD
    assert not migrate(engine)
    engine.dispose()


def test_two_servers_that_start_at_once_make_the_tables_once(tmp_path: Path) -> None:
    engines = [open_database(tmp_path / "server.db") for _ in range(2)]
    done: list[bool] = []
    threads = [
        threading.Thread(target=lambda engine=engine: done.append(migrate(engine)))
        for engine in engines
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 2
    with reading(engines[0]) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM alembic_version").scalar() == 1
    for engine in engines:
        engine.dispose()


def test_a_file_of_a_newer_server_is_left_alone(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "server.db")
    migrate(engine)
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseError, match="newer"):
        migrate(engine)
    engine.dispose()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "server.db").write_bytes(b"not a database at all" * 100)
    engine = open_database(tmp_path / "server.db")
    with pytest.raises(DatabaseError):
        migrate(engine)
