"""People whom only this counter knows, and rows that are not fresh: at most 20 of them are served."""

from __future__ import annotations

from typing import Any

import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.digest import EMPTY_DIGEST
from mykey_tui.domain.ids import LookupToken, ServiceId, SubjectCn
from mykey_tui.domain.staleness import PROVISIONAL_MAX, Level, may_serve_provisional
from mykey_tui.domain.tokens import default_token
from mykey_tui.flows.outcomes import Found, Linked, Stopped, Unconfirmed
from mykey_tui.wire.messages import ItemVerdict, PushReply

PAPER = "1C2410DF79DGEL07202002B"


FIRST, LAST = "FIRST00000000099999001A", "LAST000000000099999001A"


def token_of(bench: Any, cn: str) -> LookupToken:
    return default_token(bench.provider_key, SubjectCn.parse(cn))


def link(bench: Any, cn: str, service_id: str) -> None:
    """With no line: it is accepted, and waits."""
    outcome = bench.linking.commit_link(bench.identified(cn), ServiceId(service_id))
    assert isinstance(outcome, Linked)
    assert outcome.code is Code.LINK_QUEUED


def look_up(bench: Any, cn: str) -> Any:
    bench.lay(cn)
    return bench.lookup.run()


def apply(bench: Any, mid: int, cn: str, service_id: str) -> None:
    """The server's word, with its row."""
    row = (bytes(token_of(bench, cn)), None, service_id, 0, 1)
    verdict = ItemVerdict(mid, "applied", row=row)
    reply = PushReply("epoch", 1, EMPTY_DIGEST, "2026-11-22T06:00:00Z", [verdict])
    bench.store.settle(reply, sent=[mid])


@pytest.fixture
def waiting(bench: Any) -> Any:
    """One more than may be used from rows that are not fresh; FIRST is the oldest, LAST the newest."""
    link(bench, FIRST, "F")
    for number in range(PROVISIONAL_MAX - 1):
        token = LookupToken(bytes([number]) * 16)
        bench.store.queue_mutation("link", token, ServiceId(f"M{number}"), lambda _: b"sealed")
    link(bench, LAST, "L")
    return bench


def test_from_fresh_rows_every_link_that_waits_is_used(waiting: Any) -> None:
    outcome = look_up(waiting, LAST)
    assert isinstance(outcome, Found)
    assert outcome.provisional


def test_from_rows_of_a_day_the_oldest_twenty_wait_for_the_clerk_and_no_more(waiting: Any) -> None:
    waiting.clock.pass_hours(30)
    assert isinstance(look_up(waiting, FIRST), Unconfirmed)
    assert look_up(waiting, LAST) == Stopped(Code.LINK_UNPROVEN, {"count": "20"})
    assert waiting.till.got == []


def test_a_clerk_cannot_confirm_what_is_beyond_them(waiting: Any) -> None:
    waiting.clock.pass_hours(30)
    outcome = waiting.visits.confirm(waiting.identified(LAST))
    assert outcome == Stopped(Code.LINK_UNPROVEN, {"count": "20"})
    assert waiting.till.got == []


def test_linking_goes_on_and_nothing_of_it_is_lost(waiting: Any) -> None:
    waiting.clock.pass_hours(30)
    link(waiting, PAPER, "P")
    assert waiting.store.unsent() == PROVISIONAL_MAX + 2


def test_what_the_server_has_decided_makes_room(waiting: Any) -> None:
    waiting.clock.pass_hours(30)
    apply(waiting, 1, FIRST, "F")
    assert isinstance(look_up(waiting, LAST), Unconfirmed)


def test_who_took_the_link_away_again_takes_no_place(waiting: Any) -> None:
    waiting.linking.commit_unlink(waiting.identified(FIRST))
    waiting.clock.pass_hours(30)
    assert isinstance(look_up(waiting, LAST), Unconfirmed)


def test_a_person_with_a_row_is_known_whatever_waits(waiting: Any) -> None:
    """After a server came back from a backup the journal waits again: those people have rows."""
    waiting.has_row(token_of(waiting, LAST), "L")
    waiting.is_synced()
    waiting.clock.pass_hours(30)
    assert waiting.store.provisional_place(token_of(waiting, LAST)) == 0
    assert isinstance(look_up(waiting, LAST), Unconfirmed)


def test_the_place_counts_from_the_oldest(waiting: Any) -> None:
    places = [waiting.store.provisional_place(token_of(waiting, cn)) for cn in (FIRST, LAST, PAPER)]
    assert places == [1, PROVISIONAL_MAX + 1, 0]
    assert waiting.store.provisional_place(LookupToken(bytes(16))) == 2


@pytest.mark.parametrize(
    ("level", "place", "may"),
    [
        (Level.FRESH, 10_000, True),
        (Level.AMBER, 0, True),
        (Level.AMBER, PROVISIONAL_MAX, True),
        (Level.AMBER, PROVISIONAL_MAX + 1, False),
    ],
)
def test_the_rule(level: Level, place: int, may: bool) -> None:
    assert may_serve_provisional(level, place) is may
