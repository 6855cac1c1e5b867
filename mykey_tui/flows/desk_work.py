"""What the card desk does with one card: each piece of work, and the one event that answers it.

On the desk's own thread alone. Here is also remembered what the till was given for the card that
lies there, and since when its answer has stood.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, assert_never

from mykey_tui.card.connection import CardReader
from mykey_tui.domain.clock import Clock
from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import ServiceId
from mykey_tui.flows.desk_events import (
    CardShown,
    DeskEvent,
    LinkFinished,
    LookedUp,
    ReadingStarted,
)
from mykey_tui.flows.desk_requests import (
    CardRequest,
    LinkRequest,
    LookupRequest,
    ShowRequest,
    UnlinkRequest,
)
from mykey_tui.flows.outcomes import (
    CardDetailOutcome,
    Found,
    HandOver,
    IdentifiedCard,
    LinkOutcome,
    LookupOutcome,
    ServiceCardOutcome,
    Stopped,
)
from mykey_tui.flows.pin_entry import PinGiven


class DeskFlows(Protocol):
    """The use cases that need the card, each run on the desk's thread."""

    def lookup(self, *, handover: bool) -> LookupOutcome:
        """Whose card lies there at this provider."""
        ...

    def lookup_with_pin(self, card: IdentifiedCard, given: PinGiven) -> LookupOutcome:
        """The rest of a look-up that wanted the PIN."""
        ...

    def confirm(self, card: IdentifiedCard) -> LookupOutcome:
        """The rest of a look-up in old rows, which a clerk has confirmed. Needs no card."""
        ...

    def service_card(self) -> ServiceCardOutcome:
        """The number of the point card that lies there."""
        ...

    def check_link(self, card: IdentifiedCard, service_id: ServiceId) -> Stopped | None:
        """What already speaks against a link, without any card."""
        ...

    def link(
        self, card: IdentifiedCard, service_id: ServiceId, given: PinGiven | None = None
    ) -> LinkOutcome:
        """Read again, compare, store."""
        ...

    def unlink(self, card: IdentifiedCard, given: PinGiven | None = None) -> LinkOutcome:
        """Read again, compare, take away."""
        ...

    def show(self) -> CardDetailOutcome:
        """What the card's certificate says."""
        ...


class DeskWork:
    """The desk's work; `Desk` says when which of it is done."""

    def __init__(
        self,
        reader: CardReader,
        flows: DeskFlows,
        emit: Callable[[DeskEvent], None],
        clock: Clock,
    ) -> None:
        self._reader = reader
        self._flows = flows
        self._emit = emit
        self._clock = clock
        self._was_sent = False
        """Whether the till was given, or may have been, what this card is for."""
        self._answered_at: float | None = None

    def _look_up(self, *, again: bool) -> LookedUp:
        """Look up and hand over, once for each lay: a card that is only seen again is not sent again."""
        if again and self._was_sent:
            outcome = self._flows.lookup(handover=False)
            if isinstance(outcome, Found):
                outcome = replace(outcome, handover=HandOver(Code.HANDOVER_AGAIN))
            return LookedUp(outcome)
        self._was_sent = False  # What a clerk has just confirmed was the card before this one.
        return self._sent(lambda: self._flows.lookup(handover=True))

    def _sent(self, work: Callable[[], LookupOutcome]) -> LookedUp:
        """The outcome of a look-up that may hand over, remembered for a card that is seen again."""
        before, self._was_sent = self._was_sent, True  # What breaks in there may have been sent.
        outcome = work()
        sent = isinstance(outcome, Found) and outcome.handover.code is not Code.HANDOVER_OFF
        self._was_sent = before or sent
        return LookedUp(outcome)

    def _confirm(self, card: IdentifiedCard) -> None:
        """No card is read, so nothing is said of reading, and no card is asked back for it."""
        try:
            event = self._sent(lambda: self._flows.confirm(card))
        except BaseException:
            self._emit(LookedUp(Stopped(Code.BUG)))
            raise
        self._emit(event)

    def _answer_request(self, request: CardRequest) -> None:
        match request:
            case LinkRequest(card=card, service_id=service_id, given=given):
                self._answer(
                    lambda: LinkFinished(self._flows.link(card, service_id, given)), LinkFinished
                )
            case UnlinkRequest(card=card, given=given):
                self._answer(lambda: LinkFinished(self._flows.unlink(card, given)), LinkFinished)
            case LookupRequest(card=card, given=pin):
                self._answer(
                    lambda: self._sent(lambda: self._flows.lookup_with_pin(card, pin)), LookedUp
                )
            case ShowRequest():
                self._answer(lambda: CardShown(self._flows.show()), CardShown)
            case _:
                assert_never(request)

    def _answer(
        self,
        work: Callable[[], DeskEvent],
        failed: Callable[[Stopped], DeskEvent],
    ) -> None:
        """Say that reading began, do the work, say what came of it, start the clock on the card.

        Whatever breaks inside becomes X-BUG on the screen that waits for this answer, and the
        exception goes on to the loop, which logs it.
        """
        self._emit(ReadingStarted())
        try:
            event = work()
        except BaseException:
            self._emit(failed(Stopped(Code.BUG)))
            raise
        finally:
            self._answered_at = self._clock.monotonic()
        self._emit(event)
