"""The schema and its steps, on both engines."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

import mykey_server.migrations
from mykey_server.core import open_core
from mykey_server.database import DatabaseError, open_database, reading, writing
from mykey_server.migrations import HEAD, current_step, migrate
from mykey_server.settings import PostgresUrl, Settings
from mykey_server.tables.base import METADATA
from mykey_tui.domain.clock import SystemClock

PROGRAM = str(Path(sys.executable).with_name("mykey-server"))
STARTERS = 4


@pytest.fixture
def engine(bare_database: Path | PostgresUrl) -> Iterator[Engine]:
    engine = open_database(bare_database)
    yield engine
    engine.dispose()


def test_a_broken_constraint_arrives_as_sqlalchemys_own_error(engine: Engine) -> None:
    migrate(engine)
    statement = "INSERT INTO provider (scope) VALUES ('A-1')"
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.exec_driver_sql(statement)
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM provider").scalar() == 0


def test_the_steps_make_exactly_the_tables_that_the_code_knows(engine: Engine) -> None:
    assert migrate(engine)
    with reading(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_the_newest_step_is_the_one_that_the_code_expects(engine: Engine) -> None:
    folder = Path(mykey_server.migrations.__file__).with_name("versions")
    assert max(re.match(r"\d+", file.name)[0] for file in folder.glob("*.py")) == HEAD  # type: ignore[index]
    assert current_step(engine) is None
    assert migrate(engine)
    assert current_step(engine) == HEAD
    assert not migrate(engine)


def test_servers_that_start_at_once_make_the_tables_once(
    engine: Engine, bare_database: Path | PostgresUrl
) -> None:
    where = bare_database.text if isinstance(bare_database, PostgresUrl) else str(bare_database)
    starters = [
        subprocess.Popen([PROGRAM, "migrate", "--db", where], stdout=subprocess.PIPE)
        for _ in range(STARTERS)
    ]
    said = [json.loads(starter.communicate(timeout=60)[0]) for starter in starters]
    assert [starter.returncode for starter in starters] == [0] * STARTERS, said
    assert {answer["step"] for answer in said} == {HEAD}
    assert any(answer["migrated"] for answer in said)
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM alembic_version").scalar() == 1


def test_a_database_of_a_newer_server_is_left_alone(
    engine: Engine, bare_database: Path | PostgresUrl
) -> None:
    migrate(engine)
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseError, match="newer"):
        migrate(engine)
    with pytest.raises(DatabaseError, match="newer"):
        open_core(Settings(database=bare_database), SystemClock())
