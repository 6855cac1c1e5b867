"""What a counter may know: the head of its scope and the rows after a seq. Tokens, never IDs.

The hot path: columns, no objects, straight into the encoder.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine, bindparam, select
from sqlmodel import col

from mykey_server.database import reading
from mykey_server.problem import reset
from mykey_server.services.holdings import read_head
from mykey_server.services.site import Site
from mykey_server.tables.management import LinkTable
from mykey_tui.wire.messages import HeadReply, LogReply, ScopeHead

_ROWS = (
    select(
        col(LinkTable.token),
        col(LinkTable.binding),
        col(LinkTable.service_id),
        col(LinkTable.status),
        col(LinkTable.seq),
    )
    .where(col(LinkTable.scope) == bindparam("scope"), col(LinkTable.seq) > bindparam("after"))
    .order_by(col(LinkTable.seq))
    .limit(bindparam("limit"))
)


def head_of(engine: Engine, site: Site, *, scope: str, now: datetime) -> HeadReply:
    """The newest place of a scope: one row read."""
    with reading(engine) as connection:
        head = read_head(connection, scope)
    return HeadReply(
        epoch=site.epoch,
        seq=head.seq,
        horizon=head.horizon,
        digest=head.digest,
        server_time=now.isoformat(),
    )


def page_after(engine: Engine, site: Site, *, scope: str, after: int, limit: int) -> LogReply:
    """At most `limit` rows with a seq above `after`, and the head when that was the last page.

    Rows and head are of one moment. Raises `RESET` for a counter that is ahead of this history.
    """
    with reading(engine) as connection:
        head = read_head(connection, scope)
        if after > head.seq:
            raise reset(epoch=site.epoch, action="snapshot")
        found = connection.execute(_ROWS, {"scope": scope, "after": after, "limit": limit})
        rows = [(token, tag, sid, status, seq) for token, tag, sid, status, seq in found]
    if len(rows) == limit and rows[-1][4] < head.seq:
        return LogReply(next=rows[-1][4], more=True, rows=rows)
    return LogReply(
        next=head.seq, more=False, rows=rows, head=ScopeHead(seq=head.seq, digest=head.digest)
    )
