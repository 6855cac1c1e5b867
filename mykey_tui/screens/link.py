"""サービスID登録: the three steps of the concept paper, on one screen.

Step 1 reads the resident's card, step 2 the service's own card (by tap, scan or two typings), step
3 reads the resident's card again, compares, and stores. Nothing leaves this screen to the till.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from textual.timer import Timer
from textual.widget import Widget

from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import ServiceId
from mykey_tui.flows.desk_events import (
    READING_DEADLINE_SECONDS,
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
)
from mykey_tui.flows.outcomes import (
    Found,
    IdentifiedCard,
    Linked,
    LinkOutcome,
    LookupOutcome,
    NotLinked,
    ServiceCardOutcome,
    Stopped,
)
from mykey_tui.screens import actions
from mykey_tui.screens.actions import Action
from mykey_tui.screens.base import CounterScreen
from mykey_tui.screens.field import NumberField
from mykey_tui.screens.host import Host
from mykey_tui.screens.layout import Line, Role, left
from mykey_tui.screens.link_view import LinkState, Step, link_stage

SHOWN_TAIL = 2
"""So much of a number that is linked already is shown: the person knows the rest."""
_FINAL = frozenset(
    {Code.LINK_DUPLICATE, Code.SERVICE_ID_TAKEN, Code.NOT_REGISTERED, Code.SUSPENDED, Code.RENEWED}
)
"""Answers that trying again with the same two cards will not change."""


class LinkScreen(CounterScreen):
    """The three steps. Keyboard: at most Enter, the number, Enter."""

    heading = "place.link"

    def __init__(self, host: Host, card: IdentifiedCard | None) -> None:
        super().__init__(host)
        self.state = LinkState()
        self._card: IdentifiedCard | None = None
        self._number: ServiceId | None = None
        self._first: ServiceId | None = None
        self._deadline: Timer | None = None
        self._forgotten = False
        if card is not None:
            self._take_card(card)

    # What is shown

    def offered(self) -> tuple[Action, ...]:
        """Enter means the step's own button."""
        step = self.state.step
        if step is Step.REGISTER:
            first: tuple[Action, ...] = (actions.REGISTER, actions.AGAIN)
        else:
            first = (actions.ENTER,)
        ends = (actions.BACK, actions.HELP, actions.LANGUAGE)
        return (*first, *ends, *self.demo_hands())

    def stage(self) -> list[Line]:
        """The steps or the answer."""
        return link_stage(self.state, self.host.status, self.face)

    def next_step(self) -> Line:
        """One sentence for the step at hand."""
        if self._forgotten:
            return left(self.face.text("reception.forgotten"), Role.WARN, indent=1)
        key = f"link.next.{self.state.step.value}"
        if isinstance(self.state.outcome, Stopped):
            final = self.state.outcome.code in _FINAL
            key = "link.next.refused" if final else "link.next.retry"
        return left(self.face.text(key), indent=1)

    @property
    def takes_text(self) -> bool:
        """Step 2 has the field."""
        return self.state.step is Step.SERVICE_CARD

    def over_the_stage(self) -> Iterable[Widget]:
        """The field of step 2."""
        yield NumberField()

    def repaint(self) -> None:
        """The field is there in step 2 alone, and has the keys then."""
        super().repaint()
        if not self.is_mounted:
            return
        field, wanted = self.query_one(NumberField), self.takes_text
        if field.display != wanted:
            field.display = wanted
        if wanted and self.focused is not field:
            field.focus()
        elif not wanted and self.focused is not None:
            self.set_focus(None)

    # Steps

    def entered(self) -> None:
        """Tell the desk what the next card is for."""
        services = self.host.services
        if services is None:
            return
        if self.state.step is Step.MY_CARD:
            services.desk.expect_lookup(handover=False)
        elif self.state.step is Step.SERVICE_CARD:
            services.desk.expect_service_card()
        elif self.state.step is Step.REGISTER:
            services.desk.expect_nothing()
        self.repaint()

    def forget(self) -> None:
        """Nothing of the person stays behind."""
        self._card = self._number = self._first = None
        self.state = LinkState()

    def _take_card(self, card: IdentifiedCard) -> None:
        self._card = card
        self.state.my_key_id = card.cn.my_key_id.text
        self.state.step = Step.SERVICE_CARD
        self.state.message = None

    def _take_number(self, outcome: ServiceCardOutcome) -> None:
        if isinstance(outcome, Stopped):
            self.state.message = outcome
        else:
            self._number = outcome.service_id
            self.state.number = outcome.service_id.text
            self.state.step = Step.REGISTER
            self.state.message = None
        self._first = None
        self.state.typed_once = False
        self._empty_field()
        self.entered()

    def _empty_field(self) -> None:
        if self.is_mounted:
            self.query_one(NumberField).value = ""

    def do_enter(self) -> None:
        """The button of step 1 or 2, or away from the answer."""
        step = self.state.step
        if step is Step.MY_CARD:
            self.entered()
            self.flash(self.face.text("link.next.my-card"))
        elif step is Step.SERVICE_CARD:
            self._typed(self.query_one(NumberField).value)
        elif step is Step.DONE:
            self._after_answer()

    def _typed(self, text: str) -> None:
        services = self.host.services
        if services is None:
            return
        if not text.strip():
            self.flash(self.face.text("link.next.service-card"))
            return
        outcome = services.counter.check_service_id(text)
        if isinstance(outcome, Stopped):
            self.state.message = outcome
        elif self._first is None:
            self._first = outcome.service_id
            self.state.typed_once, self.state.message = True, None
            self._empty_field()
        elif self._first == outcome.service_id:
            self._take_number(outcome)
        else:
            self._take_number(Stopped(Code.SERVICE_ID_TYPED_DIFFERENTLY))

    def scanned(self, text: str) -> None:
        """A barcode is the service ID, wherever the focus is, but only in step 2."""
        services = self.host.services
        if services is None or self.state.step is not Step.SERVICE_CARD:
            super().scanned(text)
            return
        self._take_number(services.counter.check_service_id(text))
        self.repaint()

    def do_again(self) -> None:
        """Step 2 once more."""
        self._number, self.state.number = None, ""
        self.state.step = Step.SERVICE_CARD
        self.entered()

    def do_register(self) -> None:
        """The button of step 3: read the card again, compare, store."""
        services = self.host.services
        if services is None or self._card is None or self._number is None:
            return
        self.state.step, self.state.message = Step.STORING, None
        services.desk.commit_link(self._card, self._number)

    def _after_answer(self) -> None:
        outcome = self.state.outcome
        if isinstance(outcome, Stopped) and outcome.code not in _FINAL:
            self.state.outcome = None
            self.state.step = Step.REGISTER
            self.entered()
        else:
            self.host.back()

    def why_not(self, action: Action) -> str | None:
        """While step 3 stores, Enter has nothing to do."""
        if action is actions.ENTER and self.state.step is Step.STORING:
            return "why.storing"
        return super().why_not(action)

    # The reader

    def desk_event(self, event: DeskEvent) -> None:
        """Take what the step at hand waits for."""
        self.calm()
        match event:
            case ReadingStarted():
                self._reading(True)
            case LookedUp(outcome):
                self._reading(False)
                self._my_card_seen(outcome)
            case ServiceCardSeen(outcome):
                self._reading(False)
                if self.state.step is Step.SERVICE_CARD:
                    self._take_number(outcome)
            case CardWanted():
                self.state.wanted = True
            case LinkFinished(outcome):
                self._reading(False)
                self._finished(outcome)
            case CardTaken():
                self._forgotten = False
                self._reading(False)
            case CardForgotten():
                self._forgotten = True
                self.app.bell()
            case ReaderIs() | CardShown():
                pass  # The status line says it; the card view asked for the other.
            case _:
                assert_never(event)
        self.repaint()

    def _reading(self, now: bool) -> None:
        self.state.reading = now
        if self._deadline is not None:
            self._deadline.stop()
            self._deadline = None
        if now:
            self.state.wanted = self._forgotten = False
            self.state.message = None
            self._deadline = self.set_timer(READING_DEADLINE_SECONDS, self._too_slow)

    def _too_slow(self) -> None:
        self.state.reading = False
        self.state.message = Stopped(Code.CARD_SLOW)
        self.repaint()

    def _my_card_seen(self, outcome: LookupOutcome) -> None:
        if self.state.step is not Step.MY_CARD:
            return
        match outcome:
            case NotLinked(card):
                self._take_card(card)
                self.entered()
            case Found(service_id):
                tail = {"last": service_id.text[-SHOWN_TAIL:]}
                self._finished(Stopped(Code.LINK_DUPLICATE, tail))
            case Stopped():
                self.state.message = outcome
            case _:
                assert_never(outcome)

    def _finished(self, outcome: LinkOutcome) -> None:
        self.state.wanted = False
        self.state.outcome = outcome
        self.state.step = Step.DONE
        if isinstance(outcome, Linked):
            self._card = self._number = None
