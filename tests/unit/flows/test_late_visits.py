"""Cards that are laid before the store is open."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import ServiceId
from mykey_tui.flows.desk import DeskFlows
from mykey_tui.flows.desk_events import LookedUp, ReadingStarted
from mykey_tui.flows.late_visits import LateVisits
from mykey_tui.flows.outcomes import Stopped
from mykey_tui.flows.pin_entry import PinGiven

SID = ServiceId("2802121234")
GIVEN = PinGiven(None)


class Echo:
    """Answers every call with its name and arguments."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **more: (name, args, more)


def calls(visits: DeskFlows, card: Any) -> dict[str, Any]:
    return {
        "lookup": visits.lookup(handover=False),
        "lookup_with_pin": visits.lookup_with_pin(card, GIVEN),
        "confirm": visits.confirm(card),
        "service_card": visits.service_card(),
        "check_link": visits.check_link(card, SID),
        "link": visits.link(card, SID, GIVEN),
        "unlink": visits.unlink(card, GIVEN),
        "show": visits.show(),
    }


def test_what_arrived_does_the_work_unchanged() -> None:
    card = object()
    late = LateVisits()
    late.arrive(Echo())
    assert calls(late, card) == calls(Echo(), card)


def test_what_could_not_be_made_is_the_answer_to_every_card() -> None:
    late = LateVisits()
    late.fail(Code.STORE_NONE)
    assert all(answer == Stopped(Code.STORE_NONE) for answer in calls(late, object()).values())


def test_a_card_laid_early_waits_and_is_then_answered() -> None:
    late = LateVisits()
    answers: list[Any] = []
    waiting = threading.Thread(target=lambda: answers.append(late.lookup(handover=True)))
    waiting.start()
    time.sleep(0.05)
    assert answers == []
    late.arrive(Echo())
    waiting.join(5)
    assert answers == [("lookup", (), {"handover": True})]


def test_a_card_is_not_kept_waiting_for_ever() -> None:
    assert LateVisits(wait_seconds=0.01).lookup(handover=True) == Stopped(Code.STORE_BUSY)


def test_after_a_failure_the_next_attempt_is_waited_for_again() -> None:
    late = LateVisits(wait_seconds=0.01)
    late.fail(Code.STORE_KEY)
    late.again()
    assert late.show() == Stopped(Code.STORE_BUSY)
    late.arrive(Echo())
    shown: Any = late.show()
    assert shown == ("show", (), {})


@pytest.mark.parametrize("code", [Code.STORE_NONE, Code.READER_SIMULATED])
def test_the_desk_says_the_reason_for_a_card_laid_at_a_counter_that_cannot_open(
    bench: Any, watcher: Any, code: Code, make_desk: Any
) -> None:
    late = LateVisits()
    desk = make_desk(late)
    desk.expect_lookup()
    desk.start()
    bench.lay()
    watcher.until(ReadingStarted)
    late.fail(code)
    assert watcher.until(LookedUp).outcome == Stopped(code)
