"""What a counter may know: where its scopes stand, and their rows. Tokens, never IDs.

The hot path: the driver's own tuples, straight into the encoder; the library's row objects would cost
as much as the query. Whatever one reply says is of one
moment: it is read in one transaction, the epoch with it.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select

from mykey_server.problem import reset
from mykey_server.services.feeds import SUSPENSIONS, Feed, Head
from mykey_server.services.positions import check_position
from mykey_server.services.site import Site, find_provider, read_epoch
from mykey_server.services.statements import sign_state
from mykey_tui.domain.link import LinkStatus
from mykey_tui.wire.messages import (
    BUCKETS,
    DigestReply,
    HeadReply,
    LogReply,
    Position,
    Row,
    ScopeHead,
    SnapshotReply,
)


def head_of(
    connection: Connection,
    site: Site,
    feed: Feed,
    scope: str,
    *,
    now: datetime,
    pos: Position | None = None,
    mark: Position | None = None,
) -> HeadReply:
    """The newest place of a scope; of suspensions with the server's signature.

    Raises `RESET` where `pos` or `mark` is not in this history.
    """
    epoch = read_epoch(connection)
    head = feed.head(connection, scope)
    for position in (pos, mark):
        check_position(connection, feed, scope, head=head, epoch=epoch, position=position)
    state, signature = None, None
    if feed is SUSPENSIONS:
        provider = find_provider(connection, scope)
        state, signature = sign_state(connection, site, provider, head=head, epoch=epoch, now=now)
    return HeadReply(
        epoch=epoch,
        seq=head.seq,
        horizon=head.horizon,
        digest=head.digest,
        server_time=now.isoformat(),
        state=state,
        signature=signature,
    )


def page_after(
    connection: Connection, feed: Feed, scope: str, *, epoch: str, after: int, limit: int
) -> LogReply:
    """At most `limit` rows with a seq above `after`, and the head when that was the last page.

    Raises `RESET` for another epoch, for a counter that is ahead of this history, and for one
    that stands before the horizon: rows were removed since whose tombstones are forgotten. From 0
    on everything comes, to a counter that has nothing yet.
    """
    present = _refuse_other_epoch(connection, epoch)
    head = feed.head(connection, scope)
    if after > head.seq:
        raise reset(epoch=present, action="snapshot", reason="diverged")
    if 0 < after < head.horizon:
        raise reset(epoch=present, action="snapshot", reason="horizon")
    asked = {"scope": scope, "after": after, "limit": limit}
    rows: list[Row] = list(connection.execute(_rows_after(feed), asked).cursor.fetchall())
    *_, newest = rows[-1] if rows else (head.seq,)
    if len(rows) == limit and newest < head.seq:
        return LogReply(next=newest, more=True, rows=rows)
    return LogReply(
        next=head.seq, more=False, rows=rows, head=ScopeHead(seq=head.seq, digest=head.digest)
    )


def head_in(connection: Connection, feed: Feed, scope: str, *, epoch: str) -> Head:
    """Where a scope stands in this epoch. Raises `RESET` for another one."""
    _refuse_other_epoch(connection, epoch)
    return feed.head(connection, scope)


def part_from(
    connection: Connection,
    feed: Feed,
    scope: str,
    *,
    head: Head,
    first: int,
    rows: int,
    buckets: int,
) -> SnapshotReply:
    """The live rows of whole buckets from `first` on, in token order.

    `head` is of the same transaction. The part ends with the bucket that reaches `rows`, or after
    `buckets`: at most `rows` rows and one bucket are held in memory.
    """
    end = min(first + buckets, BUCKETS)
    filled = connection.execute(
        _nth_token(feed), _range(scope, first, end) | {"skipped": rows - 1}
    ).scalar()
    if filled is not None:
        end = filled[0] + 1
    found = connection.execute(_part(feed), _range(scope, first, end)).cursor.fetchall()
    tokens, bindings, service_ids, statuses = zip(*found, strict=True) if found else ((),) * 4
    return SnapshotReply(
        first=first,
        next=None if end == BUCKETS else end,
        seq=head.seq,
        digest=head.digest,
        tokens=b"".join(tokens),
        service_ids="\n".join([*service_ids, ""]),
        statuses=bytes(statuses),
        bindings={number: tag for number, tag in enumerate(bindings) if tag is not None},
    )


def digest_of(connection: Connection, feed: Feed, scope: str) -> DigestReply:
    """The scope's digest in parts, as it is kept beside the rows."""
    head = feed.head(connection, scope)
    return DigestReply(
        epoch=read_epoch(connection),
        seq=head.seq,
        digest=head.digest,
        buckets=feed.buckets(connection, scope),
    )


def _refuse_other_epoch(connection: Connection, epoch: str) -> str:
    present = read_epoch(connection)
    if epoch != present:
        raise reset(epoch=present, action="verify", reason="epoch")
    return present


def _range(scope: str, first: int, end: int) -> dict[str, Any]:
    """Tokens of the buckets `first` to `end` - 1; nothing has 17 bytes, so no token is above."""
    upper = bytes([end]) if end < BUCKETS else b"\xff" * 17
    return {"scope": scope, "lower": bytes([first]), "upper": upper}


# Built once: building a statement costs more than running it.
@cache
def _rows_after(feed: Feed) -> Select[Any]:
    rows = feed.rows.c
    return (
        select(*feed.row_columns)
        .where(rows.scope == bindparam("scope"), rows.seq > bindparam("after"))
        .order_by(rows.seq)
        .limit(bindparam("limit"))
    )


@cache
def _part(feed: Feed) -> Select[Any]:
    return _live(feed, *feed.row_columns[:-1]).order_by(feed.rows.c.token)


@cache
def _nth_token(feed: Feed) -> Select[Any]:
    """The token behind `skipped` others: the one that fills a part."""
    token = feed.rows.c.token
    return _live(feed, token).order_by(token).limit(1).offset(bindparam("skipped"))


def _live(feed: Feed, *columns: Any) -> Select[Any]:  # noqa: ANN401 - columns of either feed
    rows = feed.rows.c
    return select(*columns).where(
        rows.scope == bindparam("scope"),
        rows.token >= bindparam("lower"),
        rows.token < bindparam("upper"),
        rows.status != LinkStatus.REMOVED.value,
    )
