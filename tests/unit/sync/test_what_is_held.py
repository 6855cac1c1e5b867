"""What the server cannot decide now: shown after a while, never dropped, and sent again by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest

from mykey_tui.domain.clock import Clock, SystemClock
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.store.outbox import PARKED_AGAIN_SECONDS
from mykey_tui.store.tables import MutationState
from mykey_tui.store.verdicts import TRIES_MAX
from mykey_tui.sync.plan import Limits, limits_of
from mykey_tui.wire.messages import MSGPACK, HelloReply, PushRequest

Send = Callable[[], httpx.Response]


def packed(message: object, status: int = 200) -> httpx.Response:
    body = httpx.ByteStream(msgspec.msgpack.encode(message))
    return httpx.Response(status, headers={"content-type": MSGPACK}, stream=body)


class Holding:
    """A server that answers `held` for some items, and remembers which were sent."""

    def __init__(self, *mids: int) -> None:
        self.mids = set(mids)
        self.sent: list[list[int]] = []
        self.epoch = ""
        self.clock: Clock = SystemClock()

    def __call__(self, request: httpx.Request, send: Send) -> httpx.Response:
        if request.method != "POST":
            return send()
        asked = [i.mid for i in msgspec.msgpack.decode(request.content, type=PushRequest).items]
        self.sent.append(asked)
        if not self.mids & set(asked):
            return send()
        items = [
            {"mid": mid, "verdict": "held" if mid in self.mids else "already"} for mid in asked
        ]
        return packed(
            {
                "epoch": self.epoch, "seq": 0, "digest": bytes(16),
                "server_time": self.clock.now().isoformat(), "items": items,
            }
        )  # fmt: skip


def hold(site: Any, counter: Any, *mids: int) -> Holding:
    counter.sync()
    holding = Holding(*mids)
    holding.clock = site.clock
    holding.epoch = counter.store.progress().epoch
    site.line.spoil = holding
    return holding


def later(site: Any) -> None:
    """Time passes until parked ones go again: the counter follows the server's clock."""
    site.clock.offset += timedelta(seconds=PARKED_AGAIN_SECONDS + 1)


def states(counter: Any) -> list[tuple[int, MutationState, Code | None]]:
    return [(item.mid, item.state, item.code) for item in counter.store.queue()]


def test_a_held_item_is_parked_after_three_tries_and_the_others_go_on(
    site: Any, counter: Any
) -> None:
    holding = hold(site, counter, 1)
    for number in range(1, 4):
        counter.queue(number)
    report = counter.sync()
    assert (report.put_off, report.already, report.parked) == (1, 2, 0)
    assert states(counter) == [(1, MutationState.WAITING, None)]
    for _ in range(TRIES_MAX - 1):
        report = counter.sync()
    assert report.parked == 1
    assert states(counter) == [(1, MutationState.PARKED, Code.MUTATION_PARKED)]
    assert counter.finds(1) == "0000000001"
    assert holding.sent == [[1, 2, 3], [1], [1]]


def test_a_parked_item_is_in_effect_soon_after_the_server_is_mended_without_a_person(
    site: Any, counter: Any
) -> None:
    holding = hold(site, counter, 1)
    counter.queue(1)
    for _ in range(TRIES_MAX + 1):
        counter.sync()
    holding.mids.clear()
    later(site)
    assert counter.sync().applied == 1
    assert counter.store.queue() == []
    assert len(site.links()) == 1


def test_a_parked_item_goes_again_slowly(site: Any, counter: Any) -> None:
    holding = hold(site, counter, 1)
    counter.queue(1)
    for _ in range(TRIES_MAX + 1):
        counter.sync()
    before = len(holding.sent)
    for _ in range(10):
        counter.sync()
    assert len(holding.sent) == before
    later(site)
    counter.sync()
    counter.sync()
    assert len(holding.sent) == before + 1
    assert states(counter) == [(1, MutationState.PARKED, Code.MUTATION_PARKED)]


def test_a_clock_put_back_does_not_stop_a_parked_item_from_going_again(
    site: Any, counter: Any
) -> None:
    holding = hold(site, counter, 1)
    counter.queue(1)
    for _ in range(TRIES_MAX + 1):
        counter.sync()
    before = len(holding.sent)
    counter.store._clock.offset -= timedelta(days=400)
    assert counter.store.parked_due() is not None
    assert len(holding.sent) == before


def test_a_released_item_goes_with_the_next_round(site: Any, counter: Any) -> None:
    holding = hold(site, counter, 1)
    counter.queue(1)
    for _ in range(TRIES_MAX + 1):
        counter.sync()
    holding.mids.clear()
    assert counter.store.retry(1)
    assert counter.sync().applied == 1


def test_of_many_parked_items_none_is_always_the_last_and_none_is_sent_without_end(
    site: Any, counter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    holding = hold(site, counter, *range(1, 7))
    for number in range(1, 7):
        counter.queue(number)
    for _ in range(TRIES_MAX):
        counter.sync()
    assert counter.store.counts().attention == 6
    monkeypatch.setattr("mykey_tui.sync.round.limits_of", _two_items)
    holding.sent.clear()
    for _ in range(4):
        later(site)
        counter.sync()
    assert holding.sent == [[1, 2], [3, 4], [5, 6], [1, 2]]
    holding.mids.clear()
    later(site)
    counter.sync()
    assert counter.store.queue() == []


def _two_items(hello: HelloReply) -> Limits:
    return replace(limits_of(hello), push_items=2)


@pytest.mark.parametrize("status", [500, 502, 503, 507])
def test_a_full_disk_at_the_server_parks_nothing_and_is_told(
    site: Any, counter: Any, status: int
) -> None:
    counter.queue(1)

    def full(request: httpx.Request, send: Send) -> httpx.Response:
        if request.method == "POST":
            return packed({"type": "server-error", "title": "", "status": status}, status)
        return send()

    site.line.spoil = full
    for _ in range(TRIES_MAX + 2):
        with pytest.raises(ServerError) as caught:
            counter.sync()
        assert caught.value.code is Code.SERVER_BROKEN
    assert states(counter) == [(1, MutationState.WAITING, None)]
    site.line.spoil = None
    assert counter.sync().applied == 1
