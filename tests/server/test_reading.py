"""What a counter reads: its own provider's rows, whole, in order; and nothing of another's."""

from __future__ import annotations

import gzip
from datetime import timedelta

import msgspec
import pytest
import zstandard

from mykey_tui.wire.messages import (
    BODY_BYTES_MAX,
    JSON,
    PAGE_ROWS_MAX,
    PUSH_ITEMS_MAX,
    HelloReply,
    LogReply,
    Problem,
)
from tests.server.conftest import Counter, Server


def sample_cn(number: int) -> str:
    return f"M{number:013d}07202002B"


async def linked(counter: Counter, count: int) -> None:
    await counter.push(*(counter.link(sample_cn(n), f"A{n}") for n in range(count)))


async def test_hello_says_the_limits_and_the_newest_mutation(counter: Counter) -> None:
    await linked(counter, 3)
    hello = await counter.ask(f"/v1/hello?incarnation={counter.incarnation.hex()}", HelloReply)
    assert hello.proto == [1]
    assert hello.last_mid == 3
    assert hello.durable_through == 0
    assert (hello.limits.page_rows, hello.limits.push_items, hello.limits.body_bytes) == (
        PAGE_ROWS_MAX,
        PUSH_ITEMS_MAX,
        BODY_BYTES_MAX,
    )
    assert (await counter.ask("/v1/hello", HelloReply)).last_mid == 0


async def test_pages_bring_each_row_once_and_end_at_the_head(counter: Counter) -> None:
    await linked(counter, 25)
    seen, after, pages = [], 0, 0
    while True:
        page = await counter.page(after, limit=10)
        seen += page.rows
        pages += 1
        after = page.next
        if not page.more:
            break
        assert page.head is None
    assert [row[4] for row in seen] == list(range(1, 26))
    assert pages == 3
    head = await counter.head()
    assert page.head is not None
    assert (page.head.seq, page.head.digest) == (head.seq, head.digest)


async def test_a_page_that_ends_exactly_at_the_head_is_the_last(counter: Counter) -> None:
    await linked(counter, 10)
    page = await counter.page(0, limit=10)
    assert (len(page.rows), page.more) == (10, False)


async def test_a_changed_row_comes_once_with_its_newest_seq(counter: Counter) -> None:
    await linked(counter, 3)
    await counter.push(counter.unlink(sample_cn(1)))
    page = await counter.page()
    assert [row[4] for row in page.rows] == [1, 3, 4]
    assert page.next == 4


async def test_a_counter_that_is_up_to_date_gets_an_empty_page(counter: Counter) -> None:
    await linked(counter, 2)
    page = await counter.page(after=2)
    assert (page.rows, page.more, page.next) == ([], False, 2)


async def test_the_log_of_another_epoch_is_reset_and_never_cached(counter: Counter) -> None:
    answer = await counter.send("GET", f"/v1/log/{'0' * 16}/{counter.scope}/0")
    problem = msgspec.json.decode(answer.content, type=Problem)
    assert (answer.status_code, problem.type, problem.action) == (409, "reset", "verify")
    assert problem.epoch == counter.server.epoch
    assert answer.headers["cache-control"] == "no-store"


async def test_a_counter_ahead_of_the_server_is_reset(counter: Counter) -> None:
    epoch = counter.server.epoch
    answer = await counter.send("GET", f"/v1/log/{epoch}/{counter.scope}/7")
    problem = msgspec.json.decode(answer.content, type=Problem)
    assert (problem.type, problem.action) == ("reset", "snapshot")


async def test_every_reply_forbids_caching(counter: Counter) -> None:
    for path in (f"/v1/heads?scope={counter.scope}", "/v1/hello", "/v1/heads?scope=none"):
        assert (await counter.send("GET", path)).headers["cache-control"] == "no-store"


async def test_json_and_msgpack_say_the_same(counter: Counter) -> None:
    await linked(counter, 2)
    packed = await counter.page()
    counter.media_type = JSON
    assert await counter.page() == packed
    assert (await counter.verdict(counter.link(sample_cn(9), "A9"))).verdict == "applied"


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("zstd, gzip", "zstd"),
        ("gzip, zstd;q=0.5", "zstd"),
        ("gzip", "gzip"),
        ("zstd;q=0, gzip", "gzip"),
        ("br", None),
        ("", None),
    ],
)
async def test_a_page_is_compressed_as_the_counter_can_read_it(
    counter: Counter, accepted: str, encoding: str | None
) -> None:
    await linked(counter, 40)
    path = f"/v1/log/{counter.server.epoch}/{counter.scope}/0"
    request_headers = {"Accept-Encoding": accepted}
    request = await counter.send("GET", path, headers=request_headers)
    assert request.headers.get("content-encoding") == encoding
    body = request.content  # httpx has undone gzip and zstd.
    if encoding == "zstd" and body[:4] == b"\x28\xb5\x2f\xfd":
        body = zstandard.ZstdDecompressor().decompress(body)
    if encoding == "gzip" and body[:2] == b"\x1f\x8b":
        body = gzip.decompress(body)
    assert len(msgspec.msgpack.decode(body, type=LogReply).rows) == 40


async def test_a_wrong_clock_is_answered_with_the_servers_time(counter: Counter) -> None:
    now = counter.server.clock.now()
    answer = await counter.send("GET", "/v1/hello", created=now - timedelta(days=3650))
    problem = msgspec.json.decode(answer.content, type=Problem)
    assert (answer.status_code, problem.type) == (401, "signature-created-out-of-range")
    assert problem.server_time == now.isoformat()


async def test_a_counter_reads_nothing_of_another_provider(server: Server) -> None:
    mine = await server.enrol(server.add_provider("A-1"))
    theirs = await server.enrol(server.add_provider("B-1"))
    await theirs.push(*(theirs.link(sample_cn(n), f"SECRET{n}") for n in range(5)))
    await mine.push(mine.link(sample_cn(0), "MINE0"))
    epoch = server.epoch
    paths = [
        "/v1/hello",
        "/v1/heads?scope=A-1",
        "/v1/heads?scope=B-1",
        f"/v1/log/{epoch}/A-1/0",
        f"/v1/log/{epoch}/B-1/0",
    ]
    bodies = b"".join([(await mine.send("GET", path)).content for path in paths])
    bodies += (await mine.try_push(mine.batch([mine.link(sample_cn(1), "SECRET1")]))).content
    theirs_token = theirs.token(sample_cn(1))
    assert b"SECRET2" not in bodies
    assert theirs_token not in bodies
    assert [row["service_id"] for row in server.links("A-1")] == ["MINE0", "SECRET1"]


@pytest.mark.parametrize(
    "path",
    ["/v1/heads?scope={scope}", "/v1/log/{epoch}/{scope}/0", "/v1/log/{epoch}/{scope}/0?limit=1"],
)
async def test_another_providers_scope_is_answered_like_one_that_does_not_exist(
    server: Server, path: str
) -> None:
    mine = await server.enrol(server.add_provider("A-1"))
    theirs = await server.enrol(server.add_provider("B-1"))
    await theirs.push(theirs.link(sample_cn(0), "SECRET"))
    epoch = server.epoch
    other = await mine.send("GET", path.format(epoch=epoch, scope="B-1"))
    missing = await mine.send("GET", path.format(epoch=epoch, scope="Z-9"))
    assert other.status_code == missing.status_code == 404
    assert other.content == missing.content
    assert other.headers == missing.headers


async def test_a_push_into_another_providers_scope_is_answered_like_a_missing_one(
    server: Server,
) -> None:
    mine = await server.enrol(server.add_provider("A-1"))
    server.add_provider("B-1")
    batch = mine.batch([mine.link(sample_cn(0), "X1")])
    other = await mine.try_push(msgspec.structs.replace(batch, scope="B-1"))
    missing = await mine.try_push(msgspec.structs.replace(batch, scope="Z-9"))
    assert other.status_code == missing.status_code == 404
    assert other.content == missing.content
    assert server.links() == []


async def test_two_providers_tokens_of_one_person_do_not_match(server: Server) -> None:
    first = await server.enrol(server.add_provider("A-1"))
    second = await server.enrol(server.add_provider("B-1"))
    await linked(first, 5)
    await linked(second, 5)
    tokens = {row[0] for row in (await first.page()).rows}
    assert not tokens & {row[0] for row in (await second.page()).rows}
