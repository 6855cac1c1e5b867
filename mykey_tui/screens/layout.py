"""The stage: 80 columns by 18 rows of lines, measured in cells, independent of any widget.

A screen says what stands in which row; this module centres, pads and cuts. So the answer is always
in the same place, and a test can read the stage as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, unique

from rich.cells import cell_len, set_cell_size

STAGE_WIDTH = 80
STAGE_HEIGHT = 18
TEXT_WIDTH = 74
"""Sentences are wrapped at this many cells: three columns of margin on each side."""

_NOT_AT_THE_START = frozenset("、。，．）】」』？！・,.)]?!:;")
_PAUSES = "、。"


@unique
class Role(Enum):
    """What a piece of text is; the theme gives it a look. A word always says it too."""

    PLAIN = "plain"
    STRONG = "strong"
    DIM = "dim"
    GOOD = "good"
    BAD = "bad"
    WARN = "warn"
    CURRENT = "current"
    BAR = "bar"


Part = tuple[str, Role]


@dataclass(frozen=True, slots=True)
class Line:
    """One row: pieces of text, centred or from the left, on a painted row where `fill` is set."""

    parts: tuple[Part, ...] = ()
    centred: bool = False
    fill: Role | None = None

    @property
    def text(self) -> str:
        """The words, without looks."""
        return "".join(text for text, _ in self.parts)


BLANK = Line()


def centre(text: str, role: Role = Role.PLAIN) -> Line:
    """A centred row."""
    return Line(((text, role),), centred=True)


def left(text: str, role: Role = Role.PLAIN, *, indent: int = 2) -> Line:
    """A row from the left."""
    return Line(((" " * indent, Role.PLAIN), (text, role)))


def band(text: str, role: Role, code: str = "") -> tuple[Line, Line, Line]:
    """The answer: three painted rows, the words in the middle one, the code beside them."""
    words = f"{text}   {code}" if code else text
    empty = Line(fill=role)
    return (empty, Line(((words, role),), centred=True, fill=role), empty)


def rows(*placed: tuple[int, Line | Sequence[Line]]) -> list[Line]:
    """A stage from (row, line or lines) pairs; what would fall off the end is left out."""
    stage = [BLANK] * STAGE_HEIGHT
    for start, lines in placed:
        for offset, line in enumerate([lines] if isinstance(lines, Line) else lines):
            if 0 <= start + offset < STAGE_HEIGHT:
                stage[start + offset] = line
    return stage


def wrap(text: str, width: int = TEXT_WIDTH) -> list[str]:
    """Break into rows of at most `width` cells.

    After a Japanese comma or full stop if one is near the end, else between words; a run of
    katakana or Latin letters is never torn apart, and no row starts with a closing sign.
    """
    result: list[str] = []
    for paragraph in text.split("\n"):
        row = ""
        for word in _words(paragraph):
            if cell_len(row + word) > width and row and word not in _NOT_AT_THE_START:
                kept, row = _broken(row, width)
                result.append(kept)
            row += word if row or word != " " else ""
        result.append(row.rstrip())
    return result


def _broken(row: str, width: int) -> tuple[str, str]:
    """The part of a full row that stays, and what goes to the next one."""
    stop = max(row.rfind(mark) for mark in _PAUSES) + 1
    if cell_len(row[:stop]) * 2 >= width:
        return row[:stop], row[stop:].lstrip()
    return row.rstrip(), ""


def _words(text: str) -> Iterator[str]:
    """Runs of Latin letters, runs of katakana, and everything else one by one."""
    word, kind = "", ""
    for character in text:
        now = _kind(character)
        if word and (now != kind or not now):
            yield word
            word = ""
        word, kind = word + character, now
    if word:
        yield word


def _kind(character: str) -> str:
    if character == " ":
        return ""
    if character.isascii():
        return "latin"
    return "katakana" if "\u30a1" <= character <= "\u30ff" and character != "・" else ""


def fitted(line: Line, width: int) -> Line:
    """The same row with its pieces padded and cut to exactly `width` cells."""
    gap = width - cell_len(line.text)
    if gap < 0:
        return replace(line, parts=_cut(line.parts, width), centred=False)
    before = gap // 2 if line.centred else 0
    space = line.fill or Role.PLAIN
    parts = ((" " * before, space), *line.parts, (" " * (gap - before), space))
    return replace(line, parts=tuple(part for part in parts if part[0]), centred=False)


def _cut(parts: Sequence[Part], width: int) -> tuple[Part, ...]:
    kept: list[Part] = []
    for text, role in parts:
        size = min(cell_len(text), width)
        kept.append((set_cell_size(text, size), role))
        width -= size
    return tuple(kept)


def clipped(text: str, width: int) -> str:
    """`text` cut to `width` cells, never padded."""
    return text if cell_len(text) <= width else set_cell_size(text, width).rstrip()


def padded(text: str, width: int) -> str:
    """`text` in exactly `width` cells."""
    return set_cell_size(text, width)
