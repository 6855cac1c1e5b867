"""One round against the real server application: everything once, whatever is lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import httpx
import msgspec
import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import LineError, ServerError, StoreError
from mykey_tui.domain.ids import ServiceId
from mykey_tui.domain.link import LinkStatus
from mykey_tui.store.tables import MutationState
from mykey_tui.wire.messages import MSGPACK, PushRequest

Send = Callable[[], httpx.Response]


def packed(message: object, status: int = 200) -> httpx.Response:
    body = httpx.ByteStream(msgspec.msgpack.encode(message))
    return httpx.Response(status, headers={"content-type": MSGPACK}, stream=body)


def opened(response: httpx.Response) -> Any:
    return msgspec.msgpack.decode(response.read())


def test_what_was_queued_offline_is_at_the_server_once(site: Any, counter: Any) -> None:
    for number in range(1, 8):
        counter.queue(number)
    report = counter.sync()
    assert (report.pushed, report.applied, report.pulled, report.rows) == (7, 7, 7, 7)
    assert report.digest == "match"
    assert counter.store.counts().waiting == 0
    assert [row["service_id"] for row in site.links()] == [f"{n:010}" for n in range(1, 8)]
    assert counter.finds(3) == "0000000003"
    again = counter.sync()
    assert (again.pushed, again.pulled, again.digest) == (0, 0, "match")


def test_nothing_to_do_asks_for_the_heads_alone(site: Any, counter: Any) -> None:
    counter.sync()
    site.line.requests.clear()
    counter.sync()
    assert site.line.requests == ["GET /v1/hello", "GET /v1/heads", "GET /v1/heads"]
    site.line.older = True
    site.line.requests.clear()
    counter.sync()
    assert site.line.requests == ["GET /v1/hello", "GET /v1/heads"]


def test_two_counters_of_one_provider_see_each_other(site: Any, counter: Any) -> None:
    other = site.enrol(counter.store.identity.scope)
    counter.queue(1)
    counter.sync()
    other.sync()
    assert other.finds(1) == "0000000001"
    other.queue(1, op="unlink")
    other.sync()
    counter.sync()
    assert counter.finds(1) is None
    assert site.links() == []


def test_another_providers_rows_never_arrive(site: Any, counter: Any) -> None:
    other = site.enrol(site.add_provider("B-β2-0002"))
    counter.queue(1)
    counter.sync()
    assert other.sync().rows == 0
    assert other.finds(1) is None
    assert counter.token(1) != other.token(1)


def test_a_suspension_comes_with_the_next_round(site: Any, counter: Any) -> None:
    counter.queue(1)
    counter.sync()
    site.set_suspended(1, suspended=True)
    assert counter.sync().digest == "match"
    link = counter.store.lookup(counter.token(1))
    assert link is not None
    assert link.status is LinkStatus.SUSPENDED
    site.set_suspended(1, suspended=False)
    counter.sync()
    link = counter.store.lookup(counter.token(1))
    assert link is not None
    assert link.status is LinkStatus.ACTIVE


def test_a_conflict_is_shown_and_stops_nothing(site: Any, counter: Any) -> None:
    other = site.enrol(counter.store.identity.scope)
    other.queue(1, "7777")
    other.sync()
    counter.queue(1, "8888")
    counter.queue(2, "7777")
    counter.queue(3)
    report = counter.sync()
    assert (report.applied, report.conflicts, report.digest) == (1, 2, "match")
    assert [(item.mid, item.code) for item in counter.store.queue()] == [
        (1, Code.LINK_DUPLICATE),
        (2, Code.SERVICE_ID_TAKEN),
    ]
    assert counter.finds(1) == "7777"


def test_an_item_that_can_never_succeed_stops_nothing(site: Any, counter: Any) -> None:
    counter.queue(1)
    wrong = counter.token(9)
    counter.store.queue_mutation("link", wrong, ServiceId("9"), lambda _: b"no seal at all")
    counter.queue(3)
    report = counter.sync()
    assert (report.applied, report.invalid) == (2, 1)
    (item,) = counter.store.queue()
    assert (item.state, item.code) == (MutationState.INVALID, Code.MUTATION_INVALID)


def test_a_lost_reply_is_asked_for_again_and_nothing_happens_twice(site: Any, counter: Any) -> None:
    random = Random(20261122)  # noqa: S311  # which replies to lose

    def lose(request: httpx.Request, send: Send) -> httpx.Response:
        if random.random() < 0.15:
            raise httpx.ConnectError("down")
        answer = send()
        if random.random() < 0.3:
            raise httpx.ReadError("the line broke")
        return answer

    for number in range(1, 61):
        counter.queue(number)
    site.line.spoil = lose
    for _ in range(200):
        try:
            counter.sync()
        except LineError:
            continue
        if counter.store.counts().waiting == 0:
            break
    assert counter.store.counts().waiting == 0
    site.line.spoil = None
    assert counter.sync().digest == "match"
    assert len(site.links()) == 60
    assert counter.store.progress().rows == 60
    assert counter.store.queue() == []


def test_a_large_queue_goes_in_batches_that_the_server_takes(site: Any, counter: Any) -> None:
    for number in range(1, 251):
        counter.queue(number)
    sizes: list[int] = []

    def look(request: httpx.Request, send: Send) -> httpx.Response:
        if request.method == "POST":
            push = msgspec.msgpack.decode(request.content, type=PushRequest)
            sizes.append(len(push.items))
            assert len(request.content) <= 256 * 1024
        return send()

    site.line.spoil = look
    assert counter.sync().applied == 250
    assert max(sizes) <= 100
    assert sum(sizes) == 250


def test_a_line_cut_between_pages_goes_on_where_it_was(
    site: Any, counter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mykey_tui.sync.pull.STORE_ROWS", 10)
    for number in range(1, 61):
        counter.queue(number)
    counter.sync()
    fresh = site.enrol(counter.store.identity.scope)
    pages = 0

    def cut(request: httpx.Request, send: Send) -> httpx.Response:
        nonlocal pages
        answer = send()
        if "/hello" in request.url.path:
            hello = opened(answer)
            hello["limits"]["page_rows"] = 20
            return packed(hello)
        if "/log/" in request.url.path:
            pages += 1
            if pages == 3:
                raise httpx.ReadError("the line broke")
        return answer

    site.line.older = True
    site.line.spoil = cut
    with pytest.raises(LineError):
        fresh.sync()
    load = fresh.store.load()
    assert (load.cursor, load.rows, fresh.store.progress().position) == (40, 40, None)
    assert fresh.finds(1) is None
    report = fresh.sync()
    assert (report.pulled, report.rows, report.digest) == (20, 60, "match")
    position = fresh.store.progress().position
    assert position is not None
    assert position.seq == 60


def test_a_wrong_clock_is_mended_by_the_server_and_remembered(site: Any, counter: Any) -> None:
    site.clock.offset = timedelta(hours=9)
    counter.queue(1)
    assert counter.sync().digest == "match"
    assert abs(counter.clock.offset - timedelta(hours=9)) < timedelta(seconds=5)
    kept = counter.store.progress().clock_offset
    assert abs(kept - timedelta(hours=9)) < timedelta(seconds=5)


def test_a_server_that_never_agrees_on_the_time_is_asked_twice_and_no_more(
    site: Any, counter: Any
) -> None:
    def refuse(request: httpx.Request, send: Send) -> httpx.Response:
        problem = {
            "type": "signature-created-out-of-range", "title": "", "status": 401,
            "server_time": "2026-11-22T09:00:00+00:00",
        }  # fmt: skip
        return packed(problem, 401)

    site.line.spoil = refuse
    site.line.requests.clear()
    with pytest.raises(ServerError) as caught:
        counter.sync()
    assert caught.value.code is Code.SERVER_CLOCK
    assert len(site.line.requests) == 2


def test_a_server_whose_history_is_another_is_shown_and_nothing_is_dropped(
    site: Any, counter: Any
) -> None:
    counter.queue(1)
    counter.sync()
    counter.queue(2)
    other = site.enrol(counter.store.identity.scope)
    other.queue(3)
    other.sync()

    def reset(request: httpx.Request, send: Send) -> httpx.Response:
        if request.method != "POST":
            return send()
        return packed({"type": "reset", "title": "", "status": 409, "epoch": "e"}, 409)

    site.line.spoil = reset
    site.line.requests.clear()
    with pytest.raises(ServerError) as caught:
        counter.sync()
    assert caught.value.code is Code.SERVER_RESET
    assert len(site.line.requests) < 12  # a visible state, and not requests without an end
    assert counter.store.counts().waiting == 1
    assert counter.finds(1) == "0000000001"
    assert counter.finds(3) == "0000000003"  # no push is taken, and the news comes all the same
    site.line.spoil = None
    report = counter.sync()
    assert (report.applied, report.digest) == (1, "match")
    assert len(site.links()) == 3


def test_a_round_waits_for_another_programs_round_and_then_says_busy(
    site: Any, counter: Any
) -> None:
    with counter.store.home.syncing(0.0), pytest.raises(StoreError) as caught:
        counter.sync()
    assert caught.value.code is Code.STORE_BUSY
