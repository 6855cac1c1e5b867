"""The schema's steps (Alembic). A published step is never edited."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, inspect, text

from mykey_server.database import DatabaseError, reading, writing

HEAD = "0002"
"""The newest step; a test compares it with the folder."""

_HERE = Path(__file__).parent


def migrate(engine: Engine) -> bool:
    """Bring the file to `HEAD` in one transaction; return whether anything was done.

    Two processes that start at once do it once: the second waits and finds it done.

    Raises:
        DatabaseError: the file was made by a newer server.
    """
    if current_step(engine) == HEAD:
        return False
    # Imported here: a server that starts on a ready file does without Alembic.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("path_separator", "os")
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise DatabaseError("this file was made by a newer mykey-server") from error
    return True


def current_step(engine: Engine) -> str | None:
    """The step that the file has reached, None for an empty file."""
    with reading(engine) as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
