"""How long a reading may take before the screen says C-SLOW by itself."""

from __future__ import annotations

from collections.abc import Callable

from textual.screen import Screen
from textual.timer import Timer

from mykey_tui.flows.desk_events import READING_DEADLINE_SECONDS


class ReadingDeadline:
    """One timer, started with a reading and stopped with its answer."""

    def __init__(self, screen: Screen[None], late: Callable[[], None]) -> None:
        self._screen = screen
        self._late = late
        self._timer: Timer | None = None

    def start(self) -> None:
        """A reading began."""
        self.stop()
        self._timer = self._screen.set_timer(READING_DEADLINE_SECONDS, self._late)

    def stop(self) -> None:
        """It is answered, or nobody waits for it any more."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
