"""A line that is slow, and a server in trouble: the queue still leaves, and news still arrives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import LineError, ServerError
from mykey_tui.domain.link import LinkStatus
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.sync.exchange import CONNECT_SECONDS, EXCHANGE_SECONDS, READ_SECONDS
from mykey_tui.sync.push import Pace
from mykey_tui.sync.round import sync_round
from mykey_tui.wire.messages import BODY_BYTES_MAX, PushRequest

Send = Callable[[], httpx.Response]


def items_of(request: httpx.Request) -> int:
    return len(msgspec.msgpack.decode(request.content, type=PushRequest).items)


def test_a_backlog_leaves_over_a_line_that_bears_no_full_batch(site: Any, counter: Any) -> None:
    for number in range(1, 41):
        counter.queue(number)
    pace = Pace()

    def slow(request: httpx.Request, send: Send) -> httpx.Response:
        if request.method == "POST" and items_of(request) > 6:
            raise httpx.ReadTimeout("too slow")
        return send()

    site.line.spoil = slow
    failed = 0
    for _ in range(20):
        try:
            sync_round(counter.store, counter.client, pace=pace)
        except LineError:
            failed += 1
        if counter.store.counts().waiting == 0:
            break
    assert counter.store.counts().waiting == 0
    assert failed < 10
    assert len(site.links()) == 40


def test_a_line_that_bears_nothing_is_tried_with_one_item_and_never_with_none() -> None:
    pace = Pace()
    for _ in range(20):
        pace.failed(pace.items)
    assert pace.items == 1


def test_a_batch_grows_again_when_the_line_is_quick_and_not_when_it_is_slow() -> None:
    pace = Pace(10)
    pace.passed(10, 15.0)
    assert pace.items == 10
    pace.passed(10, 0.5)
    assert pace.items == 20
    for _ in range(10):
        pace.passed(pace.items, 0.5)
    assert pace.items == 100


@pytest.mark.parametrize("error", [httpx.ReadTimeout, httpx.WriteTimeout, httpx.ReadError])
def test_a_suspension_arrives_although_nothing_leaves(
    site: Any, counter: Any, error: type[httpx.TransportError]
) -> None:
    counter.queue(1)
    counter.sync()
    counter.queue(2)
    site.set_suspended(1, suspended=True)

    def spoil(request: httpx.Request, send: Send) -> httpx.Response:
        if request.method == "POST":
            raise error("no")
        return send()

    site.line.spoil = spoil
    with pytest.raises(LineError):
        counter.sync()
    link = counter.store.lookup(counter.token(1))
    assert link is not None
    assert link.status is LinkStatus.SUSPENDED
    assert counter.store.counts().waiting == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_suspension_arrives_although_the_server_takes_no_push(
    site: Any, counter: Any, status: int
) -> None:
    counter.queue(1)
    counter.sync()
    counter.queue(2)
    site.set_suspended(1, suspended=True)

    def spoil(request: httpx.Request, send: Send) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(status, stream=httpx.ByteStream(b""))
        return send()

    site.line.spoil = spoil
    with pytest.raises(ServerError) as caught:
        counter.sync()
    assert caught.value.code is Code.SERVER_BROKEN
    link = counter.store.lookup(counter.token(1))
    assert link is not None
    assert link.status is LinkStatus.SUSPENDED


def test_without_a_line_one_attempt_is_enough(site: Any, counter: Any) -> None:
    counter.queue(1)

    def gone(request: httpx.Request, send: Send) -> httpx.Response:
        if request.method == "POST":
            raise httpx.ConnectError("no line")
        return send()

    site.line.spoil = gone
    site.line.requests.clear()
    with pytest.raises(LineError):
        counter.sync()
    assert site.line.requests.count("POST /v1/push") == 1
    assert site.line.requests[-1] == "POST /v1/push"


def test_the_patience_grows_with_what_is_sent_and_has_an_end(site: Any, counter: Any) -> None:
    for number in range(1, 41):
        counter.queue(number)
    patience: dict[str, tuple[int, float, float]] = {}

    def look(request: httpx.Request, send: Send) -> httpx.Response:
        timeout = request.extensions["timeout"]
        assert timeout["connect"] == CONNECT_SECONDS
        patience[request.method] = (len(request.content), timeout["read"], timeout["write"])
        return send()

    site.line.spoil = look
    counter.sync()
    assert patience["GET"] == (0, READ_SECONDS, READ_SECONDS)
    size, reading, writing = patience["POST"]
    assert size > 30_000
    assert reading == writing == pytest.approx(READ_SECONDS + size / 8000)
    assert READ_SECONDS + BODY_BYTES_MAX / 8000 < EXCHANGE_SECONDS


def test_a_round_that_fails_still_notes_that_time_has_passed(site: Any, counter: Any) -> None:
    def gone(request: httpx.Request, send: Send) -> httpx.Response:
        raise httpx.ConnectError("no line")

    counter.sync()
    counter.clock.offset += timedelta(hours=80)
    site.line.spoil = gone
    with pytest.raises(LineError):
        counter.sync()
    counter.clock.offset -= timedelta(hours=79)
    again = CounterStore.open(counter.store.home, clock=counter.clock)
    assert again.freshness().clock_doubt
    again.close()
