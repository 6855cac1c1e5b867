"""Which history the epoch names: another one gets another epoch, before anybody is told of it.

A PostgreSQL database tells its histories apart by the cluster's system identifier and its timeline:
a promoted standby and a restore to a point in time begin a new timeline, a dump that was loaded
elsewhere stands in another cluster. A restored image of the disk changes neither, and so does a
restored SQLite file: there the operator says it (`mykey-server epoch renew`).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import psycopg
from sqlalchemy import Connection, Engine, event, update
from sqlmodel import col

from mykey_server.database import is_embedded
from mykey_server.services.site import EPOCH_BYTES
from mykey_server.tables.site import SiteTable

# The timeline of the log that is written now: pg_control_checkpoint() still says the old one for a
# while after a promotion.
_HISTORY = """
SELECT (SELECT system_identifier::text FROM pg_control_system()),
       left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)
"""
# One statement compares and sets: of many that ask at once, one draws the epoch.
_RENEW = """
UPDATE site SET epoch = %(epoch)s, cluster = %(cluster)s, branch = %(branch)s
WHERE cluster IS DISTINCT FROM %(cluster)s OR branch IS DISTINCT FROM %(branch)s
"""
_NOT_TOLD = (
    psycopg.errors.UndefinedFunction,
    psycopg.errors.FeatureNotSupported,
    psycopg.errors.InsufficientPrivilege,
)


@dataclass(frozen=True, slots=True)
class History:
    """What PostgreSQL calls the line of changes that a connection writes to."""

    cluster: str
    branch: int


def watch_history(engine: Engine) -> None:
    """From now on compare the history on every new connection, before its first use.

    A connection never outlives its history: promotion and restore end all connections. Does
    nothing on SQLite, nor on an engine that speaks PostgreSQL and tells no history (`check` says
    so).
    """
    if not is_embedded(engine):
        engine.dispose()  # What was connected before was not compared.
        event.listen(engine, "connect", _compare)


def renew_epoch(connection: Connection) -> str:
    """Draw a new epoch whatever the history says, and return it."""
    epoch = draw_epoch()
    connection.execute(update(SiteTable).where(col(SiteTable.number) == 1).values(epoch=epoch))
    return epoch


def draw_epoch() -> str:
    """A name that no history had before."""
    return secrets.token_hex(EPOCH_BYTES)


def read_history(connection: psycopg.Connection) -> History | None:
    """The history that this connection writes to; None where it is not told."""
    try:
        row = connection.execute(_HISTORY).fetchone()
    except _NOT_TOLD:
        row = None
    connection.rollback()
    return None if row is None else History(row[0], int(row[1], 16))


def _compare(connection: psycopg.Connection, record: object) -> None:
    del record
    history = read_history(connection)
    if history is None:
        return
    connection.execute(
        _RENEW,
        {
            "epoch": draw_epoch(),
            "cluster": history.cluster,
            "branch": history.branch,
        },
    )
    connection.commit()
