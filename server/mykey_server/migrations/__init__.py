"""The schema's steps (Alembic). A published step is never edited."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, Select, String, column, inspect, select, table

from mykey_server.database import UNIQUE_VIOLATION, DatabaseError, is_embedded, reading, write

HEAD = "0007"
"""The newest step; a test compares it with the folder."""

_HERE = Path(__file__).parent
_TABLE_EXISTS = "42P07"
"""Two hosts made the first table at once: the second waits for the first, and is told this."""
_VERSION = table("alembic_version", column("version_num", String))
_REACHED: Select[str] = select(_VERSION.c.version_num)


def migrate(engine: Engine, *, step: str = HEAD) -> bool:
    """Bring the schema to `step` in one transaction; return whether it was not there before.

    Two processes or hosts that start at once do it once: the second waits at the row that says the
    step, or at the making of its table, and finds it done.

    Raises:
        DatabaseError: the database was made by a newer server.
    """
    if current_step(engine) == step:
        return False
    # Imported here: a server that starts on a ready file does without Alembic.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("path_separator", "os")

    def upgrade(connection: Connection) -> None:
        if not is_embedded(engine):
            connection.exec_driver_sql("SET LOCAL statement_timeout = '1h'")
            connection.exec_driver_sql("SET LOCAL lock_timeout = '10min'")
        if inspect(connection).has_table("alembic_version"):
            connection.execute(_REACHED.with_for_update())
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, step)
        except CommandError as error:
            raise DatabaseError("this database was made by a newer mykey-server") from error

    write(engine, upgrade, retry_also=UNIQUE_VIOLATION | {_TABLE_EXISTS})
    return True


def prepare(engine: Engine) -> None:
    """What every command but `migrate` does first: a file is migrated, PostgreSQL only compared.

    Servers of several versions may stand on one PostgreSQL database: when its schema changes is
    the operator's to say.

    Raises:
        DatabaseError: a schema that is not this program's.
    """
    if is_embedded(engine):
        migrate(engine)
        return
    reached = current_step(engine) or "none"
    if reached > HEAD and reached != "none":
        raise DatabaseError("this database was made by a newer mykey-server")
    if reached != HEAD:
        raise DatabaseError(
            f"the schema is at step {reached} and this program needs {HEAD}: stop every"
            " mykey-server on this database, then run: mykey-server migrate"
        )


def current_step(engine: Engine) -> str | None:
    """The step that the schema has reached, None for an empty database."""
    with reading(engine) as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(_REACHED).scalar()
