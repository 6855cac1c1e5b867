"""The card desk: one thread, and what the screens are told."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest

from mykey_tui.card.connection import ReaderState
from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import ServiceId, SubjectCn
from mykey_tui.domain.tokens import default_token
from mykey_tui.flows import desk as desk_module
from mykey_tui.flows.desk import Desk
from mykey_tui.flows.desk_events import (
    CardForgotten,
    CardShown,
    CardTaken,
    CardWanted,
    LinkFinished,
    LookedUp,
    ReaderIs,
    ReadingStarted,
    ServiceCardSeen,
)
from mykey_tui.flows.outcomes import (
    CardDetail,
    Found,
    Linked,
    NotLinked,
    ServiceCardRead,
    Stopped,
)
from mykey_tui.simulated.foreign import driving_licence, felica_card

PAPER = "1C2410DF79DGEL07202002B"
OTHER = "SAMPLE0000000299999002A"
SID = ServiceId("2802121234")


def token_of(bench: Any, cn: Any = PAPER) -> Any:
    return default_token(bench.provider_key, SubjectCn.parse(cn))


def not_linked_card(desk: Any, bench: Any, watcher: Any) -> Any:
    """Step 1 of linking: the card lies there afterwards."""
    desk.start()
    desk.expect_lookup()
    bench.lay()
    outcome = watcher.until(LookedUp).outcome
    assert isinstance(outcome, NotLinked)
    return outcome.card


def test_a_laid_card_is_read_answered_and_taken_in_that_order(
    desk: Any, bench: Any, watcher: Any
) -> None:
    bench.has_row(token_of(bench), "ABCDEFGHI")
    desk.start()
    desk.expect_lookup()
    assert watcher.next() == ReaderIs(ReaderState.READY, bench.reader.name)
    bench.lay()
    assert watcher.next() == ReadingStarted()
    looked = watcher.next()
    assert isinstance(looked, LookedUp)
    assert isinstance(looked.outcome, Found)
    bench.reader.remove()
    assert watcher.next() == CardTaken()
    assert bench.till.got == ["ABCDEFGHI"]


def test_a_card_that_lay_there_before_the_start_is_read(
    desk: Any, bench: Any, watcher: Any
) -> None:
    bench.lay()
    desk.expect_lookup()
    desk.start()
    assert isinstance(watcher.until(LookedUp).outcome, NotLinked)


def test_one_tap_is_handed_over_once_however_often_the_screen_asks(
    desk: Any, bench: Any, watcher: Any
) -> None:
    bench.has_row(token_of(bench), "ABCDEFGHI")
    desk.start()
    desk.expect_lookup()
    bench.lay()
    watcher.until(LookedUp)
    for _ in range(3):
        desk.expect_lookup()
    assert watcher.nothing_more()
    assert bench.till.got == ["ABCDEFGHI"]


def test_step_1_looks_up_and_the_till_hears_nothing(desk: Any, bench: Any, watcher: Any) -> None:
    bench.has_row(token_of(bench), "ABCDEFGHI")
    desk.start()
    desk.expect_lookup(handover=False)
    bench.lay()
    outcome = watcher.until(LookedUp).outcome
    assert isinstance(outcome, Found)
    assert outcome.handover.code is Code.HANDOVER_OFF
    assert bench.till.got == []


def test_cards_are_left_alone_while_another_screen_is_open(
    desk: Any, bench: Any, watcher: Any
) -> None:
    desk.start()
    desk.expect_nothing()
    watcher.until(ReaderIs)
    bench.lay()
    assert watcher.nothing_more()
    assert bench.commands == []


def test_a_card_forgotten_on_the_reader_is_asked_back_once(
    desk: Any, bench: Any, watcher: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(desk_module, "FORGOTTEN_AFTER_SECONDS", 0.3)
    desk.start()
    desk.expect_lookup()
    bench.lay()
    watcher.until(LookedUp)
    begun = time.monotonic()
    assert watcher.next() == CardForgotten()
    assert time.monotonic() - begun >= 0.2
    assert watcher.nothing_more(0.5)


def test_a_card_taken_in_time_is_not_asked_back(
    desk: Any, bench: Any, watcher: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(desk_module, "FORGOTTEN_AFTER_SECONDS", 0.3)
    desk.start()
    desk.expect_lookup()
    bench.lay()
    watcher.until(LookedUp)
    bench.reader.remove()
    assert watcher.next() == CardTaken()
    assert watcher.nothing_more(0.5)


def test_step_2_takes_a_point_card_and_then_leaves_cards_alone(
    desk: Any, bench: Any, watcher: Any
) -> None:
    desk.start()
    desk.expect_service_card()
    bench.reader.insert(felica_card())
    seen = watcher.until(ServiceCardSeen).outcome
    assert seen == ServiceCardRead(ServiceId("012E4CD8A3F10B22"))
    bench.lay()
    watcher.until(CardTaken)
    assert watcher.nothing_more()


@pytest.mark.parametrize("lay", ["my-number-card", "licence"])
def test_step_2_says_that_a_card_is_no_point_card_and_goes_on_waiting(
    desk: Any, bench: Any, watcher: Any, lay: Any
) -> None:
    desk.start()
    desk.expect_service_card()
    bench.reader.insert(bench.card() if lay == "my-number-card" else driving_licence())
    assert watcher.until(ServiceCardSeen).outcome == Stopped(Code.SERVICE_CARD_WRONG)
    assert bench.commands == []
    bench.reader.insert(felica_card())
    assert isinstance(watcher.until(ServiceCardSeen).outcome, ServiceCardRead)


def test_step_2_refuses_a_number_that_changes_at_each_tap(
    desk: Any, bench: Any, watcher: Any
) -> None:
    desk.start()
    desk.expect_service_card()
    bench.reader.insert(felica_card(bytes.fromhex("08112233")))
    assert watcher.until(ServiceCardSeen).outcome == Stopped(Code.SERVICE_CARD_RANDOM)


def test_step_2_opened_again_during_a_read_goes_on_waiting(
    desk: Any, bench: Any, watcher: Any
) -> None:
    def open_again(number: int) -> None:
        bench.hook.clear()
        desk.expect_nothing()
        desk.expect_service_card()

    bench.hook.append(open_again)
    desk.start()
    desk.expect_service_card()
    bench.reader.insert(felica_card())
    watcher.until(ServiceCardSeen)
    bench.reader.insert(felica_card(bytes.fromhex("012E4CD8A3F10B23")))
    seen = watcher.until(ServiceCardSeen).outcome
    assert seen == ServiceCardRead(ServiceId("012E4CD8A3F10B23"))


def test_step_3_runs_at_once_while_the_card_lies_there(desk: Any, bench: Any, watcher: Any) -> None:
    card = not_linked_card(desk, bench, watcher)
    desk.commit_link(card, SID)
    assert watcher.next() == ReadingStarted()
    finished = watcher.next()
    assert isinstance(finished, LinkFinished)
    assert finished.outcome == Linked(Code.LINK_QUEUED, SID, 1)


def test_step_3_asks_for_the_card_and_goes_on_when_it_comes(
    desk: Any, bench: Any, watcher: Any
) -> None:
    card = not_linked_card(desk, bench, watcher)
    desk.expect_service_card()
    bench.reader.insert(felica_card())
    watcher.until(ServiceCardSeen)
    bench.reader.remove()
    watcher.until(CardTaken)
    desk.commit_link(card, SID)
    assert watcher.next() == CardWanted()
    assert watcher.nothing_more()
    bench.lay()
    assert isinstance(watcher.until(LinkFinished).outcome, Linked)


def test_nobody_is_asked_for_a_card_when_the_service_id_is_taken(
    desk: Any, bench: Any, watcher: Any
) -> None:
    bench.has_row(token_of(bench, OTHER), SID.text)
    card = not_linked_card(desk, bench, watcher)
    bench.reader.remove()
    watcher.until(CardTaken)
    desk.commit_link(card, SID)
    assert watcher.next() == LinkFinished(Stopped(Code.SERVICE_ID_TAKEN))


def test_another_card_at_step_3_is_a_swap_and_stores_nothing(
    desk: Any, bench: Any, watcher: Any
) -> None:
    card = not_linked_card(desk, bench, watcher)
    bench.reader.remove()
    watcher.until(CardTaken)
    desk.commit_link(card, SID)
    watcher.until(CardWanted)
    bench.lay(OTHER)
    assert watcher.until(LinkFinished).outcome == Stopped(Code.CARD_SWAPPED)
    assert bench.store.queue() == []


def test_a_point_card_left_on_the_reader_at_step_3_is_named(
    desk: Any, bench: Any, watcher: Any
) -> None:
    card = not_linked_card(desk, bench, watcher)
    desk.expect_service_card()
    bench.reader.insert(felica_card())
    watcher.until(ServiceCardSeen)
    desk.commit_link(card, SID)
    assert watcher.until(LinkFinished).outcome == Stopped(Code.CARD_IS_POINT_CARD)
    assert bench.store.queue() == []


def test_going_back_calls_a_wanted_card_off(desk: Any, bench: Any, watcher: Any) -> None:
    card = not_linked_card(desk, bench, watcher)
    bench.reader.remove()
    watcher.until(CardTaken)
    desk.commit_link(card, SID)
    watcher.until(CardWanted)
    desk.expect_lookup()
    bench.lay()
    assert isinstance(watcher.until(LookedUp).outcome, NotLinked)
    assert bench.store.queue() == []


def test_unlinking_runs_on_the_desk_too(desk: Any, bench: Any, watcher: Any) -> None:
    bench.has_row(token_of(bench), "ABCDEFGHI")
    card = bench.identified()
    desk.start()
    watcher.until(ReaderIs)
    desk.commit_unlink(card)
    outcome = watcher.until(LinkFinished).outcome
    assert isinstance(outcome, Linked)


def test_the_card_view_reads_the_card_that_lies_there_or_the_next_one(
    desk: Any, bench: Any, watcher: Any
) -> None:
    desk.start()
    desk.expect_nothing()
    desk.show_card()
    watcher.until(CardWanted)
    bench.lay()
    shown = watcher.until(CardShown).outcome
    assert isinstance(shown, CardDetail)
    assert shown.random_string == PAPER[:14]
    desk.show_card()
    assert isinstance(watcher.until(CardShown).outcome, CardDetail)


def test_a_reader_that_vanishes_takes_its_card_along(desk: Any, bench: Any, watcher: Any) -> None:
    desk.start()
    desk.expect_lookup()
    bench.lay()
    watcher.until(LookedUp)
    bench.reader.remove()
    assert watcher.next() == CardTaken()


class _Broken:
    """Use cases with a bug in them."""

    def __init__(self, visits: Any) -> None:
        self._visits = visits
        self.broken = True

    def lookup(self, *, handover: Any) -> Any:
        if self.broken:
            secret = PAPER
            raise RuntimeError(f"card of {secret}")
        return self._visits.lookup(handover=handover)

    def __getattr__(self, name: Any) -> Any:
        return getattr(self._visits, name)


def test_a_bug_is_said_and_logged_without_a_word_about_the_person_and_work_goes_on(
    bench: Any, watcher: Any, monkeypatch: Any, caplog: Any
) -> None:
    monkeypatch.setattr(desk_module, "PAUSE_AFTER_BUG_SECONDS", 0.01)
    flows = _Broken(bench.visits)
    desk = Desk(bench.reader, flows, watcher, bench.clock)
    desk.expect_lookup()
    with caplog.at_level(logging.DEBUG):
        desk.start()
        bench.lay()
        assert watcher.until(LookedUp).outcome == Stopped(Code.BUG)
        flows.broken = False
        bench.lay()
        assert isinstance(watcher.until(LookedUp).outcome, NotLinked)
        desk.stop()
    assert "RuntimeError at test_desk.py" in caplog.text
    assert PAPER[:14] not in caplog.text


def test_stopping_is_quick_and_may_be_done_twice(desk: Any, bench: Any, watcher: Any) -> None:
    desk.start()
    watcher.until(ReaderIs)
    begun = time.monotonic()
    desk.stop()
    desk.stop()
    assert time.monotonic() - begun < 1.0


def test_a_desk_that_was_never_started_can_be_stopped(desk: Any) -> None:
    desk.stop()


def test_the_desk_tells_whether_its_reader_is_watched(desk: Any, bench: Any, watcher: Any) -> None:
    assert not desk.reader_health.alive
    desk.start()
    watcher.until(ReaderIs)
    assert desk.reader_health.alive
    assert desk.reader_health.readers == (bench.reader.name,)
    desk.stop()
    assert not desk.reader_health.alive
