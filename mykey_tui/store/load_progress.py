"""How far a load of all rows is: for the load itself, and for the status line."""

from __future__ import annotations

from sqlalchemy import Connection, select

from mykey_tui.store.freshness import LoadProgress
from mykey_tui.store.tables import StoredLoading, table_of
from mykey_tui.wire.messages import BUCKETS

_ROW = select(table_of(StoredLoading))


def load_row(connection: Connection) -> StoredLoading | None:
    """The row of the load that is under way; None when there is none."""
    row = connection.execute(_ROW).first()
    return None if row is None else StoredLoading.model_construct(**row._asdict())


def load_progress(connection: Connection) -> LoadProgress | None:
    """For the status line; None when nothing is being loaded."""
    load = load_row(connection)
    if load is None:
        return None
    if load.next_bucket is None:
        # Of a load by the log alone nobody knows how much is to come.
        fraction = 0.0 if load.by_log else 1.0
    else:
        fraction = load.next_bucket / BUCKETS
    return LoadProgress(rows=load.rows, fraction=fraction)
