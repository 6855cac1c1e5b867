"""The demo's tour on one page: what to press, in an order that shows everything."""

from __future__ import annotations

from mykey_tui.screens import actions
from mykey_tui.screens.actions import Action
from mykey_tui.screens.base import CounterScreen
from mykey_tui.screens.host import Face
from mykey_tui.screens.layout import Line, Role, left, rows, wrap

STEPS = 7


def tour_stage(face: Face) -> list[Line]:
    """The seven stations of the tour."""
    lines: list[Line] = []
    for number in range(1, STEPS + 1):
        for count, row in enumerate(wrap(face.text(f"tour.{number}"), 72)):
            lines.append(left(f"{number}. {row}" if count == 0 else f"   {row}"))
    return rows((0, left(face.text("tour.title"), Role.STRONG)), (2, lines))


class TourScreen(CounterScreen):
    """The page."""

    heading = "place.tour"
    is_overlay = True

    def offered(self) -> tuple[Action, ...]:
        """Back is what one wants here."""
        return (actions.BACK, actions.ENTER, actions.LANGUAGE)

    def do_enter(self) -> None:
        """The same as going back."""
        self.host.back()

    def stage(self) -> list[Line]:
        """The stations."""
        return tour_stage(self.face)

    def next_step(self) -> Line:
        """The way out."""
        return left(self.face.text("tour.next"), indent=1)
