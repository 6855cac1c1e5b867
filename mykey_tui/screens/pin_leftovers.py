"""What a resident still types when the PIN screen has closed by itself: it goes nowhere.

A card slips, and the hand that types its PIN does not stop at once. On the screen below, each of
these digits is a key: it would be shown, open another screen, or end the program.
"""

from __future__ import annotations

from collections.abc import Callable

from textual import events
from textual.app import App
from textual.timer import Timer

LEFTOVER_SECONDS = 3.0
"""Without a digit for so long, the next one is meant for the screen that is seen."""
_KEYS = frozenset({"enter", "backspace"})


class Leftovers(App[None]):
    """Mixed into the app, before all that handles keys."""

    _leftover_timer: Timer | None = None
    _leftovers_ended: Callable[[], None] | None = None

    def swallow_typing(self, ended: Callable[[], None]) -> None:
        """Swallow digits, Enter and Backspace until none came for `LEFTOVER_SECONDS`.

        `ended` is called once, then or when another PIN is asked for.
        """
        self.swallow_no_more()
        self._leftovers_ended = ended
        self._wait_for_the_last()

    def typing_goes_on(self) -> None:
        """One more key came, here or on the keypad: wait anew, if that is waited for."""
        if self._leftovers_ended is not None:
            self._wait_for_the_last()

    def swallow_no_more(self) -> None:
        """Let all keys through from now on. May be called at any time."""
        if self._leftover_timer is not None:
            self._leftover_timer.stop()
        ended, self._leftover_timer, self._leftovers_ended = self._leftovers_ended, None, None
        if ended is not None:
            ended()

    def _wait_for_the_last(self) -> None:
        if self._leftover_timer is not None:
            self._leftover_timer.stop()
        self._leftover_timer = self.set_timer(LEFTOVER_SECONDS, self.swallow_no_more)

    async def on_event(self, event: events.Event) -> None:
        """Swallow what is a leftover; pass on all else."""
        if self._leftovers_ended is not None and _is_typing(event) and not event.is_forwarded:
            self.typing_goes_on()
            return
        await super().on_event(event)


def _is_typing(event: events.Event) -> bool:
    if not isinstance(event, events.Key):
        return False
    return event.key in _KEYS or (event.character or "").isdecimal()
