"""Replies read with suspicion: one bad row or verdict is left out, and never stops the others."""

from __future__ import annotations

from datetime import UTC, datetime
from math import isfinite
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.domain.link import LinkStatus
from mykey_tui.sync.exchange import Reply
from mykey_tui.wire.messages import (
    MSGPACK,
    PROBLEM_JSON,
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
)

_YEAR_FIRST, _YEAR_LAST = 2020, 2100
"""A server time outside these years is nonsense, and adding to it could overflow."""

_Message = TypeVar("_Message", bound=Struct)


class _LooseLog(Struct, frozen=True):
    next: Seq
    more: bool
    rows: list[Any]
    head: ScopeHead | None = None


class _LoosePush(Struct, frozen=True):
    epoch: Epoch
    seq: Seq
    digest: Digest
    server_time: str
    items: list[Any]
    expect_mid: int | None = None


def read(reply: Reply, form: type[_Message]) -> _Message:
    """A whole reply of one form. Raises `ServerError` SERVER_BROKEN."""
    if reply.content_type != MSGPACK:
        raise ServerError(Code.SERVER_BROKEN, "reply of another type")
    try:
        return msgspec.msgpack.decode(reply.body, type=form)
    except (msgspec.MsgspecError, ValueError, RecursionError):
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
        ServerError: SERVER_BROKEN when the page itself makes no sense.
    """
    refused = 0
    try:
        page = read(reply, LogReply)
    except ServerError:
        loose = read(reply, _LooseLog)
        rows = [row for row in (_row(raw, loose.next) for raw in loose.rows) if row is not None]
        refused = sum(1 for raw in loose.rows if _strict_row(raw) is None)
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
    """
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
    except (msgspec.MsgspecError, ValueError, RecursionError):
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


def _strict_row(raw: object) -> Row | None:
    try:
        row: Row = msgspec.convert(raw, Row)
    except (msgspec.ValidationError, RecursionError):
        return None
    return row


def _row(raw: object, seq: int) -> Row | None:
    strict = _strict_row(raw)
    if strict is not None:
        return strict
    if isinstance(raw, list) and raw and isinstance(raw[0], bytes) and len(raw[0]) == 16:
        return (raw[0], None, "", LinkStatus.REMOVED.value, seq)
    return None


def _clamped(row: Row, after: int, last: int) -> Row:
    if after < row[4] <= last:
        return row
    return (row[0], None, "", LinkStatus.REMOVED.value, last)


def _verdict(raw: object) -> ItemVerdict | None:
    try:
        return msgspec.convert(raw, ItemVerdict)
    except (msgspec.ValidationError, RecursionError):
        pass
    # The verdict may be sound and only the row beside it bad; the pull brings rows anyway.
    if not isinstance(raw, dict):
        return None
    try:
        return msgspec.convert({**raw, "row": None}, ItemVerdict)
    except (msgspec.ValidationError, RecursionError):
        return None
