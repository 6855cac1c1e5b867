"""Looks of the roles: one palette for able terminals, one of eight colours for bare consoles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from textual.content import Content
from textual.theme import Theme

from mykey_tui.screens.layout import Line, Role, fitted
from mykey_tui.screens.profile import Render, RenderProfile

RICH_THEME = Theme(
    name="mykey",
    primary="#4da3ff",
    foreground="#f2f5f8",
    background="#10202e",
    surface="#10202e",
    panel="#1b3145",
    dark=True,
)
CONSOLE_THEME = Theme(
    name="mykey-console",
    ansi=True,
    primary="ansi_cyan",
    foreground="ansi_white",
    background="ansi_black",
    surface="ansi_black",
    panel="ansi_black",
    # Textual's own style sheet asks for these; no bright colour among them.
    variables={
        "ansi-background": "ansi_black",
        "ansi-foreground": "ansi_white",
        "input-cursor-background": "ansi_white",
        "input-cursor-foreground": "ansi_black",
        "input-selection-background": "ansi_blue",
        "input-selection-foreground": "ansi_white",
        "screen-selection-background": "ansi_blue",
        "screen-selection-foreground": "ansi_white",
    },
)

_RICH: Mapping[Role, str] = {
    Role.PLAIN: "",
    Role.STRONG: "bold #ffffff",
    Role.DIM: "#a9bccd",
    Role.GOOD: "bold #ffffff on #14723f",
    Role.BAD: "bold #ffffff on #a81f1a",
    Role.WARN: "bold #151515 on #f2b632",
    Role.CURRENT: "bold #10202e on #9fd0ff",
    Role.BAR: "#f2f5f8 on #1b3145",
}
# The eight colours and reverse only: a 512-glyph console font costs the bright ones.
_CONSOLE: Mapping[Role, str] = {
    Role.PLAIN: "",
    Role.STRONG: "bold",
    Role.DIM: "",
    Role.GOOD: "ansi_black on ansi_green",
    Role.BAD: "ansi_white on ansi_red",
    Role.WARN: "ansi_black on ansi_yellow",
    Role.CURRENT: "reverse",
    Role.BAR: "",
}


def theme_of(profile: RenderProfile) -> Theme:
    """The Textual theme of a profile."""
    return CONSOLE_THEME if profile.render is Render.CONSOLE else RICH_THEME


def drawn(lines: Sequence[Line], profile: RenderProfile, width: int) -> Content:
    """The rows as Textual content, each exactly `width` cells wide. Never parses markup."""
    console = profile.render is Render.CONSOLE
    palette = _CONSOLE if console else _RICH
    rows: list[Content] = []
    for line in lines:
        parts = [(_ascii(text), role) for text, role in line.parts] if console else line.parts
        cells = fitted(replace(line, parts=tuple(parts)), width).parts
        rows.append(
            Content.assemble(
                *((text, palette[role]) if palette[role] else text for text, role in cells)
            )
        )
    return Content("\n").join(rows)


def _ascii(text: str) -> str:
    """A console font has no more: what it cannot draw becomes a question mark, not a blank."""
    return text.encode("ascii", "replace").decode("ascii")
