"""What the terminal can draw, found out before Textual is imported.

A bare Linux console has 512 glyphs at most: no kana, no kanji, no bright colours. There the counter
speaks English in plain ASCII with eight colours, and says why. Standard library only, because this
decides about the environment that Textual reads when it is imported.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from enum import Enum, unique

CONSOLE_TERMS = frozenset({"", "linux", "dumb", "ansi", "vt100", "vt102", "vt220"})
ASCII_VARIABLE = "MYKEY_ASCII"
"""Set to anything: draw ASCII even where the terminal seems able to do more."""


@unique
class Render(Enum):
    """How the screens are drawn."""

    RICH = "rich"
    CONSOLE = "console"


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Signs that decorate. None of them carries a meaning: that is always said in a word."""

    rule: str
    bar: str
    pointer: str
    frame: tuple[str, str, str]
    """Three rows that suggest a card reader."""


@dataclass(frozen=True, slots=True)
class RenderProfile:
    """The way of drawing, and the catalogue key of the line that says why it is the plain one."""

    render: Render
    glyphs: Glyphs
    why: str | None = None

    @property
    def draws_japanese(self) -> bool:
        """Whether Japanese can be read here."""
        return self.render is Render.RICH


RICH = RenderProfile(
    Render.RICH,
    Glyphs(rule="─", bar=" │ ", pointer=">", frame=("╭────────────╮", "│   ))))     │", "╰────────────╯")),
)  # fmt: skip
_ASCII = Glyphs(
    rule="-", bar=" | ", pointer=">", frame=("+------------+", "|   ))))     |", "+------------+")
)


def console(why: str) -> RenderProfile:
    """The ASCII profile, with the catalogue key of its reason."""
    return RenderProfile(Render.CONSOLE, _ASCII, why)


_TELLTALES = ("TEXTUAL_LOG", "TEXTUAL", "TEXTUAL_DEBUG")


def detect(environ: Mapping[str, str], *, ascii_only: bool = False) -> RenderProfile:
    """Choose by TERM, by the locale's character set, or because somebody asked for ASCII.

    Python turns the locales C and POSIX into C.UTF-8 by itself, so only a locale that names
    another character set counts as unable.
    """
    if ascii_only or environ.get(ASCII_VARIABLE):
        return console("profile.why.asked")
    if environ.get("TERM", "") in CONSOLE_TERMS:
        return console("profile.why.term")
    names = (environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    locale = next((name for name in names if name), "")
    _, _, charset = locale.partition(".")
    if charset and charset.lower().replace("-", "").partition("@")[0] != "utf8":
        return console("profile.why.locale")
    return RICH


def prepare_environment(environ: MutableMapping[str, str], profile: RenderProfile) -> None:
    """Set what Textual reads at its import: call this before `mykey_tui.app` is imported.

    Its own log and its developer's console are switched off: they write down every key that is
    pressed, and some keys are a PIN.
    """
    for name in _TELLTALES:
        environ.pop(name, None)
    environ["TEXTUAL_ANIMATIONS"] = "none"
    if profile.render is Render.CONSOLE:
        # An old console prints the answers to these questions as rubbish.
        environ["TEXTUAL_DISABLE_KITTY_KEY"] = "1"
        environ["TEXTUAL_DRIVER"] = "mykey_tui.screens.console_driver:ConsoleDriver"
