"""The server's tables on PostgreSQL, through psycopg: a bounded pool, and an end to every wait.

Whichever host of the URL takes writes is used, so that a promoted standby is found again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import Engine, create_engine

from mykey_server.database import DatabaseError
from mykey_server.settings import PostgresUrl

POOL_SIZE = 6
"""Of one process: its writers' (`core.WRITERS`), one for the reads, which run one after the other,
and one to spare."""
POOL_WAIT_SECONDS = 5.0
CONNECTION_SECONDS_MAX = 1800
"""A connection is replaced after this time: it may stand on a host that is to be left."""

_DEFAULTS = {
    "application_name": "mykey-server",
    "connect_timeout": "5",
    # A host that is gone says nothing: found out within half a minute.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
_LIMITS = "-c statement_timeout=15s -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s"
_DURABLE = "-c synchronous_commit=on"
"""Last, so that nothing overrides it: what was acknowledged is on the disk, and on the synchronous
standby's where one is named."""
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


def open_postgresql(url: PostgresUrl) -> Engine:
    """An engine with an empty pool; the first use connects.

    Raises:
        DatabaseError: the URL is none that libpq understands.
    """
    conninfo = _conninfo(url)
    return create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(conninfo),
        isolation_level="READ COMMITTED",
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_recycle=CONNECTION_SECONDS_MAX,
        pool_use_lifo=True,
        hide_parameters=True,
    )


def _conninfo(url: PostgresUrl) -> str:
    try:
        given = conninfo_to_dict(url.text)
    except psycopg.Error as error:
        # libpq would quote the text, and a password with it.
        raise DatabaseError("--db: not a PostgreSQL URL that libpq understands") from error
    settings = _DEFAULTS | {name: str(value) for name, value in given.items()}
    if "PGSSLMODE" not in os.environ:
        settings.setdefault("sslmode", "verify-full")  # Has no meaning on a Unix socket.
    settings |= {
        "client_encoding": "UTF8",
        "options": f"{_LIMITS} {settings.get('options', '')} {_DURABLE}",
        "target_session_attrs": "read-write",
    }
    return make_conninfo("", **settings)


def read_history(connection: psycopg.Connection) -> History | None:
    """The history that this connection writes to; None where it is not told."""
    try:
        row = connection.execute(_HISTORY).fetchone()
    except _NOT_TOLD:
        row = None
    connection.rollback()
    return None if row is None else History(row[0], int(row[1], 16))


def adopt_history(connection: psycopg.Connection, epoch: str) -> None:
    """Let this be the epoch if the one that is there was drawn in another history."""
    history = read_history(connection)
    if history is None:
        return
    connection.execute(
        _RENEW,
        {
            "epoch": epoch,
            "cluster": history.cluster,
            "branch": history.branch,
        },
    )
    connection.commit()
