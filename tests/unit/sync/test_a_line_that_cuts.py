"""A line that cuts one request in two: what was cut goes again at once, and an outage is no storm."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from random import Random

import httpx
import pytest

from mykey_tui.domain.errors import LineError
from tests.unit.sync.conftest import Counter, Site

Send = Callable[[], httpx.Response]
CUTS = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)


@pytest.fixture
def counter(site: Site) -> Counter:
    """As a shop's: cut requests go again twice."""
    site.again_after_seconds = (0.0, 0.0)
    counter = site.enrol(site.add_provider())
    counter.sync()
    return counter


class Cuts:
    """Loses the first `times` replies to each request, after the server did the work."""

    def __init__(self, times: int, error: type[httpx.TransportError]) -> None:
        self._times = times
        self._error = error
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request, send: Send) -> httpx.Response:
        key = f"{request.method} {request.url}"
        self.asked.append(key)
        reply = send()
        if self.asked.count(key) <= self._times:
            raise self._error("cut")
        return reply


@pytest.mark.parametrize("error", CUTS)
def test_a_round_comes_to_its_end_though_each_request_is_cut_twice(
    site: Site, counter: Counter, error: type[httpx.TransportError]
) -> None:
    counter.queue(1, "ONE")
    cuts = site.line.spoil = Cuts(2, error)
    report = counter.sync()
    assert (report.applied, report.already, report.digest) == (1, 0, "match")
    assert {cuts.asked.count(key) for key in cuts.asked} == {3}
    assert [link["service_id"] for link in site.links()] == ["ONE"]


def test_the_third_cut_in_a_row_ends_the_round_and_the_next_begins_with_one_request(
    site: Site, counter: Counter
) -> None:
    cuts = site.line.spoil = Cuts(1000, httpx.ReadError)
    for requests in (3, 4, 5):
        with pytest.raises(LineError):
            counter.sync()
        assert len(cuts.asked) == requests, "an outage must not be a storm"
    site.line.spoil = None
    counter.sync()
    site.line.spoil = Cuts(2, httpx.ReadError)
    counter.sync()


@pytest.mark.parametrize(
    "error", [httpx.ReadTimeout, httpx.WriteTimeout, httpx.ConnectError, httpx.ConnectTimeout]
)
def test_what_was_waited_for_or_never_reached_does_not_go_again_at_once(
    site: Site, counter: Counter, error: type[httpx.TransportError]
) -> None:
    cuts = site.line.spoil = Cuts(1, error)
    with pytest.raises(LineError):
        counter.sync()
    assert len(cuts.asked) == 1


def test_a_request_goes_again_under_a_signature_of_its_own_moment(
    site: Site, counter: Counter
) -> None:
    moments: list[str] = []

    def seen(request: httpx.Request, send: Send) -> httpx.Response:
        (moment,) = re.findall(r"created=(\d+)", request.headers["Signature-Input"])
        moments.append(moment)
        if len(moments) == 1:
            counter.clock.offset += timedelta(seconds=1)
            raise httpx.ReadError("cut")
        return send()

    site.line.spoil = seen
    counter.sync()
    assert int(moments[1]) > int(moments[0])


def test_on_a_line_that_cuts_four_in_ten_most_rounds_come_to_their_end(
    site: Site, counter: Counter
) -> None:
    dice = Random(20261123)  # noqa: S311  # chance, repeatable

    def spoil(request: httpx.Request, send: Send) -> httpx.Response:
        reply = send()
        if dice.random() < 0.44:
            raise httpx.ReadError("cut")
        return reply

    site.line.spoil = spoil
    ended = 0
    for number in range(1, 101):
        counter.queue(number)
        try:
            counter.sync()
        except LineError:
            continue
        ended += 1
    assert ended > 35, "without a second try it is one in eighteen"
