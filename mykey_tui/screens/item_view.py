"""One row of the queue in full: both service IDs of a conflict, the reason, and the ways out of it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, unique

from mykey_tui.domain.codes import Code
from mykey_tui.domain.text import safe
from mykey_tui.flows.outcomes import QueueItem, QueueState
from mykey_tui.screens import actions
from mykey_tui.screens.actions import Action
from mykey_tui.screens.host import Face
from mykey_tui.screens.layout import Line, Role, band, centre, left, padded, rows, wrap
from mykey_tui.screens.queue_view import code_of

_LABEL_WIDTH = 30
_NUMBER_LENGTH = 32


@unique
class Way(Enum):
    """What a person may choose for a row that the server refused."""

    KEEP = "keep"
    """Leave what the server says; this counter's service ID is given up."""
    REPLACE = "replace"
    """Put this counter's service ID in the place of the server's."""
    DROP = "drop"
    """Take the row off the list: there is nothing to choose between."""


_KEYS = {Way.KEEP: actions.KEEP, Way.REPLACE: actions.REPLACE, Way.DROP: actions.DROP}


def ways_of(item: QueueItem) -> tuple[Way, ...]:
    """The ways out of a row; none for one that the server has not decided."""
    if item.replaceable:
        return (Way.KEEP, Way.REPLACE)
    return (Way.DROP,) if item.state in (QueueState.CONFLICT, QueueState.INVALID) else ()


def action_of(way: Way) -> Action:
    """The key of a way."""
    return _KEYS[way]


def item_stage(item: QueueItem, asked: Way | None, face: Face) -> list[Line]:
    """The row, and its ways; or, once one was chosen, the question with both service IDs."""
    code = code_of(item)
    text = face.code(code, {"count": "1"})
    below = _ways(item, face) if asked is None else _question(item, asked, face)
    waits = item.state is QueueState.WAITING
    about = face.text("queue.about.waiting") if waits else text.say
    return rows(
        (0, band(face.marked("ask", text.title), Role.WARN, code.value)),
        (4, list(_numbers(item, face))),
        (7, [left(row) for row in wrap(about)]),
        (9, below),
    )


def _numbers(item: QueueItem, face: Face) -> Iterator[Line]:
    here, there = item.masked_service_id, item.masked_other
    if there is None:
        yield _number(face.text("item.number"), here)
    else:
        yield _number(face.text("item.here"), here)
        yield _number(face.text("item.there"), there)


def _number(label: str, masked: str) -> Line:
    return Line(
        (
            ("  " + padded(label, _LABEL_WIDTH), Role.PLAIN),
            (safe(masked, _NUMBER_LENGTH), Role.STRONG),
        )
    )


def _ways(item: QueueItem, face: Face) -> list[Line]:
    ways = ways_of(item)
    lines = [line for way in ways for line in _way(action_of(way).shown, f"item.{way.value}", face)]
    if ways:
        lines.extend(_way(actions.BACK.shown, "item.later", face))
    if ways == (Way.KEEP, Way.REPLACE):
        return lines
    return [*(left(row, Role.STRONG) for row in wrap(_what_now(item, face))), Line(), *lines]


def _what_now(item: QueueItem, face: Face) -> str:
    """What the person does where nothing can be chosen."""
    if item.state is QueueState.WAITING:
        return ""
    code = code_of(item)
    return face.text("item.taken") if code is Code.SERVICE_ID_TAKEN else face.code(code).next


def _way(key: str, name: str, face: Face) -> tuple[Line, Line]:
    head = Line(
        (
            (f"  {padded(key, 5)}", Role.STRONG),
            (face.text(name), Role.STRONG),
        )
    )
    return head, left(face.text(f"{name}.means"), Role.DIM, indent=7)


def _question(item: QueueItem, asked: Way, face: Face) -> list[Line]:
    here = safe(item.masked_service_id, _NUMBER_LENGTH)
    there = safe(item.masked_other or "", _NUMBER_LENGTH)
    name = f"item.ask.{asked.value}"
    say = face.text(f"{name}.say", here=here, there=there)
    return [
        centre(f" {face.text(name)} ", Role.WARN),
        Line(),
        *(centre(row, Role.STRONG) for row in wrap(say)),
        Line(),
        centre(face.text("item.ask.answer"), Role.STRONG),
    ]
