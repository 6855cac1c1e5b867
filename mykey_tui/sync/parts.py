"""A part of a snapshot read with suspicion: columns that must fit each other, rows in token order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import lt
from struct import iter_unpack

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.domain.link import LinkStatus
from mykey_tui.store import columns, links
from mykey_tui.store.columns import Columns
from mykey_tui.sync.exchange import Reply
from mykey_tui.sync.replies import read
from mykey_tui.wire.messages import BUCKETS, SnapshotReply

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
    rows: Columns
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
    _check_columns(part)
    tokens = [token for (token,) in iter_unpack("16s", part.tokens)]
    *service_ids, rest = part.service_ids.split("\n")
    if rest or len(service_ids) != len(tokens):
        raise ServerError(Code.SERVER_BROKEN, "columns that do not fit each other")
    if tokens and not (tokens[0][0] >= first and tokens[-1][0] < end):
        raise ServerError(Code.SERVER_BROKEN, "rows of other buckets")
    if not all(map(lt, tokens, tokens[1:])):
        raise ServerError(Code.SERVER_BROKEN, "rows in no order")
    rows, refused = _sort_out(part, tokens, service_ids)
    return Part(first, part.next, part.seq, rows, refused)


def _sort_out(
    part: SnapshotReply, tokens: Sequence[bytes], service_ids: Sequence[str]
) -> tuple[Columns, int]:
    """The rows that can be stored, and how many cannot; mostly all can, and no row is looked at."""
    if links.are_plain(part.service_ids, part.statuses):
        seqs = columns.slot_of(part.seq) * len(tokens)
        return Columns(part.tokens, part.bindings, service_ids, part.statuses, seqs), 0
    sound, refused = links.sort_out(
        (token, part.bindings.get(number), service_ids[number], part.statuses[number], part.seq)
        for number, token in enumerate(tokens)
    )
    return columns.of_rows([row for row in sound if row[3] != _REMOVED]), refused


def _check_columns(part: SnapshotReply) -> None:
    count = len(part.statuses)
    if (
        count > ROWS_MAX
        or len(part.tokens) != count * _TOKEN
        or any(not 0 <= number < count for number in part.bindings)
    ):
        raise ServerError(Code.SERVER_BROKEN, "columns that do not fit each other")
