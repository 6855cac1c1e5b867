"""The server's file: the engine, its settings, and who may read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mykey_server.database import DatabaseError, open_database, reading
from mykey_server.embedded import check_engine_version
from mykey_server.migrations import migrate


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


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "server.db").write_bytes(b"not a database at all" * 100)
    engine = open_database(tmp_path / "server.db")
    with pytest.raises(DatabaseError):
        migrate(engine)
