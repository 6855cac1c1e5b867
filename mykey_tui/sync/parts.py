"""A part of a snapshot read with suspicion: columns that must fit each other, rows in token order."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.store import links
from mykey_tui.sync.exchange import Reply
from mykey_tui.sync.replies import read
from mykey_tui.wire.messages import BUCKETS, Row, SnapshotReply

_TOKEN = 16
ROWS_MAX = 400_000
"""The server ends a part with the bucket that fills it; of 8 MB that we take, this is the most."""


@dataclass(frozen=True, slots=True)
class Part:
    """Whole buckets of a scope, as they stood at `seq`; each row counts as changed at that seq."""

    first: int
    next: int | None
    seq: int
    rows: list[Row]
    """In token order, each token once."""
    refused: int
    """Rows that cannot be shown, from a newer server; they are not among `rows`."""


def read_part(reply: Reply, *, first: int, buckets: int) -> Part:
    """Read a part that was asked for from bucket `first` on.

    Raises:
        ServerError: SERVER_BROKEN when its columns do not fit each other, or it is not of those
            buckets. A row outside them would shadow or double another part's.
    """
    part = read(reply, SnapshotReply)
    end = BUCKETS if part.next is None else part.next
    if part.first != first or not first < end <= BUCKETS:
        raise ServerError(Code.SERVER_BROKEN, "another part than was asked for")
    if end - first > buckets:
        raise ServerError(Code.SERVER_BROKEN, "more buckets than were asked for")
    rows = _rows(part)
    tokens = [row[0] for row in rows]
    if tokens and not (tokens[0][0] >= first and tokens[-1][0] < end):
        raise ServerError(Code.SERVER_BROKEN, "rows of other buckets")
    if any(one >= two for one, two in pairwise(tokens)):
        raise ServerError(Code.SERVER_BROKEN, "rows in no order")
    sound, refused = links.sort_out(rows)
    live = [row for row in sound if row[3] != links.REMOVED]
    return Part(first, part.next, part.seq, live, refused)


def _rows(part: SnapshotReply) -> list[Row]:
    """The columns as rows."""
    count = len(part.statuses)
    service_ids = part.service_ids.split("\n")
    if (
        count > ROWS_MAX
        or len(part.tokens) != count * _TOKEN
        or len(service_ids) != count + 1
        or service_ids[-1]
        or any(not 0 <= number < count for number in part.bindings)
    ):
        raise ServerError(Code.SERVER_BROKEN, "columns that do not fit each other")
    tokens = part.tokens
    starts = range(0, count * _TOKEN, _TOKEN)
    seq, binding_of = part.seq, part.bindings.get
    return [
        (tokens[start : start + _TOKEN], binding_of(number), service_id, status, seq)
        for number, (start, service_id, status) in enumerate(
            zip(starts, service_ids, part.statuses, strict=False)
        )
    ]
