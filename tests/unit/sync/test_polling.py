"""Between two rounds the background only asks whether there is news."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from random import Random

import httpx
import pytest

from mykey_server import polling
from mykey_tui.domain.codes import Code
from mykey_tui.domain.link import LinkStatus
from mykey_tui.sync import background
from mykey_tui.sync.background import BackgroundSync, Line
from mykey_tui.sync.plan import POLL_MIN_SECONDS
from tests.unit.sync.conftest import Counter, Site

Send = Callable[[], httpx.Response]
POLL = "GET /v1/poll"


@pytest.fixture(autouse=True)
def the_server_looks_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "STATE_SECONDS", 0.0)


@pytest.fixture
def sync(site: Site, counter: Counter) -> Iterator[BackgroundSync]:
    """A background after its first two turns: it knows the state, and nothing is new."""
    thread = BackgroundSync(
        counter.store,
        counter.client,
        on_change=lambda: None,
        probe=lambda: True,
        random=Random(3),  # noqa: S311  # repeatable, not secret
    )
    thread._turn(somebody_asks=False)
    thread._turn(somebody_asks=False)
    site.line.requests.clear()
    yield thread
    thread.stop()


def asked(site: Site) -> list[str]:
    """What went over the line since the last look."""
    requests = list(site.line.requests)
    site.line.requests.clear()
    return requests


def test_nothing_new_costs_one_request(site: Site, sync: BackgroundSync) -> None:
    for _ in range(3):
        assert sync._turn(somebody_asks=False) >= 0.8 * POLL_MIN_SECONDS
        assert asked(site) == [POLL]
    assert (sync.view.line, sync.view.code) == (Line.UP, None)


def test_what_another_counter_did_is_fetched(
    site: Site, counter: Counter, sync: BackgroundSync
) -> None:
    other = site.enrol(counter.store.identity.scope)
    other.queue(7, "ABC")
    other.sync()
    asked(site)
    sync._turn(somebody_asks=False)
    assert asked(site)[0] == POLL
    assert counter.finds(7) == "ABC"
    sync._turn(somebody_asks=False)
    assert asked(site) == [POLL], "and then all is quiet again"


def test_a_suspension_arrives_with_the_next_poll(
    site: Site, counter: Counter, sync: BackgroundSync
) -> None:
    counter.queue(7)
    sync._turn(somebody_asks=False)
    sync._turn(somebody_asks=False)
    site.set_suspended(7, suspended=True)
    sync._turn(somebody_asks=False)
    link = counter.store.lookup(counter.token(7))
    assert link is not None
    assert link.status is LinkStatus.SUSPENDED


def test_what_waits_is_sent_and_not_only_asked_about(
    site: Site, counter: Counter, sync: BackgroundSync
) -> None:
    counter.queue(7)
    sync._turn(somebody_asks=False)
    assert "POST /v1/push" in asked(site)
    assert counter.store.counts().waiting == 0


def test_a_person_who_asks_gets_a_whole_round(site: Site, sync: BackgroundSync) -> None:
    sync._turn(somebody_asks=True)
    assert "GET /v1/hello" in asked(site)


def test_after_ten_minutes_the_server_proves_again_how_fresh_it_is(
    site: Site, sync: BackgroundSync, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "ROUND_EVERY_SECONDS", 0.05)
    time.sleep(0.06)
    sync._turn(somebody_asks=False)
    assert "GET /v1/hello" in asked(site)


def test_news_that_could_not_be_fetched_stays_news(
    site: Site, counter: Counter, sync: BackgroundSync
) -> None:
    other = site.enrol(counter.store.identity.scope)
    other.queue(7, "ABC")
    other.sync()

    def breaks_behind_the_poll(request: httpx.Request, send: Send) -> httpx.Response:
        if request.url.path != "/v1/poll":
            raise httpx.ReadError("the line breaks")
        return send()

    site.line.spoil = breaks_behind_the_poll
    sync._turn(somebody_asks=False)
    assert counter.finds(7) is None
    site.line.spoil = None
    sync._turn(somebody_asks=False)
    assert counter.finds(7) == "ABC"


def test_a_poll_that_is_refused_is_said_like_any_refusal(site: Site, sync: BackgroundSync) -> None:
    site.line.spoil = lambda request, send: httpx.Response(
        401, stream=httpx.ByteStream(b'{"type":"signature-refused","title":"","status":401}'),
        headers={"content-type": "application/problem+json"},
    )  # fmt: skip
    sync._turn(somebody_asks=False)
    assert (sync.view.line, sync.view.code) == (Line.REFUSED, Code.SERVER_DENIED)


def test_a_wrong_clock_is_put_right_by_a_poll_too(
    site: Site, counter: Counter, sync: BackgroundSync
) -> None:
    counter.clock.offset -= timedelta(hours=3)
    sync._turn(somebody_asks=False)
    assert asked(site) == [POLL, POLL]
    assert sync.view.line is Line.UP


def test_a_server_of_the_first_form_is_asked_by_rounds(site: Site, counter: Counter) -> None:
    site.line.older = True
    thread = BackgroundSync(counter.store, counter.client, on_change=lambda: None)
    for _ in range(3):
        thread._turn(somebody_asks=False)
    assert POLL not in asked(site)
    assert thread.view.line is Line.UP
