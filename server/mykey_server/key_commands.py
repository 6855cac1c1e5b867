"""`mykey-server keys`: the server's own keys, drawn, changed and dropped. No private byte is printed."""

from __future__ import annotations

import argparse
from typing import Any

from sqlalchemy import Engine

from mykey_server.database import UNIQUE_VIOLATION, is_embedded, reading, write
from mykey_server.services import keys
from mykey_server.services.site import open_site


def list_keys(engine: Engine, parsed: argparse.Namespace) -> Any:  # noqa: ANN401 - any JSON
    """`keys list`: which there are, and how many counters believe each."""
    del parsed
    open_site(engine)
    with reading(engine) as connection:
        return keys.describe(connection)


def draw(engine: Engine, parsed: argparse.Namespace) -> Any:  # noqa: ANN401 - any JSON
    """`keys draw`: the next pair, which nobody is told of yet."""
    del parsed
    open_site(engine)
    pair = keys.draw_pair()
    number = write(
        engine,
        lambda connection: keys.keep_drawn(connection, pair),
        retry_also=UNIQUE_VIOLATION,
    )
    return {"drawn": number}


def rotate(engine: Engine, parsed: argparse.Namespace) -> Any:  # noqa: ANN401 - any JSON
    """`keys rotate`: change to the drawn pair, once a confirmed backup has it."""
    with reading(engine) as connection:
        number = keys.drawn_number(connection)
    write(engine, lambda connection: keys.rotate(connection, number, anyway=parsed.anyway))
    _empty_log(engine)
    return {"present": number}


def drop(engine: Engine, parsed: argparse.Namespace) -> Any:  # noqa: ANN401 - any JSON
    """`keys drop`: destroy a former key of seals."""
    number = parsed.number
    with reading(engine) as connection:
        keys.require_former(connection, number)
    write(engine, lambda connection: keys.drop(connection, number, anyway=parsed.anyway))
    _empty_log(engine)
    return {"dropped": number}


def _empty_log(engine: Engine) -> None:
    """Of SQLite: move the log into the file, and let no former page stay in it.

    Where somebody is just reading it stays until the log is written anew.
    """
    if is_embedded(engine):
        with engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")  # A checkpoint runs outside of a transaction.
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.exec_driver_sql("BEGIN")
