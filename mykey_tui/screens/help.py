"""F1: the keys of the screen below, from the same registry as its key row, and how things work."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from mykey_tui.domain.assurance import PinPolicy
from mykey_tui.screens import actions
from mykey_tui.screens.actions import Action
from mykey_tui.screens.base import CounterScreen
from mykey_tui.screens.host import Face, Host
from mykey_tui.screens.layout import STAGE_HEIGHT, Line, Role, left, padded, rows, wrap


def help_stage(offered: Sequence[Action], face: Face, policy: PinPolicy | None) -> list[Line]:
    """One row per key, then what everybody should know.

    Of the PIN only what this counter's `policy` says; nothing while it is not known.
    """
    keys = [_key_row(action, face) for action in actions.ALL if action in offered]
    of_pin = () if policy is None else (f"help.about.pin.{policy.value}",)
    names = ("help.about.card", *of_pin, "help.about.codes")
    about = [row for name in names for row in wrap(face.text(name))]
    if face.profile.why:
        about = [*wrap(face.text(face.profile.why)), *about]
    start = len(keys) + 2
    return rows(
        (0, left(face.text("help.title"), Role.STRONG)),
        (1, keys),
        (start, [left(row) for row in about[: STAGE_HEIGHT - start]]),
    )


def _key_row(action: Action, face: Face) -> Line:
    key = f"{action.shown} ({action.other})" if action.other else action.shown
    name = face.text(action.label)
    gap = " " * max(1, 14 - cell_len(name))
    return Line(
        (
            (f"  {padded(key, 11)}", Role.STRONG),
            (name + gap, Role.PLAIN),
            (face.text(action.help), Role.DIM),
        )
    )


class HelpScreen(CounterScreen):
    """The help over any screen."""

    heading = "place.help"
    is_overlay = True

    def __init__(self, host: Host, below: CounterScreen) -> None:
        super().__init__(host)
        self._below = below

    def offered(self) -> tuple[Action, ...]:
        """Back is what one wants here."""
        return (actions.BACK, actions.ENTER, actions.LANGUAGE)

    def do_enter(self) -> None:
        """The same as going back."""
        self.host.back()

    def stage(self) -> list[Line]:
        """The keys of the screen below."""
        services = self.host.services
        policy = services.pin.policy if services is not None else None
        return help_stage(self._below.offered(), self.face, policy)

    def next_step(self) -> Line:
        """The way out."""
        return left(self.face.text("help.next"), indent=1)
