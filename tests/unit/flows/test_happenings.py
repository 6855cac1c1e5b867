"""The event list of the evidence sheet: kinds and ages, no answers to anybody's card."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from mykey_tui.card.connection import ReaderState
from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import ServiceId
from mykey_tui.flows.desk_events import (
    CardForgotten,
    CardShown,
    CardTaken,
    CardWanted,
    LinkFinished,
    LookedUp,
    ReaderIs,
    ReadingStarted,
    TapDone,
)
from mykey_tui.flows.happenings import HAPPENINGS_KEPT, HappeningBook, Kind
from mykey_tui.flows.outcomes import Found, HandOver, LineState, Linked, Stopped
from mykey_tui.flows.soak import Tap


@dataclass
class Hand:
    """A clock that a test moves."""

    seconds: float = 1000.0

    def now(self) -> datetime:
        return datetime(2026, 11, 22, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def book(hand: Hand) -> HappeningBook:
    return HappeningBook(hand)


def told(book: HappeningBook) -> list[tuple[Kind, str]]:
    return [(happening.kind, happening.word) for happening in book.happenings()][1:]


def test_each_has_its_age_and_no_time_of_day(book: HappeningBook, hand: Hand) -> None:
    hand.seconds += 90
    book.note_desk(ReaderIs(ReaderState.NO_SERVICE, "Reader (SN12345678)"))
    hand.seconds += 10
    ages = [happening.seconds_ago for happening in book.happenings()]
    assert ages == [100.0, 10.0]
    assert told(book) == [(Kind.READER, "no-service")], "and no reader's name"


def test_a_visit_leaves_that_a_card_came_and_went(book: HappeningBook) -> None:
    for event in (
        ReadingStarted(),
        LookedUp(Found(ServiceId("2802121234"), HandOver(Code.HANDED_OVER, "file"), 900)),
        CardForgotten(),
        CardTaken(),
        CardWanted(),
        LinkFinished(Linked(Code.LINK_QUEUED, ServiceId("2802121234"), 1)),
    ):
        book.note_desk(event)
    assert told(book) == [
        (Kind.CARD_LAID, ""), (Kind.CARD_LEFT_LYING, ""), (Kind.CARD_TAKEN, ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "code",
    [Code.SUSPENDED, Code.CERTIFICATE_EXPIRED, Code.NOT_LINKED, Code.PIN_BLOCKED, Code.CARD_IS_PHONE,
     Code.CERTIFICATE_FORGED, Code.LINK_DUPLICATE, Code.CARD_SWAPPED],
)  # fmt: skip
def test_what_a_card_was_answered_is_not_kept(book: HappeningBook, code: Code) -> None:
    for event in (LookedUp(Stopped(code)), CardShown(Stopped(code)), TapDone(Tap(code=code))):
        book.note_desk(event)
    assert told(book) == []


@pytest.mark.parametrize("code", [Code.CARD_REMOVED, Code.CARD_MUTE, Code.READER_BUSY])
def test_a_reading_that_failed_is_kept_with_its_code(book: HappeningBook, code: Code) -> None:
    book.note_desk(LookedUp(Stopped(code)))
    assert told(book) == [(Kind.CARD_FAILED, code.value)]


def test_the_line_is_noted_when_it_changes(book: HappeningBook) -> None:
    book.note_line(LineState.UP, None)
    book.note_line(LineState.UP, None)
    book.note_line(LineState.DOWN, Code.LINE_DOWN)
    book.note_line(LineState.UP, None)
    assert [word for _, word in told(book)] == ["up", "N-LINE", "up"]


def test_only_the_last_fifty_are_kept(book: HappeningBook) -> None:
    for _ in range(3 * HAPPENINGS_KEPT):
        book.note(Kind.CARD_LAID)
    assert len(book.happenings()) == HAPPENINGS_KEPT == 50


def test_no_text_can_be_written_down(book: HappeningBook) -> None:
    anything: Any = "1C2410DF79DGEL"
    with pytest.raises(AttributeError):
        book.note(Kind.READER, anything)
