"""What the queue's stage shows: a few rows around the current one, the counts, what the row means."""

from __future__ import annotations

from collections.abc import Sequence

from mykey_tui.domain.codes import Code
from mykey_tui.domain.text import safe
from mykey_tui.flows.outcomes import QueueItem, QueueState
from mykey_tui.screens.host import Face
from mykey_tui.screens.layout import Line, Role, centre, left, padded, rows, wrap
from mykey_tui.screens.status_line import ago

ROWS_SHOWN = 8
_COLUMNS = (12, 14, 24, 24)


def queue_stage(items: Sequence[QueueItem] | None, at: int, face: Face) -> list[Line]:
    """The list around the current row, the counts, and what the current row means."""
    if items is None:
        return rows((5, centre(face.text("queue.loading"))))
    if not items:
        return rows((5, centre(face.text("queue.empty"), Role.STRONG)))
    first = max(0, min(at - ROWS_SHOWN // 2, len(items) - ROWS_SHOWN))
    shown = items[first : first + ROWS_SHOWN]
    heads = [face.text(f"queue.head.{name}") for name in ("age", "op", "number", "state")]
    body = [_row(item, face, current=first + n == at) for n, item in enumerate(shown)]
    counts = {state: sum(item.state is state for item in items) for state in QueueState}
    position = face.text("queue.position", at=at + 1, count=len(items))
    return rows(
        (1, left(_columns(heads), Role.DIM, indent=3)),
        (2, body),
        (11, left(f"{_counts(counts, face)}   {position}")),
        (13, _about(items[at], face)),
    )


def _columns(cells: Sequence[str]) -> str:
    pairs = zip(cells, _COLUMNS, strict=True)
    return " ".join(padded(cell, width) for cell, width in pairs).rstrip()


def _row(item: QueueItem, face: Face, *, current: bool) -> Line:
    how_old = ago(item.age_seconds, face.catalog) if item.age_seconds is not None else ""
    op = face.text(f"queue.op.{item.op}") if item.op in _OPERATIONS else safe(item.op, 12)
    number = safe(item.masked_service_id, 32)
    if len(number) > _COLUMNS[2]:
        number = number[-_COLUMNS[2] :]
    state = face.text(f"queue.state.{item.state.value}")
    pointer = face.profile.glyphs.pointer if current else " "
    text = f" {pointer} {_columns((how_old, op, number, state))}"
    return Line(((padded(text, 78), Role.CURRENT if current else Role.PLAIN),))


def _counts(counts: dict[QueueState, int], face: Face) -> str:
    return "   ".join(
        f"{face.text(f'queue.state.{state.value}')} {count}" for state, count in counts.items()
    )


def _about(item: QueueItem, face: Face) -> list[Line]:
    """What the row's code says; a row that simply waits needs nothing from anybody."""
    if item.state is QueueState.WAITING:
        return [left(row) for row in wrap(face.text("queue.about.waiting"))]
    code = code_of(item)
    text = face.code(code)
    then = face.text("queue.about.choose") if item.replaceable else text.next
    return [
        left(f"{text.title}   {code.value}", Role.STRONG),
        *(left(row) for row in (*wrap(text.say), *wrap(then))),
        left(face.text("queue.about.others"), Role.DIM),
    ][:5]


def code_of(item: QueueItem) -> Code:
    """Why a row does not simply wait; a refusal that came without its reason has a general one."""
    return item.code or _CODES[item.state]


_OPERATIONS = frozenset({"link", "unlink", "replace"})
_CODES = {
    QueueState.WAITING: Code.LINK_QUEUED,
    QueueState.PARKED: Code.MUTATION_PARKED,
    QueueState.CONFLICT: Code.SERVICE_ID_TAKEN,
    QueueState.INVALID: Code.MUTATION_INVALID,
}
