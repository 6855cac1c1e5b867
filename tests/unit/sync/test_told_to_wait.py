"""A server that says when to come again is left alone for so long, within reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random

import httpx
import msgspec
import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.sync.background import BackgroundSync, Line
from mykey_tui.sync.exchange import RETRY_AFTER_SECONDS_MAX, ServerBusyError
from mykey_tui.wire.messages import PROBLEM_JSON, Problem
from tests.unit.sync.conftest import Counter, Site

Send = Callable[[], httpx.Response]


def refusal(status: int, retry_after: str | None) -> httpx.Response:
    body = msgspec.json.encode(Problem("too-many-requests", "", status))
    headers = [(b"content-type", PROBLEM_JSON.encode())]
    if retry_after is not None:
        headers.append((b"retry-after", retry_after.encode()))
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("0", 0.0), ("120", 120.0), (" 7 ", 7.0), ("86400", RETRY_AFTER_SECONDS_MAX)],
)
def test_the_time_to_wait_is_known_and_bounded(
    site: Site, counter: Counter, status: int, asked: str, seconds: float
) -> None:
    site.line.spoil = lambda request, send: refusal(status, asked)
    with pytest.raises(ServerBusyError) as busy:
        counter.sync()
    assert (busy.value.code, busy.value.wait_seconds) == (Code.SERVER_BUSY, seconds)


@pytest.mark.parametrize(
    "asked", [None, "", "-1", "1.5", "soon", "１２", "9" * 40, "Wed, 21 Oct 2026 07:28:00 GMT"]
)
def test_a_time_that_makes_no_sense_is_a_server_in_trouble(
    site: Site, counter: Counter, asked: str | None
) -> None:
    site.line.spoil = lambda request, send: refusal(503, asked)
    with pytest.raises(ServerError) as refused:
        counter.sync()
    assert refused.value.code is Code.SERVER_BROKEN


def test_the_download_comes_although_no_push_is_taken_for_now(site: Site, counter: Counter) -> None:
    other = site.enrol(counter.store.identity.scope)
    other.queue(1)
    other.sync()
    counter.queue(2)

    def spoil(request: httpx.Request, send: Send) -> httpx.Response:
        return refusal(429, "30") if request.url.path.endswith("/push") else send()

    site.line.spoil = spoil
    with pytest.raises(ServerBusyError):
        counter.sync()
    assert counter.finds(1) == "0000000001"
    assert counter.store.unsent() == 1
    site.line.spoil = None
    assert counter.sync().applied == 1


def test_the_thread_waits_at_least_as_long_as_it_was_asked(site: Site, counter: Counter) -> None:
    site.line.spoil = lambda request, send: refusal(429, "200")
    thread = BackgroundSync(
        counter.store,
        counter.client,
        on_change=lambda: None,
        probe=lambda: True,
        random=Random(5),  # noqa: S311  # repeatable, not secret
    )
    pauses = [thread._turn(somebody_asks=True) for _ in range(20)]
    assert min(pauses) >= 200
    assert max(pauses) <= 200 * 1.2
    assert len(set(pauses)) > 1, "all counters would come back at one moment"
    assert (thread.view.line, thread.view.code) == (Line.BROKEN, Code.SERVER_BUSY)


def test_a_person_who_asks_does_not_wait_for_it(site: Site, counter: Counter) -> None:
    site.line.spoil = lambda request, send: refusal(429, "200")
    thread = BackgroundSync(
        counter.store, counter.client, on_change=lambda: None, probe=lambda: True
    )
    thread.start()
    deadline = time.monotonic() + 10
    while thread.view.code is None and time.monotonic() < deadline:
        time.sleep(0.01)
    site.line.spoil = None
    try:
        assert thread.round_soon(10.0)
        assert thread.view.line is Line.UP, thread.view
    finally:
        thread.stop()
