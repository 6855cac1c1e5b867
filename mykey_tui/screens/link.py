"""サービスID登録: the three steps of the concept paper, on one screen.

Step 1 reads the resident's card, step 2 the service's own card (by tap, scan or two typings), step
3 reads the resident's card again, compares, and stores. Nothing leaves this screen to the till.
"""

from __future__ import annotations

from functools import partial
from typing import assert_never

from mykey_tui.domain.codes import Code
from mykey_tui.flows.desk_events import (
    CardForgotten,
    CardShown,
    CardTaken,
    CardWanted,
    DeskEvent,
    LinkFinished,
    LookedUp,
    ReaderIs,
    ReadingStarted,
    ServiceCardSeen,
    TapDone,
)
from mykey_tui.flows.outcomes import (
    Found,
    IdentifiedCard,
    Linked,
    LinkOutcome,
    LookupOutcome,
    NotLinked,
    NotLoaded,
    PinWanted,
    ServiceCardRead,
    Stopped,
    Unconfirmed,
)
from mykey_tui.screens.deadline import ReadingDeadline
from mykey_tui.screens.host import Host, PinAsk
from mykey_tui.screens.link_steps import LinkSteps
from mykey_tui.screens.link_view import Step


class LinkScreen(LinkSteps):
    """The three steps and the card reader. A tap does what its step waits for."""

    def __init__(self, host: Host, card: IdentifiedCard | None) -> None:
        super().__init__(host, card)
        self._deadline = ReadingDeadline(self, self._too_slow)

    def desk_event(self, event: DeskEvent) -> None:
        """Take what the step at hand waits for."""
        self.calm()
        match event:
            case ReadingStarted():
                self._reading_started()
            case LookedUp(outcome):
                self._answered()
                self._my_card_seen(outcome)
            case ServiceCardSeen(outcome):
                self._answered()
                self._service_card_lies = isinstance(outcome, ServiceCardRead)
                if self.state.step is Step.SERVICE_CARD:
                    self._take_number(outcome)
            case CardWanted():
                self.state.wanted = self.state.outcome is None
            case LinkFinished(outcome):
                self._link_finished(outcome)
            case CardTaken():
                self._taken()
            case ReaderIs() | CardForgotten() | CardShown() | TapDone():
                pass  # The frame says the first two; other screens asked for the others.
            case _:
                assert_never(event)
        self.repaint()

    def _reading_started(self) -> None:
        self._service_card_lies = False
        self.state.reading, self.state.wanted, self.state.message = True, False, None
        if self._may_be_tried_again:
            self.state.outcome, self.state.step = None, Step.STORING
        self._deadline.start()

    def _answered(self) -> None:
        self.state.reading = False
        self._deadline.stop()

    def _taken(self) -> None:
        self._answered()
        self._service_card_lies = False
        if self._commit_when_taken:
            self._commit()

    def _too_slow(self) -> None:
        self.state.reading = False
        self.state.message = Stopped(Code.CARD_SLOW)
        self.repaint()

    def _my_card_seen(self, outcome: LookupOutcome) -> None:
        if self.state.step is not Step.MY_CARD:
            return
        match outcome:
            case NotLinked(card) | NotLoaded(card):
                self._take_card(card, not_loaded=isinstance(outcome, NotLoaded))
                self.entered()
            case Found(service_id):
                self._end(Stopped(Code.LINK_DUPLICATE, {"last": service_id.last}))
            case Unconfirmed():
                self._end(Stopped(Code.LINK_DUPLICATE))
            case PinWanted():
                self.state.message = Stopped(Code.PIN_NEEDED)
            case Stopped():
                self.state.message = outcome
            case _:
                assert_never(outcome)

    def _link_finished(self, outcome: LinkOutcome) -> None:
        """The last word; or, where the card was the trouble, the same card laid again goes on."""
        was_read = self.state.reading
        self._answered()
        if isinstance(outcome, PinWanted):
            self._ask_pin(outcome)
            return
        self._end(outcome)
        if self._may_be_tried_again and was_read:
            self._commit_when_taken = self.host.card_lies
            if not self._commit_when_taken:
                self._commit()

    def _ask_pin(self, wanted: PinWanted) -> None:
        """The provider wants the PIN before the link is stored."""
        services = self.host.services
        if services is not None and self._card is not None and self._number is not None:
            give = partial(services.desk.commit_link, self._card, self._number)
            self.host.ask_pin(PinAsk(wanted, give, LinkFinished))

    def _end(self, outcome: Linked | Stopped) -> None:
        self.state.wanted = False
        self.state.outcome, self.state.step = outcome, Step.DONE
        if not self._may_be_tried_again:
            self._card = self._number = None
            if self.host.services is not None:
                self.host.services.desk.expect_lookup()
