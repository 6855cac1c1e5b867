"""Which history the epoch names: another one gets another epoch, before anybody is told of it.

A PostgreSQL database tells its histories apart by the cluster's system identifier and its timeline:
a promoted standby and a restore to a point in time begin a new timeline, a dump that was loaded
elsewhere stands in another cluster. A restored image of the disk changes neither, and so does a
restored SQLite file: there the operator says it (`mykey-server epoch renew`).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, event, update
from sqlmodel import col

from mykey_server.database import is_embedded
from mykey_server.services.site import EPOCH_BYTES
from mykey_server.tables.site import SiteTable

if TYPE_CHECKING:
    import psycopg


def watch_history(engine: Engine) -> None:
    """From now on compare the history on every new connection, before its first use.

    A connection never outlives its history: promotion and restore end all connections. Does
    nothing on SQLite, nor on an engine that speaks PostgreSQL and tells no history (`check` says
    so).
    """
    if is_embedded(engine):
        return
    # Imported here: a server on a file does without the driver.
    from mykey_server.postgresql import adopt_history  # noqa: PLC0415

    def compare(connection: psycopg.Connection, record: object) -> None:
        del record
        adopt_history(connection, draw_epoch())

    engine.dispose()  # What was connected before was not compared.
    event.listen(engine, "connect", compare)


def renew_epoch(connection: Connection) -> str:
    """Draw a new epoch whatever the history says, and return it."""
    epoch = draw_epoch()
    connection.execute(update(SiteTable).where(col(SiteTable.number) == 1).values(epoch=epoch))
    return epoch


def draw_epoch() -> str:
    """A name that no history had before."""
    return secrets.token_hex(EPOCH_BYTES)
