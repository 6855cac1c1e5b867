"""What the PIN screen's stage shows: how many digits there are, and never which."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique

from mykey_tui.card.allow_list import PIN_LENGTH
from mykey_tui.domain.codes import Code
from mykey_tui.screens.host import Face
from mykey_tui.screens.layout import Line, Role, band, centre, rows, wrap

OVERRIDE_WORD = "LAST"
"""What somebody types on purpose before the last try is used."""
_BOX_TOP = "+-------+"
_BOX_EMPTY = "|       |"
_BOX_FULL = "|  ###  |"
_GAP = "   "


@unique
class PinStep(Enum):
    """Where the entry stands."""

    TYPING = "typing"
    ON_READER = "on-reader"
    """The reader has keys of its own; Enter lets it begin."""
    OVERRIDE = "override"
    """One try is left: a word must be typed first."""
    SENT = "sent"
    LOCKED = "locked"


@dataclass(slots=True)
class PinState:
    """What the view shows. `dots` counts digits; `word` is what was typed of the override."""

    step: PinStep
    tries_left: int | None
    dots: int = 0
    word: str = ""
    wrong: bool = False
    """The last one was refused."""
    on_keypad: bool = False
    for_link: bool = False


def pin_stage(state: PinState, face: Face) -> list[Line]:
    """The stage: title, tries left, four boxes, and what to do."""
    if state.step is PinStep.LOCKED:
        return _slip(face)
    why = face.text("pin.why.link" if state.for_link else "pin.why.lookup")
    return rows(
        (0, centre(face.text("pin.title"), Role.STRONG)),
        (1, centre(why, Role.DIM)),
        (3, _tries(state, face)),
        (6, _boxes(state) if state.step in (PinStep.TYPING, PinStep.SENT) else _other(state, face)),
        (13, [centre(row, Role.STRONG) for row in wrap(_what_now(state, face))]),
        (16, [centre(row, Role.DIM) for row in wrap(face.text("pin.yours"))]),
    )


def slip_text(face: Face) -> list[str]:
    """The slip for a resident whose PIN is locked. It names nobody and no time."""
    return [face.text(f"pin.slip.{part}") for part in ("what", "where", "bring", "meanwhile")]


def _slip(face: Face) -> list[Line]:
    title = face.marked("bad", face.code(Code.PIN_BLOCKED).title)
    lines = [centre(row) for part in slip_text(face) for row in (*wrap(part), "")]
    return rows((0, band(title, Role.BAD, Code.PIN_BLOCKED.value)), (4, lines))


def _tries(state: PinState, face: Face) -> list[Line]:
    few = state.tries_left is None or state.tries_left <= 1
    key = "pin.left.unknown" if state.tries_left is None else "pin.left"
    left = face.text(key, count=state.tries_left or 0)
    role = Role.WARN if few or state.wrong else Role.STRONG
    if not state.wrong:
        return [centre(left, role)]
    title = face.marked("bad", face.code(Code.PIN_WRONG).title)
    return [centre(f"{title}   {Code.PIN_WRONG.value}", Role.BAD), centre(left, role)]


def _boxes(state: PinState) -> list[Line]:
    full = [number < state.dots for number in range(PIN_LENGTH)]
    middle = _GAP.join(_BOX_FULL if each else _BOX_EMPTY for each in full)
    edge, air = _GAP.join([_BOX_TOP] * PIN_LENGTH), _GAP.join([_BOX_EMPTY] * PIN_LENGTH)
    return [centre(row, Role.STRONG) for row in (edge, air, middle, middle, air, edge)]


def _other(state: PinState, face: Face) -> list[Line]:
    if state.step is PinStep.ON_READER:
        return [centre(row, Role.STRONG) for row in wrap(face.text("pin.on.reader"))]
    key = "pin.last.unknown" if state.tries_left is None else "pin.last"
    asked = [centre(row, Role.STRONG) for row in wrap(face.text(key, word=OVERRIDE_WORD))]
    return [*asked, Line(), centre(f"> {state.word}", Role.STRONG)]


def _what_now(state: PinState, face: Face) -> str:
    match state.step:
        case PinStep.TYPING if state.on_keypad:
            return face.text("pin.type.keypad")
        case PinStep.TYPING:
            return face.text("pin.type.keyboard")
        case PinStep.SENT:
            return face.text("pin.sent")
        case PinStep.ON_READER:
            return face.text("pin.start.reader")
        case _:
            return ""
