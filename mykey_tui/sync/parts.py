"""A part of a snapshot read with suspicion: columns that must fit each other, rows in token order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import repeat
from operator import lt
from struct import iter_unpack

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.domain.link import LinkStatus
from mykey_tui.store import links
from mykey_tui.sync.exchange import Reply
from mykey_tui.sync.replies import read
from mykey_tui.wire.messages import BUCKETS, Row, SnapshotReply

_TOKEN = 16
_REMOVED = LinkStatus.REMOVED.value
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
    weight: int
    """What the rows add to the digest: summed here, by the thread that fetches ahead."""
    refused: int
    """Rows that cannot be shown, from a newer server; they are not among `rows`."""


def read_part(reply: Reply, *, first: int, buckets: int, digest_key: bytes) -> Part:
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
    _check_columns(part)
    tokens = [token for (token,) in iter_unpack("16s", part.tokens)]
    service_ids = part.service_ids.split("\n")
    if len(service_ids) != len(tokens) + 1:
        raise ServerError(Code.SERVER_BROKEN, "columns that do not fit each other")
    if tokens and not (tokens[0][0] >= first and tokens[-1][0] < end):
        raise ServerError(Code.SERVER_BROKEN, "rows of other buckets")
    if not all(map(lt, tokens, tokens[1:])):
        raise ServerError(Code.SERVER_BROKEN, "rows in no order")
    bindings: Iterable[bytes | None] = repeat(None)
    if part.bindings:
        bindings = map(part.bindings.get, range(len(tokens)))
    # Whole columns at once: a first load has a hundred thousand rows.
    rows: list[Row] = list(
        zip(tokens, bindings, service_ids, part.statuses, repeat(part.seq), strict=False)
    )
    sound, refused = links.sort_out(rows)
    if refused or _REMOVED in part.statuses:
        sound = [row for row in sound if row[3] != _REMOVED]
    return Part(first, part.next, part.seq, sound, links.weight_of(digest_key, sound), refused)


def _check_columns(part: SnapshotReply) -> None:
    count = len(part.statuses)
    if (
        count > ROWS_MAX
        or len(part.tokens) != count * _TOKEN
        or part.service_ids[-1:] not in ("", "\n")
        or any(not 0 <= number < count for number in part.bindings)
    ):
        raise ServerError(Code.SERVER_BROKEN, "columns that do not fit each other")
