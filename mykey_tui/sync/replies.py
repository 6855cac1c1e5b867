"""Replies read with suspicion: one bad row or verdict is left out, and never stops the others.

How many there are is bounded before any of them is looked at: a few hundred packed bytes can hold
eight million rows of nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import isfinite
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.domain.link import LinkStatus
from mykey_tui.sync.exchange import Reply
from mykey_tui.wire.messages import (
    MSGPACK,
    PAGE_ROWS_MAX,
    PROBLEM_JSON,
    PUSH_ITEMS_MAX,
    Digest,
    Epoch,
    HelloReply,
    ItemVerdict,
    LogReply,
    Problem,
    PushReply,
    Row,
    ScopeHead,
    Seq,
    Token,
    VerdictName,
)

_YEAR_FIRST, _YEAR_LAST = 2020, 2100
"""A server time outside these years is nonsense, and adding to it could overflow."""

PAGE_BYTES_MAX = 2 * 1024 * 1024
"""Of a page, unpacked: 10,000 rows are less than 1 MB."""
PUSH_REPLY_BYTES_MAX = 256 * 1024
"""Of a push reply, unpacked: 100 verdicts with their rows are less than 20 kB."""
_COLUMNS_MAX = 16
"""Of a row that is not understood: a later version's may have more than ours, and not many."""

_Message = TypeVar("_Message", bound=Struct)


class _LooseLog(Struct, frozen=True):
    next: Seq
    more: bool
    rows: Annotated[list[Raw], Meta(max_length=PAGE_ROWS_MAX)]
    head: ScopeHead | None = None


class _LoosePush(Struct, frozen=True):
    epoch: Epoch
    seq: Seq
    digest: Digest
    server_time: str
    items: Annotated[list[Raw], Meta(max_length=PUSH_ITEMS_MAX)]
    expect_mid: int | None = None


class _Rowless(Struct, frozen=True):
    """A verdict that may be sound although the row beside it is not; the pull brings rows anyway."""

    mid: int
    verdict: VerdictName
    kind: str | None = None
    retry_after_s: float | None = None


_ROW = msgspec.msgpack.Decoder(Row)
_COLUMNS = msgspec.msgpack.Decoder(
    Annotated[list[Raw], Meta(min_length=1, max_length=_COLUMNS_MAX)]
)
_TOKEN = msgspec.msgpack.Decoder(Token)
_VERDICT = msgspec.msgpack.Decoder(ItemVerdict)
_ROWLESS = msgspec.msgpack.Decoder(_Rowless)
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)


def read(reply: Reply, form: type[_Message]) -> _Message:
    """A whole reply of one form. Raises `ServerError` SERVER_BROKEN."""
    if reply.content_type != MSGPACK:
        raise ServerError(Code.SERVER_BROKEN, "reply of another type")
    try:
        return msgspec.msgpack.decode(reply.body, type=form)
    except _UNREADABLE:
        raise ServerError(Code.SERVER_BROKEN, "reply not understood") from None


def read_hello(reply: Reply) -> HelloReply:
    """The server's greeting. Raises `ServerError` SERVER_BROKEN, also for a poll that is no number.

    NaN passes every comparison of a clamp, and a wait of NaN seconds is no wait at all.
    """
    hello = read(reply, HelloReply)
    if not isfinite(hello.poll_after_s):
        raise ServerError(Code.SERVER_BROKEN, "a number that is none")
    return hello


def read_page(reply: Reply, *, after: int, limit: int) -> tuple[LogReply, int]:
    """A page of rows, and how many of its rows could not be read.

    What a bad row has at least is its token: that row is taken as a removal, because its old
    content is no longer what the server says. Rows outside the page's own range are bad too: a
    seq from the far future would shadow every later change of that token.

    Raises:
        ServerError: SERVER_BROKEN when the page itself makes no sense, or is too large.
    """
    _refuse_larger(reply, PAGE_BYTES_MAX)
    refused = 0
    try:
        page = read(reply, LogReply)
    except ServerError:
        loose = read(reply, _LooseLog)
        rows, refused = _readable(loose)
        page = LogReply(loose.next, loose.more, rows, loose.head)
    ends_well = page.next > after if page.more else page.head is not None
    if page.next < after or not ends_well or len(page.rows) > limit:
        raise ServerError(Code.SERVER_BROKEN, "page makes no sense")
    seqs = [row[4] for row in page.rows]
    if seqs and not (after < min(seqs) and max(seqs) <= page.next):
        refused += sum(1 for seq in seqs if not after < seq <= page.next)
        page = LogReply(
            page.next, page.more, [_clamped(row, after, page.next) for row in page.rows], page.head
        )
    return page, refused


def read_verdicts(reply: Reply) -> PushReply:
    """A push reply; verdicts that cannot be read are left out.

    Rows that cannot be read and waits that are no number are dropped, and their verdicts stay.

    Raises:
        ServerError: SERVER_BROKEN when the reply itself makes no sense, or is too large.
    """
    _refuse_larger(reply, PUSH_REPLY_BYTES_MAX)
    try:
        whole = read(reply, PushReply)
    except ServerError:
        loose = read(reply, _LoosePush)
        verdicts = [v for v in (_verdict(raw) for raw in loose.items) if v is not None]
        whole = PushReply(
            loose.epoch, loose.seq, loose.digest, loose.server_time, verdicts, loose.expect_mid
        )
    return msgspec.structs.replace(whole, items=[_sound(v, whole.seq) for v in whole.items])


def _sound(verdict: ItemVerdict, seq: int) -> ItemVerdict:
    if verdict.row is not None and verdict.row[4] > seq:
        verdict = msgspec.structs.replace(verdict, row=None)
    if verdict.retry_after_s is not None and not isfinite(verdict.retry_after_s):
        verdict = msgspec.structs.replace(verdict, retry_after_s=None)
    return verdict


def read_problem(reply: Reply) -> Problem | None:
    """The server's refusal in its own words; None when it is no problem document."""
    if reply.content_type not in (PROBLEM_JSON, MSGPACK):
        return None
    try:
        if reply.content_type == MSGPACK:
            return msgspec.msgpack.decode(reply.body, type=Problem)
        return msgspec.json.decode(reply.body, type=Problem)
    except _UNREADABLE:
        return None


def read_time(text: str | None) -> datetime | None:
    """A server's time, aware, UTC; None when it is none or nonsense."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    if moment.tzinfo is None or not _YEAR_FIRST <= moment.year <= _YEAR_LAST:
        return None
    return moment.astimezone(UTC)


def _refuse_larger(reply: Reply, bytes_max: int) -> None:
    if len(reply.body) > bytes_max:
        raise ServerError(Code.SERVER_BROKEN, "reply too large")


def _readable(page: _LooseLog) -> tuple[list[Row], int]:
    """What can be read of each row, and how many cannot be read as they are."""
    rows: list[Row] = []
    refused = 0
    for raw in page.rows:
        try:
            rows.append(_ROW.decode(raw))
        except _UNREADABLE:
            refused += 1
            removal = _removal(raw, page.next)
            if removal is not None:
                rows.append(removal)
    return rows, refused


def _removal(raw: Raw, seq: int) -> Row | None:
    try:
        token: bytes = _TOKEN.decode(_COLUMNS.decode(raw)[0])
    except _UNREADABLE:
        return None
    return (token, None, "", LinkStatus.REMOVED.value, seq)


def _clamped(row: Row, after: int, last: int) -> Row:
    if after < row[4] <= last:
        return row
    return (row[0], None, "", LinkStatus.REMOVED.value, last)


def _verdict(raw: Raw) -> ItemVerdict | None:
    try:
        return _VERDICT.decode(raw)
    except _UNREADABLE:
        pass
    try:
        bare = _ROWLESS.decode(raw)
    except _UNREADABLE:
        return None
    return ItemVerdict(bare.mid, bare.verdict, bare.kind, retry_after_s=bare.retry_after_s)
