"""A PIN that is given to the card thread: used once, or overwritten; it never waits for a card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mykey_tui.domain.assurance import Assurance, PinPolicy
from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import ServiceId
from mykey_tui.domain.tokens import default_token
from mykey_tui.flows.desk import Desk, DeskFlows
from mykey_tui.flows.desk_events import CardTaken, LinkFinished, LookedUp, ReaderIs
from mykey_tui.flows.late_visits import LateVisits
from mykey_tui.flows.outcomes import Found, IdentifiedCard, Linked, PinWanted, Stopped
from mykey_tui.flows.pin_entry import PinEntry, PinGiven
from tests.unit.flows.conftest import OTHER, PAPER, Bench

NUMBER = ServiceId("2802121234")
VERIFY = bytes.fromhex("0020008004")


def given(digits: str = "1234") -> PinGiven:
    entry = PinEntry()
    for digit in digits:
        entry.press(digit)
    return PinGiven(entry)


def is_empty(what: PinGiven) -> bool:
    return what.entry is not None and what.entry.count == 0


def verifies(bench: Bench) -> int:
    return sum(command.startswith(VERIFY) for command in bench.commands)


@pytest.fixture
def always(bench: Bench, make_desk: Callable[[DeskFlows], Desk]) -> Desk:
    desk = make_desk(replace(bench.visits, pin=PinPolicy.ALWAYS))
    desk.expect_lookup()
    desk.start()
    return desk


@pytest.fixture
def wanted(bench: Bench, always: Desk, watcher: Any) -> IdentifiedCard:
    """A linked card lies there, and its PIN is wanted."""
    card = bench.identified(PAPER)
    bench.has_row(default_token(bench.provider_key, card.cn), NUMBER.text)
    bench.is_synced()
    event = watcher.until(LookedUp)
    if not isinstance(event.outcome, PinWanted):  # Looked at before the row was there.
        bench.lay(PAPER)
        event = watcher.until(LookedUp)
    assert isinstance(event.outcome, PinWanted)
    return event.outcome.card


def test_the_pin_goes_to_the_card_that_lies_there(
    bench: Bench, always: Desk, wanted: IdentifiedCard, watcher: Any
) -> None:
    what = given()
    always.lookup_with_pin(wanted, what)
    found = watcher.until(LookedUp).outcome
    assert isinstance(found, Found)
    assert found.assurance is Assurance.AUTHENTICATED
    assert (bench.till.got, verifies(bench), is_empty(what)) == ([NUMBER.text], 1, True)


def test_a_pin_does_not_wait_for_a_card(
    bench: Bench, always: Desk, wanted: IdentifiedCard, watcher: Any
) -> None:
    bench.reader.remove()
    watcher.until(CardTaken)
    lookup, link = given(), given()
    always.lookup_with_pin(wanted, lookup)
    assert watcher.until(LookedUp).outcome == Stopped(Code.CARD_REMOVED)
    always.commit_link(wanted, NUMBER, link)
    assert watcher.until(LinkFinished).outcome == Stopped(Code.CARD_REMOVED)
    assert is_empty(lookup)
    assert is_empty(link)
    bench.lay(OTHER)
    watcher.until(LookedUp)
    assert verifies(bench) == 0


def test_a_pin_that_is_called_off_is_overwritten(bench: Bench, watcher: Any) -> None:
    desk = Desk(bench.reader, bench.visits, watcher, bench.clock)  # not started: nothing is served
    card = bench.identified(PAPER)
    first, second = given(), given()
    desk.lookup_with_pin(card, first)
    desk.commit_unlink(card, second)
    assert is_empty(first)
    assert not is_empty(second)
    desk.expect_nothing()
    assert is_empty(second)


def test_a_pin_for_flows_that_are_not_there_is_overwritten(
    bench: Bench, make_desk: Callable[[DeskFlows], Desk], watcher: Any
) -> None:
    late = LateVisits()
    late.fail(Code.STORE_KEY)
    desk = make_desk(late)
    desk.start()
    card = bench.identified(PAPER)
    watcher.until(ReaderIs)
    what = given()
    desk.lookup_with_pin(card, what)
    assert watcher.until(LookedUp).outcome in (Stopped(Code.STORE_KEY), Stopped(Code.CARD_REMOVED))
    desk.stop()
    assert is_empty(what)


def test_step_three_asks_first_and_links_after_the_pin(
    bench: Bench, always: Desk, watcher: Any
) -> None:
    watcher.until(ReaderIs)
    card = bench.identified(OTHER)
    watcher.until(LookedUp)
    always.commit_link(card, NUMBER)
    assert watcher.until(LinkFinished).outcome == PinWanted(card, 3)
    always.commit_link(card, NUMBER, given("0000"))
    assert watcher.until(LinkFinished).outcome == Stopped(Code.PIN_WRONG, {"count": "2"})
    always.commit_link(card, NUMBER, given())
    assert isinstance(watcher.until(LinkFinished).outcome, Linked)
    assert verifies(bench) == 2
