"""What a fresh counter downloads: 100,000 rows over a slow line."""

from __future__ import annotations

import random

import msgspec
import zstandard
from starlette.requests import Request

from mykey_server.reply import reply
from mykey_tui.wire.messages import MSGPACK, LogReply, Row

ROWS = 100_000
PAGE = 10_000


def test_a_hundred_thousand_rows_with_ten_digits_each_weigh_about_2_7_megabytes() -> None:
    generator = random.Random(1)  # noqa: S311 - rows that shrink as badly as real ones
    headers = [(b"accept", MSGPACK.encode()), (b"accept-encoding", b"zstd, gzip")]
    request = Request({"type": "http", "method": "GET", "headers": headers})
    size = 0
    for start in range(0, ROWS, PAGE):
        rows: list[Row] = [
            (generator.randbytes(16), None, f"{generator.randrange(10**10):010d}", 0, seq)
            for seq in range(start + 1, start + PAGE + 1)
        ]
        page = LogReply(next=start + PAGE, more=True, rows=rows)
        answer = reply(request, page)
        assert answer.headers["content-encoding"] == "zstd"
        body = bytes(answer.body)
        assert zstandard.frame_content_size(body) == len(msgspec.msgpack.encode(page))
        assert msgspec.msgpack.decode(zstandard.decompress(body), type=LogReply) == page
        size += len(body)
    assert size <= 2_750_000
