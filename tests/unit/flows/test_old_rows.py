"""A card in front of rows that are old: asked, refused, or not yet answerable at all."""

from __future__ import annotations

import queue
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.domain.ids import ServiceId, SubjectCn
from mykey_tui.domain.link import LinkStatus
from mykey_tui.domain.tokens import default_token
from mykey_tui.flows.desk import Desk, DeskFlows
from mykey_tui.flows.desk_events import LookedUp
from mykey_tui.flows.outcomes import Found, Linked, NotLinked, NotLoaded, Stopped, Unconfirmed
from mykey_tui.wire.messages import Staleness

PAPER = "1C2410DF79DGEL07202002B"


def linked(bench: Any, status: LinkStatus = LinkStatus.ACTIVE) -> None:
    token = default_token(bench.provider_key, SubjectCn.parse(PAPER))
    bench.has_row(token, "ABCDEFGHI", status)
    bench.is_synced()
    bench.lay()


def test_rows_of_a_day_are_answered_at_once(bench: Any) -> None:
    linked(bench)
    bench.clock.pass_hours(24)
    assert isinstance(bench.lookup.run(), Found)


def test_rows_older_than_a_day_wait_for_the_clerk_and_show_no_number(bench: Any) -> None:
    linked(bench)
    bench.clock.pass_hours(30)
    outcome = bench.lookup.run()
    assert isinstance(outcome, Unconfirmed)
    assert (outcome.code, outcome.values["hours"]) == (Code.ROWS_OLD, "30")
    assert "ABCDEFGHI" not in repr(outcome)
    assert bench.till.got == []


def test_a_confirmed_card_is_handed_over_once_and_the_next_one_is_asked_again(bench: Any) -> None:
    linked(bench)
    bench.clock.pass_hours(30)
    outcome = bench.lookup.run()
    confirmed = bench.visits.confirm(outcome.card)
    assert isinstance(confirmed, Found)
    assert bench.till.got == ["ABCDEFGHI"]
    assert isinstance(bench.lookup.run(), Unconfirmed)


def test_a_stop_that_arrived_before_the_clerk_confirmed_counts(bench: Any) -> None:
    linked(bench)
    bench.clock.pass_hours(30)
    outcome = bench.lookup.run()
    linked(bench, LinkStatus.SUSPENDED)
    assert bench.visits.confirm(outcome.card) == Stopped(Code.SUSPENDED)
    assert bench.till.got == []


def test_a_confirmation_after_the_limit_hands_nothing_over(bench: Any) -> None:
    linked(bench)
    bench.clock.pass_hours(71)
    outcome = bench.lookup.run()
    bench.clock.pass_hours(2)
    confirmed = bench.visits.confirm(outcome.card)
    assert isinstance(confirmed, Stopped)
    assert confirmed.code is Code.ROWS_STALE
    assert bench.till.got == []


def test_beyond_three_days_nothing_is_handed_over_and_the_hours_are_said(bench: Any) -> None:
    linked(bench)
    bench.clock.pass_hours(73)
    outcome = bench.lookup.run()
    assert isinstance(outcome, Stopped)
    assert (outcome.code, outcome.values["hours"]) == (Code.ROWS_STALE, "73")
    assert bench.till.got == []


def test_the_providers_own_limits_count(bench: Any) -> None:
    linked(bench)
    bench.store.note_staleness(Staleness(green_s=3600, refuse_s=7200, lookups_max=10))
    bench.clock.pass_hours(1.5)
    assert isinstance(bench.lookup.run(), Unconfirmed)
    bench.clock.pass_hours(1)
    assert isinstance(bench.lookup.run(), Stopped)


def test_the_look_up_after_the_last_one_allowed_is_refused(bench: Any) -> None:
    linked(bench)
    bench.store.note_staleness(Staleness(green_s=3600, refuse_s=7200, lookups_max=3))
    outcomes = [bench.lookup.run() for _ in range(4)]
    assert [type(outcome) for outcome in outcomes] == [Found, Found, Found, Stopped]
    assert (outcomes[3].code, outcomes[3].values["count"]) == (Code.ROWS_MANY, "4")
    bench.clock.pass_hours(0.1)
    bench.is_synced()
    assert isinstance(bench.lookup.run(), Found)


def test_a_confirmation_is_no_second_look_up(bench: Any) -> None:
    linked(bench)
    bench.clock.pass_hours(30)
    outcome = bench.lookup.run()
    bench.visits.confirm(outcome.card)
    assert bench.store.freshness().lookups == 1


def test_a_clock_that_was_put_back_asks_and_says_why(bench: Any) -> None:
    linked(bench)
    bench.clock.moment -= timedelta(days=30)
    outcome = bench.lookup.run()
    assert isinstance(outcome, Unconfirmed)
    assert outcome.code is Code.ROWS_CLOCK


def test_a_stopped_link_is_said_however_old_the_rows_are(bench: Any) -> None:
    linked(bench, LinkStatus.SUSPENDED)
    bench.clock.pass_hours(100)
    assert bench.lookup.run() == Stopped(Code.SUSPENDED)


def test_a_card_with_no_row_may_be_linked_however_old_the_rows_are(bench: Any) -> None:
    bench.clock.pass_hours(100)
    bench.lay()
    assert isinstance(bench.lookup.run(), NotLinked)


def test_before_the_first_rows_came_nobody_is_told_that_they_are_not_linked(
    new_bench: Any,
) -> None:
    new_bench.lay()
    outcome = new_bench.lookup.run()
    assert isinstance(outcome, NotLoaded)
    assert outcome.card.cn.text == PAPER


def test_half_a_table_hands_nothing_over(new_bench: Any) -> None:
    token = default_token(new_bench.provider_key, SubjectCn.parse(PAPER))
    new_bench.has_row(token, "ABCDEFGHI")
    new_bench.lay()
    outcome = new_bench.lookup.run()
    assert isinstance(outcome, Stopped)
    assert outcome.code is Code.ROWS_LOADING
    assert new_bench.till.got == []


def test_a_new_counter_takes_links_before_its_first_rows(new_bench: Any) -> None:
    card = new_bench.identified()
    outcome = new_bench.linking.link(card, ServiceId("789"))
    assert isinstance(outcome, Linked)
    assert outcome.code is Code.LINK_QUEUED


def test_a_store_that_cannot_be_read_is_said_and_nothing_is_handed_over(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked(bench)

    def damaged() -> None:
        raise StoreError(Code.STORE_CORRUPT)

    monkeypatch.setattr(bench.store, "freshness", damaged)
    assert bench.lookup.run() == Stopped(Code.STORE_CORRUPT)
    assert bench.till.got == []


def test_the_desk_confirms_on_its_own_thread_with_the_card_gone(
    bench: Any, desk: Desk, watcher: Any
) -> None:
    linked(bench)
    bench.clock.pass_hours(30)
    outcome = bench.lookup.run()
    bench.reader.remove()
    desk.start()
    desk.confirm_lookup(outcome.card)
    event = watcher.until(LookedUp)
    assert isinstance(event.outcome, Found)
    assert bench.till.got == ["ABCDEFGHI"]


def test_the_next_card_is_looked_up_after_the_confirmation_of_the_last(
    bench: Any, desk: Desk, watcher: Any
) -> None:
    linked(bench)
    bench.clock.pass_hours(30)
    outcome = bench.lookup.run()
    desk.expect_lookup()
    desk.confirm_lookup(outcome.card)
    desk.start()
    assert isinstance(watcher.until(LookedUp).outcome, Found)
    assert isinstance(watcher.until(LookedUp).outcome, Unconfirmed)
    assert bench.till.got == ["ABCDEFGHI"]


def test_another_screen_calls_a_confirmation_off(bench: Any, desk: Desk, watcher: Any) -> None:
    linked(bench)
    bench.clock.pass_hours(30)
    outcome = bench.lookup.run()
    desk.confirm_lookup(outcome.card)
    desk.expect_nothing()
    desk.start()
    with pytest.raises(queue.Empty):
        watcher.until(LookedUp, seconds=0.3)
    assert bench.till.got == []


def test_a_confirmation_that_meets_a_bug_says_so(
    bench: Any, watcher: Any, make_desk: Callable[[DeskFlows], Desk]
) -> None:
    class Buggy:
        def confirm(self, card: Any) -> Any:
            raise RuntimeError("bug")

    card = bench.identified()
    desk = make_desk(Buggy())  # type: ignore[arg-type]  # nothing else is asked of it
    desk.start()
    desk.confirm_lookup(card)
    assert watcher.until(LookedUp).outcome == Stopped(Code.BUG)
