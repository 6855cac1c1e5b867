"""The head row and the key row."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from mykey_tui.domain.text import safe
from mykey_tui.screens.actions import LANGUAGE, UP, Action
from mykey_tui.screens.host import Face, Host
from mykey_tui.screens.layout import Line, Part, Role, clipped

_NAME_WIDTH_MAX = 16
"""A counter's name in the corner; the provider's name gets what is left."""


def head_line(host: Host, heading: str, width: int) -> Line:
    """Where one is, whose service this is, which counter; and SIMULATED wherever nothing is real."""
    status, face = host.status, host.face
    name = face.text(heading)
    provider = _name(status.provider_name, face) if status else ""
    counter = clipped(_name(status.counter_name, face), _NAME_WIDTH_MAX) if status else ""
    simulated = host.simulated or (status is not None and status.simulated)
    right: list[Part] = [(counter, Role.PLAIN)]
    if simulated:
        right.extend((("  ", Role.PLAIN), (" " + face.text("simulated") + " ", Role.WARN)))
    room = width - 1 - cell_len(name) - 3 - sum(cell_len(text) for text, _ in right) - 2
    provider = clipped(provider, max(0, room))
    gap = max(1, room - cell_len(provider) + 1)
    return Line(
        (
            (" ", Role.PLAIN),
            (name, Role.STRONG),
            ("   ", Role.PLAIN),
            (provider, Role.PLAIN),
            (" " * gap, Role.PLAIN),
            *right,
            (" ", Role.PLAIN),
        )
    )


def _name(text: str, face: Face) -> str:
    """A name from outside; a console that could show it as question marks only shows none."""
    return "" if face.is_console and not text.isascii() else safe(text, 64)


def key_line(offered: Sequence[Action], face: Face, width: int, *, digits: bool) -> Line:
    """The keys that do something here. Tighter where it must be; the help has them all.

    `digits` says whether digits and letters are keys here too, and not text for a field.
    """
    shown = [action for action in offered if action.in_key_row]
    if face.is_console:
        shown = [action for action in shown if action is not LANGUAGE]
    line = _joined(shown, face, width, digits=digits)
    while cell_len(line) > width and len(shown) > 1:
        shown.pop()
        line = _joined(shown, face, width, digits=digits)
    return Line(((line, Role.BAR),), fill=Role.BAR)


def _joined(shown: Sequence[Action], face: Face, width: int, *, digits: bool) -> str:
    others = " ".join(action.other for action in shown if action.other)
    hint = ""
    if face.is_console and digits and others:
        hint = "  " + face.text("keys.others", keys=others)
    words = [_key(action, face) for action in shown]
    wide = " " + "  ".join(words) + hint
    return wide if cell_len(wide) <= width else " " + " ".join(words) + hint


def _key(action: Action, face: Face) -> str:
    if action is UP:
        return face.text("keys.up.down")
    return f"{action.shown} {face.text(action.label)}"
