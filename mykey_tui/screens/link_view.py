"""What the link screen's stage shows: the paper's three steps, each with its state in words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, unique

from mykey_tui.domain.codes import Code
from mykey_tui.domain.text import safe
from mykey_tui.flows.outcomes import LineState, Linked, Status, Stopped
from mykey_tui.screens.host import Face
from mykey_tui.screens.layout import Line, Part, Role, centre, left, rows, wrap
from mykey_tui.screens.reception_view import finished, said

FIELD_ROW = 9
FIELD_COLUMN = 24
STEP_WIDTH = 66


@unique
class Step(Enum):
    """Where the three steps stand."""

    MY_CARD = "my-card"
    SERVICE_CARD = "service-card"
    REGISTER = "register"
    STORING = "storing"
    DONE = "done"


@dataclass(slots=True)
class LinkState:
    """What the view shows. `number` is the service ID of step 2, `first` the first of two typings."""

    step: Step = Step.MY_CARD
    my_key_id: str = ""
    number: str = ""
    typed_once: bool = False
    reading: bool = False
    wanted: bool = False
    """Step 3 waits for the resident's card, to compare."""
    swap: bool = False
    """The service card lies in its way."""
    not_loaded: bool = False
    """Whether the card is linked already could not be looked up."""
    message: Stopped | None = None
    outcome: Linked | Stopped | None = None


def link_stage(
    state: LinkState,
    status: Status | None,
    face: Face,
    *,
    card_lies: bool,
    scanner_missing: bool = False,
) -> list[Line]:
    """The stage: the steps, or the answer when it is there."""
    if isinstance(state.outcome, Linked):
        return finished(state.outcome, face, card_lies=card_lies)
    if state.outcome is not None:
        return said(state.outcome, face)
    if scanner_missing and state.message is None and state.step is Step.SERVICE_CARD:
        state = replace(state, message=Stopped(Code.SCANNER_NONE))
    return rows(
        (0, _step(face, 1, state.step is Step.MY_CARD)),
        (2, _value(state.my_key_id, _first_state(state), face)),
        (4, _step(face, 2, state.step is Step.SERVICE_CARD)),
        (6, [left(row, Role.DIM, indent=10) for row in wrap(face.text("link.inputs"), STEP_WIDTH)]),
        (FIELD_ROW, _field(state, face)),
        (11, _step(face, 3, state.step in (Step.REGISTER, Step.STORING))),
        (12, _third(state, face)),
        (14, _below(state, status, face)),
    )


def _step(face: Face, number: int, current: bool) -> list[Line]:
    pointer = face.profile.glyphs.pointer if current else " "
    role = Role.STRONG if current else Role.DIM
    first, *others = wrap(face.text(f"link.step{number}"), STEP_WIDTH)
    name = face.text(f"link.name{number}")
    head = Line(
        (
            (f" {pointer} ", Role.STRONG),
            (f"{name:<4} " if face.is_console else f"{name} ", role),
            (first, role),
        )
    )
    return [head, *(left(row, role, indent=10) for row in others)]


def _first_state(state: LinkState) -> str:
    if state.my_key_id:
        return "link.read"
    return "link.reading" if state.reading else "link.waiting"


def _value(text: str, word: str, face: Face) -> Line:
    shown = safe(text, 32)
    parts: list[Part] = [(" " * 10, Role.PLAIN)]
    if shown:
        parts.append((shown + "   ", Role.STRONG))
    parts.append((face.text(word), Role.PLAIN))
    return Line(tuple(parts))


def _field(state: LinkState, face: Face) -> Line:
    name = face.text("service.id")
    if state.step is Step.MY_CARD:
        return left(name, Role.DIM, indent=10)
    if state.step is Step.SERVICE_CARD:
        word = "link.second" if state.typed_once else "link.waiting"
        word = "link.reading" if state.reading else word
        gap = " " * (FIELD_COLUMN + 36 - 10)
        return Line(
            (
                (" " * 10, Role.PLAIN),
                (name, Role.PLAIN),
                (gap[: 50 - 10], Role.PLAIN),
                (face.text(word), Role.PLAIN),
            )
        )
    return Line(
        (
            (" " * 10, Role.PLAIN),
            (f"{name}   ", Role.PLAIN),
            (safe(state.number, 32), Role.STRONG),
            ("   " + face.text("link.read"), Role.PLAIN),
        )
    )


def _third(state: LinkState, face: Face) -> Line:
    word = "link.button" if state.step is Step.REGISTER else "link.button.later"
    if state.step is Step.STORING:
        word = "link.storing"
    ready = state.step is Step.REGISTER
    return left(face.text(word), Role.STRONG if ready else Role.DIM, indent=10)


def _below(state: LinkState, status: Status | None, face: Face) -> list[Line]:
    if state.wanted:
        key = "link.swap.cards" if state.swap else "link.lay.again"
        return [centre(face.text(key), Role.WARN)]
    if state.message is not None:
        text = face.code(state.message.code, state.message.values)
        title = face.marked("bad", text.title)
        return [
            Line(
                (
                    ("  ", Role.PLAIN),
                    (title, Role.BAD),
                    (f"  {state.message.code.value}", Role.PLAIN),
                )
            ),
            left(text.say),
            left(text.next, Role.STRONG),
        ]
    if state.not_loaded:
        return [left(row) for row in wrap(face.text("link.not.loaded"))]
    if status is not None and status.line not in (LineState.UP, LineState.UNKNOWN):
        return [left(row) for row in wrap(face.text("link.offline", count=status.waiting))]
    return []
