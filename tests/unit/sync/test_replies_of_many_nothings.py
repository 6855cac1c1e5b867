"""Eight million rows of nothing in three hundred bytes: refused before any of them is looked at."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import msgspec
import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.sync.exchange import Reply
from mykey_tui.sync.replies import (
    PAGE_BYTES_MAX,
    PUSH_REPLY_BYTES_MAX,
    read,
    read_page,
    read_verdicts,
)
from mykey_tui.wire.messages import (
    MSGPACK,
    PAGE_ROWS_MAX,
    PUSH_ITEMS_MAX,
    RecoverReply,
)

PEAK_BYTES_MAX = 8 * 1024 * 1024
SECONDS_MAX = 1.0
NOTHING = b"\x80"

Read = Callable[[Reply], object]


def page(reply: Reply) -> object:
    return read_page(reply, after=0, limit=PAGE_ROWS_MAX)


def recovered(reply: Reply) -> object:
    return read(reply, RecoverReply)


def with_array(fields: dict[str, object], name: str, array: bytes) -> Reply:
    """A message in msgpack whose last field is this array."""
    packed = msgspec.msgpack.encode({**fields, name: None})
    return Reply(200, MSGPACK, packed[:-1] + array)


def log_reply(rows: bytes) -> Reply:
    return with_array({"next": 1, "more": True}, "rows", rows)


def push_reply(items: bytes) -> Reply:
    fields = {"epoch": "e", "seq": 1, "digest": bytes(16), "server_time": ""}
    return with_array(fields, "items", items)


def nothings(count: int) -> bytes:
    return b"\xdd" + count.to_bytes(4, "big") + NOTHING * count


@pytest.mark.parametrize(
    ("take", "reply"),
    [
        (page, log_reply(nothings(8 * 1024 * 1024))),
        (page, log_reply(nothings(PAGE_BYTES_MAX - 100))),
        (page, log_reply(nothings(PAGE_ROWS_MAX + 1))),
        (page, log_reply(b"\xdd\xff\xff\xff\xff")),
        (read_verdicts, push_reply(nothings(8 * 1024 * 1024))),
        (read_verdicts, push_reply(nothings(PUSH_REPLY_BYTES_MAX - 100))),
        (read_verdicts, push_reply(nothings(PUSH_ITEMS_MAX + 1))),
        (recovered, push_reply(nothings(1_000_000))),
    ],
    ids=[
        "page too large", "page of nothings", "one row too many", "rows that are not there",
        "push reply too large", "verdicts of nothing", "one verdict too many", "recovered",
    ],
)  # fmt: skip
def test_too_many_are_refused_at_once_and_cost_nothing(take: Read, reply: Reply) -> None:
    tracemalloc.start()
    begun = time.perf_counter()
    try:
        with pytest.raises(ServerError) as caught:
            take(reply)
        took, (_, peak) = time.perf_counter() - begun, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.code is Code.SERVER_BROKEN
    assert peak < PEAK_BYTES_MAX, f"{peak:,} bytes"
    assert took < SECONDS_MAX


@pytest.mark.parametrize(
    "row",
    [
        NOTHING,
        nothings(PAGE_BYTES_MAX - 100),
        b"\xdc\x00\x11\xc4\x10" + b"T" * 16 + NOTHING * 16,
    ],
    ids=["no row", "a row of nothings", "a row of 17 columns"],
)
def test_a_row_of_many_nothings_is_left_out_and_costs_nothing(row: bytes) -> None:
    sound = (b"S" * 16, None, "1234", 0, 1)
    reply = log_reply(b"\x92" + row + msgspec.msgpack.encode(sound))
    tracemalloc.start()
    try:
        got, refused = read_page(reply, after=0, limit=10)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (got.rows, refused) == ([sound], 1)
    assert peak < PEAK_BYTES_MAX, f"{peak:,} bytes"


def test_a_page_with_a_row_in_a_row_in_a_row_is_refused() -> None:
    with pytest.raises(ServerError) as caught:
        page(log_reply(b"\x91" * 100_000 + NOTHING))
    assert caught.value.code is Code.SERVER_BROKEN


def test_a_row_of_a_later_form_still_ends_what_is_known_of_its_token() -> None:
    later = msgspec.msgpack.encode([b"T" * 16, None, "1234", 0, 1, "new", {"more": [1, 2]}])
    got, refused = read_page(log_reply(b"\x91" + later), after=0, limit=10)
    assert got.rows == [(b"T" * 16, None, "", 9, 1)]
    assert refused == 1


def test_a_full_page_of_the_longest_rows_fits() -> None:
    longest = (b"T" * 16, b"B" * 8, "\u3042" * 32, 9, 2**52)
    rows = b"\xdd" + PAGE_ROWS_MAX.to_bytes(4, "big") + msgspec.msgpack.encode(longest) * 10_000
    reply = with_array({"next": 2**52, "more": True}, "rows", rows)
    got, refused = read_page(reply, after=0, limit=PAGE_ROWS_MAX)
    assert (len(got.rows), refused) == (PAGE_ROWS_MAX, 0)
    assert len(reply.body) < PAGE_BYTES_MAX
