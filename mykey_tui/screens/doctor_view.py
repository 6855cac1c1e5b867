"""診断 as it is drawn: all layers at a glance, and of the one at the pointer what to do next."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.cells import cell_len

from mykey_tui.diagnostics.finding import Finding, Report, State
from mykey_tui.diagnostics.layer import Layer
from mykey_tui.diagnostics.wording import words_of
from mykey_tui.domain.text import safe
from mykey_tui.i18n.catalog import Language
from mykey_tui.screens.host import Face
from mykey_tui.screens.layout import (
    BLANK,
    STAGE_HEIGHT,
    Line,
    Part,
    Role,
    clipped,
    left,
    padded,
    rows,
    wrap,
)

LAYERS = tuple(Layer)
_HALF = 8
"""The way to the card on the left, the counter itself on the right."""
_ADVICE_ROW = _HALF + 1
_POINTER_WIDTH = 3
_MARGIN = 1
_PAUSE = re.compile("[、：（]|, |: | \\(")
_COMMAND_INDENT = 6
_COMMAND_WIDTH = 72
_ROLES = {
    State.OK: Role.PLAIN,
    State.NOTE: Role.STRONG,
    State.FAULT: Role.BAD,
    State.UNKNOWN: Role.WARN,
    State.SKIPPED: Role.DIM,
}


@dataclass(slots=True)
class Examined:
    """What the doctor's screen shows: findings so far, and which one is looked at."""

    found: dict[Layer, Finding] = field(default_factory=dict)
    running: bool = False
    seconds: float = 0.0
    chosen: Layer | None = None
    """The layer at the pointer, where somebody moved it."""

    @property
    def report(self) -> Report | None:
        """The whole, once it is."""
        if self.running or not self.found:
            return None
        return Report(tuple(self.found.values()), self.seconds)

    @property
    def at(self) -> Layer | None:
        """The layer that is told below: the chosen one, else the one that is worth it."""
        return self.chosen or worth_telling(self.found)


def worth_telling(found: Mapping[Layer, Finding]) -> Layer | None:
    """The lowest fault, else what could not be told, else a note; None where all is well."""
    for state in (State.FAULT, State.UNKNOWN, State.NOTE):
        for finding in found.values():
            if finding.state is state:
                return finding.layer
    return None


@dataclass(frozen=True, slots=True)
class _Column:
    """Widths of one of the two columns, in cells: 80 together."""

    name: int
    state: int
    short: int


_JAPANESE = (_Column(11, 7, 18), _Column(9, 7, 22))
_ENGLISH = (_Column(12, 8, 17), _Column(10, 8, 19))


def doctor_stage(examined: Examined, face: Face) -> list[Line]:
    """Two columns of layers, and below them one next step with its command."""
    columns = _JAPANESE if face.catalog.language is Language.JAPANESE else _ENGLISH
    halves = (LAYERS[:_HALF], LAYERS[_HALF:])
    pairs = [
        Line(
            tuple(
                part
                for column, half in zip(columns, halves, strict=True)
                if row < len(half)
                for part in _cell(half[row], column, examined, face)
            )
        )
        for row in range(_HALF)
    ]
    return rows((0, pairs), (_ADVICE_ROW, _advice(examined, face)))


def _cell(layer: Layer, column: _Column, examined: Examined, face: Face) -> tuple[Part, ...]:
    pointer = face.profile.glyphs.pointer if layer is examined.at else " "
    name = padded(face.text(f"doctor.layer.{layer.value}"), column.name)
    finding = examined.found.get(layer)
    if finding is None:
        waiting = face.text("doctor.waiting") if examined.running else ""
        state, role, short = waiting, Role.DIM, ""
    else:
        state, role = face.text(f"doctor.state.{finding.state.value}"), _ROLES[finding.state]
        short = _short(finding, face, column.short - _MARGIN)
    return (
        (padded(f" {pointer}", _POINTER_WIDTH), Role.PLAIN),
        (name, Role.PLAIN),
        (padded(state, column.state), role),
        (padded(short, column.short), Role.DIM if role is Role.DIM else Role.PLAIN),
    )


def _short(finding: Finding, face: Face, room: int) -> str:
    """A code, or the words that fit; a torn sentence or a number without its unit says nothing."""
    if finding.code is not None:
        return clipped(finding.code.value, room)
    if finding.because is not None:
        because = f"({finding.because.value})"
        return because if cell_len(because) <= room else ""
    say = words_of(finding, face.catalog).say
    names = (
        safe(fact, 64) for fact in finding.facts.values() if any(sign.isalpha() for sign in fact)
    )
    told = (say, _PAUSE.split(say, maxsplit=1)[0], *names)
    return next((text for text in told if cell_len(text) <= room), "")


def _advice(examined: Examined, face: Face) -> list[Line]:
    at = examined.at
    finding = examined.found.get(at) if at is not None else None
    report = examined.report
    is_well = report is not None and report.worst is None and examined.chosen is None
    well = [left(face.text("doctor.healthy"), Role.GOOD), BLANK] if is_well else []
    if finding is None:
        return well or [left(face.text("doctor.running" if examined.running else "doctor.not.yet"))]
    words = words_of(finding, face.catalog)
    code = finding.code.value if finding.code is not None else ""
    title = left("   ".join(filter(None, (words.layer, words.state, code))), Role.STRONG)
    say = [left(row) for row in wrap(words.say)]
    next_step = [left(row, Role.STRONG) for row in wrap(words.next)] if words.next else []
    more = [left(face.text("doctor.more", code=code), Role.DIM)] if code else []
    command = [left(row, indent=_COMMAND_INDENT) for row in command_rows(words.command)]
    if len(command) > 1:
        more = [left(face.text("doctor.one.line"), Role.DIM)]
    return _fitted([*well, title, *say], next_step, command, more)


def _fitted(
    told: list[Line], next_step: list[Line], command: list[Line], more: list[Line]
) -> list[Line]:
    """Blank rows where there is room for them; what is said to do is never what falls off."""
    room = STAGE_HEIGHT - _ADVICE_ROW
    lines = [*told, *next_step, *command]
    apart = [BLANK] if command and room - len(lines) - len(more) > 1 else []
    lines = [*told, *next_step, *apart, *command, *apart]
    return [*lines, *more[: max(0, room - len(lines))]]


def command_rows(command: str) -> list[str]:
    """A command in rows of the stage. Nothing is added or left out: joined, the rows are the command."""
    result, rest = [], command
    while len(rest) > _COMMAND_WIDTH:
        cut = rest.rfind(" ", 1, _COMMAND_WIDTH) + 1 or _COMMAND_WIDTH
        result.append(rest[:cut])
        rest = rest[cut:]
    return [*result, rest] if rest else result
