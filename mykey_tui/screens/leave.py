"""F10: ending is asked first, and what waits to be sent is named."""

from __future__ import annotations

from mykey_tui.screens import actions
from mykey_tui.screens.actions import Action
from mykey_tui.screens.base import CounterScreen
from mykey_tui.screens.layout import Line, Role, centre, left, rows


class LeaveScreen(CounterScreen):
    """The question."""

    heading = "place.leave"
    is_overlay = True

    def offered(self) -> tuple[Action, ...]:
        """Yes or back."""
        return (actions.YES, actions.BACK, actions.LANGUAGE)

    def stage(self) -> list[Line]:
        """The question, and what becomes of the queue."""
        waiting = self.host.status.unsent if self.host.status else 0
        about = [
            centre(self.face.text("leave.waiting", count=waiting)),
            centre(self.face.text("leave.keep.box"), Role.STRONG),
        ]
        return rows(
            (5, centre(self.face.text("leave.question"), Role.STRONG)),
            (7, about if waiting else []),
        )

    def next_step(self) -> Line:
        """The two answers."""
        return left(self.face.text("leave.next"), indent=1)

    def do_yes(self) -> None:
        """End."""
        self.host.quit()
