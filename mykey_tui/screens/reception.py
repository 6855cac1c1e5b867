"""受付: waits for a card, shows what came of it, and keeps the answer until the next card or key."""

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
from mykey_tui.flows.outcomes import HandOver, NotLinked, PinWanted, Stopped, Unconfirmed
from mykey_tui.flows.reader_trouble import READER_TROUBLE
from mykey_tui.screens import actions
from mykey_tui.screens.actions import Action
from mykey_tui.screens.base import CounterScreen
from mykey_tui.screens.deadline import ReadingDeadline
from mykey_tui.screens.host import Host, Overlay, PinAsk, Place
from mykey_tui.screens.layout import Line, left
from mykey_tui.screens.reception_view import (
    CannotStart,
    Confirming,
    Preparing,
    Reading,
    Shown,
    Tested,
    Waiting,
    next_words,
    reception,
)

_ELSEWHERE = frozenset({actions.LINK, actions.QUEUE, actions.CARD, actions.TEST, actions.DOCTOR})
"""Not while a card is read: its answer must be seen."""


class ReceptionScreen(CounterScreen):
    """The first screen. The tap is the key press: reading starts by itself."""

    heading = "place.reception"

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.shown: Shown = Preparing()
        self._trouble: Code | None = None
        self._deadline = ReadingDeadline(self, self._too_slow)

    def offered(self) -> tuple[Action, ...]:
        """All places, and in a demo the hands that lay cards and cut the line."""
        places = (actions.HELP, actions.LINK, actions.QUEUE, actions.CARD)
        hands = self.demo_hands()
        ends = (actions.LANGUAGE, actions.DOCTOR, actions.LEAVE, actions.TEST)
        tour = (actions.TOUR,) if hands else ()
        return (*places, *hands, *ends, *tour, actions.ENTER, actions.BACK)

    def stage(self) -> list[Line]:
        """What is shown now."""
        return reception(self.shown, self.face, card_lies=self.host.card_lies)

    def next_step(self) -> Line:
        """What the state at hand leads to."""
        demo = bool(self.demo_hands())
        return left(next_words(self.shown, self.face, demo=demo), indent=1)

    def entered(self) -> None:
        """Cards are looked up from now on."""
        if self.host.services is None:
            return
        if isinstance(self.shown, Preparing | CannotStart):
            self.shown = Waiting(self._trouble)
        self.host.services.desk.expect_lookup()
        self.repaint()

    def forget(self) -> None:
        """The reception is left for another screen: its answer belongs to somebody who is served."""
        self._clear()

    def cannot_start(self, code: Code) -> None:
        """The services could not be loaded; a key that was told to wait for them is answered."""
        self.calm()
        self.shown = CannotStart(code)
        self.repaint()

    def desk_event(self, event: DeskEvent) -> None:
        """Show what happened at the reader."""
        self.calm()
        if isinstance(self.shown, CannotStart) and not isinstance(event, ReaderIs):
            return  # It says already why no card is answered, and what Enter does.
        match event:
            case ReadingStarted():
                self._show(Reading())
                self._deadline.start()
            case LookedUp(outcome) | LinkFinished(outcome):
                if isinstance(outcome, PinWanted):
                    self._ask_pin(outcome)
                else:
                    self._show(outcome)
            case CardTaken():
                if isinstance(self.shown, Reading):
                    self._show(Stopped(Code.CARD_REMOVED))
            case ReaderIs(state):
                self._trouble = READER_TROUBLE.get(state)
                if isinstance(self.shown, Waiting | Preparing):
                    self.shown = Waiting(self._trouble)
            case CardForgotten() | ServiceCardSeen() | CardWanted() | CardShown() | TapDone():
                pass  # The frame says the first; a screen that was closed asked for the others.
            case _:
                assert_never(event)
        self.repaint()

    def _show(self, shown: Shown) -> None:
        self._deadline.stop()
        self.shown = shown

    def _ask_pin(self, wanted: PinWanted) -> None:
        """Under the PIN screen stands what is true until it is given."""
        self._show(Stopped(Code.PIN_NEEDED))
        services = self.host.services
        if services is not None:
            give = partial(services.desk.lookup_with_pin, wanted.card)
            self.host.ask_pin(PinAsk(wanted, give, LookedUp))

    def _too_slow(self) -> None:
        self._show(Stopped(Code.CARD_SLOW))
        self.repaint()

    def _clear(self) -> None:
        if not isinstance(self.shown, Preparing | CannotStart | Reading | Confirming):
            self.shown = Waiting(self._trouble)

    def do_enter(self) -> None:
        """Start the link after `not linked`; load again after a failed start; else clear."""
        if isinstance(self.shown, NotLinked):
            self.do_link()
        elif isinstance(self.shown, Unconfirmed):
            self._confirm(self.shown)
        elif isinstance(self.shown, CannotStart):
            self.shown = Preparing()
            self.host.reload()
        else:
            self._clear()

    def _confirm(self, unconfirmed: Unconfirmed) -> None:
        """Once for each card: the desk looks again, and hands over what it finds."""
        if self.host.services is not None:
            self._show(Confirming())
            self.host.services.desk.confirm_lookup(unconfirmed.card)

    def do_back(self) -> None:
        """Clear the answer."""
        self._clear()

    def why_not(self, action: Action) -> str | None:
        """After a failed start Enter tries again; during a reading nobody leaves its answer."""
        if isinstance(self.shown, CannotStart) and action is actions.ENTER:
            return None
        if isinstance(self.shown, Reading) and action in _ELSEWHERE:
            return "why.reading"
        if isinstance(self.shown, Confirming) and action in (*_ELSEWHERE, actions.ENTER):
            return "why.confirming"
        return super().why_not(action)

    def do_link(self) -> None:
        """Open the three steps, with the first done where a card was just read."""
        card = self.shown.card if isinstance(self.shown, NotLinked) else None
        self.host.go(Place.LINK, card)

    def do_queue(self) -> None:
        """Open the queue."""
        self.host.go(Place.QUEUE)

    def do_card(self) -> None:
        """Open the card view."""
        self.host.go(Place.CARD)

    def do_tour(self) -> None:
        """Open the demo's tour."""
        self.host.lay(Overlay.TOUR)

    def do_leave(self) -> None:
        """Ask before ending."""
        self.host.lay(Overlay.LEAVE)

    def do_test(self) -> None:
        """Send the marked test value to the till."""
        services = self.host.services
        if services is None:
            return
        self.flash(self.face.text("test.running"))
        self.host.background(
            services.counter.test_handover,
            self._tested,
            lambda code: self._tested(HandOver(code)),
        )

    def _tested(self, handover: HandOver) -> None:
        self.calm()
        self._show(Tested(handover))
        self.repaint()
