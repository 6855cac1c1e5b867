"""The screens that lie over each other: which one is on top, which one works, and how they change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mykey_tui.domain.codes import Code
from mykey_tui.flows.outcomes import IdentifiedCard, Stopped
from mykey_tui.screens.base import CounterScreen
from mykey_tui.screens.host import Host, Overlay, PinAsk, Place
from mykey_tui.screens.pin_leftovers import Leftovers
from mykey_tui.screens.places import overlay_screen, place_screen
from mykey_tui.screens.reception import ReceptionScreen

if TYPE_CHECKING:
    from mykey_tui.flows.desk_events import DeskEvent


class ScreenStack(Leftovers):
    """Mixed into the app; the reception lies under everything."""

    @property
    def as_host(self) -> Host:
        """The program, as its screens see it."""
        raise NotImplementedError

    @property
    def counter_screen(self) -> CounterScreen:
        """The uppermost screen."""
        assert isinstance(self.screen, CounterScreen)  # noqa: S101  # no other screen is ever pushed
        return self.screen

    @property
    def base_screen(self) -> CounterScreen:
        """The uppermost screen that is no overlay: it has the card."""
        return next(
            screen
            for screen in reversed(self.screen_stack)
            if isinstance(screen, CounterScreen) and not screen.is_overlay
        )

    @property
    def working_screen(self) -> CounterScreen:
        """The uppermost screen of a clerk: what was asked there is answered there."""
        return next(
            screen
            for screen in reversed(self.screen_stack)
            if isinstance(screen, CounterScreen)
            and not screen.is_overlay
            and not screen.is_technicians
        )

    def go(self, place: Place, card: IdentifiedCard | None = None) -> None:
        """Open a place over the reception."""
        self._close_all_screens()
        if place is not Place.RECEPTION:
            self.counter_screen.forget()
            self.push_screen(place_screen(place, self.as_host, card))
        self.base_screen.entered()

    def over(self, place: Place) -> None:
        """Open a place of the doctor's over the present one; the reception's answer goes."""
        if isinstance(self.counter_screen, ReceptionScreen):
            self.counter_screen.forget()
        self.push_screen(place_screen(place, self.as_host, None))
        self.base_screen.entered()

    def lay(self, overlay: Overlay) -> None:
        """Lay an overlay; only one at a time."""
        if not self.counter_screen.is_overlay:
            self.push_screen(overlay_screen(overlay, self.as_host, self.counter_screen))

    def back(self) -> None:
        """Close the uppermost screen; under an overlay nothing changes."""
        if len(self.screen_stack) < 2:
            return
        closing = self.counter_screen
        closing.forget()
        self.pop_screen()
        self.counter_screen.repaint()
        if not closing.is_overlay:
            self.base_screen.entered()

    def ask_pin(self, ask: PinAsk) -> None:
        """Lay the PIN screen over the present one, closing what lies over that."""
        from mykey_tui.screens.pin import PinScreen  # noqa: PLC0415  # opened by few counters

        while self.counter_screen.is_overlay:
            self.back()
        try:
            screen = PinScreen(self.as_host, ask)
        except OSError:  # This system would let a PIN end in a core on a disk.
            self.working_screen.desk_event(ask.failed(Stopped(Code.KEYPAD_NONE)))
            return
        self.swallow_no_more()
        self.push_screen(screen)
        screen.entered()

    def answer_below(self, closing: CounterScreen, event: DeskEvent) -> None:
        """Close `closing`, with what lies over it, and give the event to the clerk's screen below.

        Not to the doctor, who may lie between: the question came over it, and it asked nothing.
        """
        if closing not in self.screen_stack:
            return  # It was closed by somebody else meanwhile, and its digits are forgotten.
        while self.counter_screen is not closing:
            self.back()
        self.back()
        self.working_screen.desk_event(event)
        self.counter_screen.repaint()

    def _close_all_screens(self) -> None:
        while len(self.screen_stack) > 1:
            self.counter_screen.forget()
            self.pop_screen()
