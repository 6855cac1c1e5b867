"""One look-up in a hundred has the rows confirmed before it answers; none waits for long."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import LineError
from mykey_tui.domain.ids import SubjectCn
from mykey_tui.domain.link import LinkStatus
from mykey_tui.domain.staleness import ONLINE_SHARE, asks_first
from mykey_tui.domain.tokens import default_token
from mykey_tui.flows import courier
from mykey_tui.flows.courier import BackgroundLine, RoundCourier
from mykey_tui.flows.outcomes import Found, Stopped
from mykey_tui.flows.spot_check import CONFIRM_WAIT_SECONDS, SpotCheck
from mykey_tui.sync.background import Line, LineView

PAPER = "1C2410DF79DGEL07202002B"


class Confirming:
    """A line whose round brings a suspension."""

    def __init__(self, bench: Any) -> None:
        self.bench = bench
        self.asked = 0

    def confirm(self) -> bool:
        self.asked += 1
        token = default_token(self.bench.provider_key, SubjectCn.parse(PAPER))
        self.bench.has_row(token, "ABCDEFGHI", LinkStatus.SUSPENDED)
        return True


@pytest.fixture
def linked(bench: Any) -> Any:
    token = default_token(bench.provider_key, SubjectCn.parse(PAPER))
    bench.has_row(token, "ABCDEFGHI")
    bench.is_synced()
    bench.lay()
    return bench


def drawing(bench: Any, line: Any, number: float) -> Any:
    return replace(bench.visits, spot_check=SpotCheck(line, draw=lambda: number))


def test_a_stop_that_no_poll_told_of_is_met_by_the_look_up_that_is_drawn(linked: Any) -> None:
    line = Confirming(linked)
    assert isinstance(drawing(linked, line, ONLINE_SHARE).lookup(handover=True), Found)
    assert line.asked == 0
    drawn = drawing(linked, line, 0.0).lookup(handover=True)
    assert drawn == Stopped(Code.SUSPENDED)
    assert (line.asked, linked.till.got) == (1, ["ABCDEFGHI"])  # of the first look-up alone


def test_where_nothing_can_be_confirmed_the_rows_answer_as_they_are(linked: Any) -> None:
    line = SimpleNamespace(confirm=lambda: False)
    assert isinstance(drawing(linked, line, 0.0).lookup(handover=True), Found)


def test_a_card_that_is_refused_asks_nobody(bench: Any) -> None:
    line = Confirming(bench)
    assert isinstance(drawing(bench, line, 0.0).lookup(handover=True), Stopped)  # no card
    assert line.asked == 0


def test_the_clerks_confirmation_is_no_second_drawing(linked: Any) -> None:
    line = Confirming(linked)
    drawing(linked, line, 0.0).confirm(linked.identified())
    assert line.asked == 0


def test_one_in_a_hundred_is_drawn() -> None:
    seed = 20261122
    random = Random(seed)  # noqa: S311  # repeatable
    drawn = sum(asks_first(random.random()) for _ in range(100_000))
    assert 900 < drawn < 1100, f"seed {seed}"
    assert 0 < sum(asks_first(SpotCheck(SimpleNamespace()).draw()) for _ in range(10_000)) < 300


class Background:
    """What `BackgroundLine` sees of the sync thread."""

    def __init__(self, before: Line, after: Line, *, code: Code | None = None) -> None:
        self.view = LineView(before, 0.0, None, None)
        self.after = LineView(after, 0.0, code, None)
        self.waited: list[float] = []

    def round_soon(self, seconds: float) -> bool:
        self.waited.append(seconds)
        self.view = self.after
        return True


@pytest.mark.parametrize(
    ("before", "after", "code", "confirmed"),
    [
        (Line.UP, Line.UP, None, True),
        (Line.UP, Line.UP, Code.SERVER_DIGEST, False),
        (Line.UP, Line.DOWN, Code.LINE_DOWN, False),
    ],
)
def test_only_a_round_that_came_to_its_end_confirms(
    before: Line, after: Line, code: Code | None, confirmed: bool
) -> None:
    background: Any = Background(before, after, code=code)
    assert BackgroundLine(background).confirm() is confirmed
    assert background.waited == [CONFIRM_WAIT_SECONDS]


@pytest.mark.parametrize("line", [Line.UNKNOWN, Line.DOWN, Line.REFUSED, Line.BROKEN])
def test_with_no_line_nothing_is_sent_and_nobody_waits(line: Line) -> None:
    background: Any = Background(line, Line.UP)
    assert not BackgroundLine(background).confirm()
    assert background.waited == []


def test_a_server_that_hangs_holds_a_command_no_longer_than_agreed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(courier, "CONFIRM_WAIT_SECONDS", 0.05)
    over = threading.Event()
    begun = time.monotonic()
    assert not RoundCourier(lambda: over.wait(10)).confirm()
    assert time.monotonic() - begun < 5
    over.set()


def test_a_round_that_fails_confirms_nothing() -> None:
    def fails() -> None:
        raise LineError("down")

    assert not RoundCourier(fails).confirm()
    assert RoundCourier(lambda: None).confirm()
