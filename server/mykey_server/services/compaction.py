"""Forgets places and tombstones below a horizon, so that a scope does not grow for ever.

What a counter may still need stays: every live or renewed row, every place from the horizon on, and
all verdicts. A counter that stands before the horizon is reset and loads anew; what it was told of
and has not yet seen in a backup it sends again.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, and_, delete, func, select, update

from mykey_server.database import write
from mykey_server.services.admin import AdminRefusedError
from mykey_server.services.feeds import Feed
from mykey_tui.domain.link import LinkStatus

ROWS_PER_TRANSACTION = 5000


@dataclass(frozen=True, slots=True)
class Compacted:
    """Where the horizon is now, and what went."""

    horizon: int
    tombstones: int
    places: int


def compact(engine: Engine, feed: Feed, scope: str, *, below: int) -> Compacted:
    """Move the horizon to the newest place that is not above `below`, and forget what is under it.

    The horizon moves first, in a transaction of its own: from then on nobody is served from below.
    The rest goes in bounded transactions; where it breaks off, the next run goes on.

    Raises:
        AdminRefusedError: the scope has not come as far as `below`.
    """
    horizon = write(engine, lambda connection: _move_horizon(connection, feed, scope, below))
    rows, places = feed.rows.c, feed.places.c
    is_old = and_(rows.scope == scope, rows.status == LinkStatus.REMOVED.value, rows.seq <= horizon)
    old_rows = select(rows.token).where(is_old)
    old_places = select(places.seq).where(places.scope == scope, places.seq < horizon)

    def forget_rows(connection: Connection) -> int:
        tokens = connection.execute(old_rows.limit(ROWS_PER_TRANSACTION)).scalars().all()
        # Still old: between the two another process may have linked the token again.
        connection.execute(delete(feed.rows).where(is_old, rows.token.in_(tokens)))
        return len(tokens)

    def forget_places(connection: Connection) -> int:
        seqs = connection.execute(old_places.limit(ROWS_PER_TRANSACTION)).scalars().all()
        connection.execute(delete(feed.places).where(places.scope == scope, places.seq.in_(seqs)))
        return len(seqs)

    gone = {forget_rows: 0, forget_places: 0}
    for forget in gone:
        while (count := write(engine, forget)) > 0:
            gone[forget] += count
    return Compacted(horizon, tombstones=gone[forget_rows], places=gone[forget_places])


def _move_horizon(connection: Connection, feed: Feed, scope: str, below: int) -> int:
    head = feed.lock(connection, scope)
    if below > head.seq:
        raise AdminRefusedError("ahead", f"the scope has only come to {head.seq}")
    places = feed.places.c
    found: int | None = connection.execute(
        select(func.max(places.seq)).where(places.scope == scope, places.seq <= below)
    ).scalar()
    horizon = max(head.horizon, found or 0)
    connection.execute(
        update(feed.heads).where(feed.heads.c.scope == scope).values(horizon=horizon)
    )
    return horizon
