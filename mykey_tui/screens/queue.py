"""未送信: what waits to be sent, how old it is, and what was refused and why."""

from __future__ import annotations

from collections.abc import Sequence

from mykey_tui.domain.codes import Code
from mykey_tui.domain.text import safe
from mykey_tui.flows.desk_events import DeskEvent, LookedUp, ReadingStarted
from mykey_tui.flows.outcomes import QueueItem, QueueState
from mykey_tui.screens import actions
from mykey_tui.screens.actions import Action
from mykey_tui.screens.base import CounterScreen
from mykey_tui.screens.host import Face, Host
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
    op = face.text(f"queue.op.{item.op}") if item.op in ("link", "unlink") else safe(item.op, 12)
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
    code = item.code or _CODES[item.state]
    text = face.code(code)
    return [
        left(f"{text.title}   {code.value}", Role.STRONG),
        *(left(row) for row in (*wrap(text.say), *wrap(text.next))),
        left(face.text("queue.about.others"), Role.DIM),
    ][:5]


_CODES = {
    QueueState.PARKED: Code.MUTATION_PARKED,
    QueueState.CONFLICT: Code.SERVICE_ID_TAKEN,
    QueueState.INVALID: Code.MUTATION_INVALID,
}


class QueueScreen(CounterScreen):
    """The list. Nothing here can lose an entry."""

    heading = "place.queue"

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._items: Sequence[QueueItem] | None = None
        self._at = 0

    def offered(self) -> tuple[Action, ...]:
        """Moving, sending, retrying."""
        return (
            actions.UP, actions.DOWN, actions.SEND, actions.RETRY, actions.BACK, actions.HELP,
            actions.LANGUAGE,
        )  # fmt: skip

    def stage(self) -> list[Line]:
        """The list."""
        return queue_stage(self._items, self._at, self.face)

    def next_step(self) -> Line:
        """What the clerk may do."""
        return left(self.face.text("queue.next"), indent=1)

    def entered(self) -> None:
        """Cards are left alone here; fetch the list."""
        if self.host.services is not None:
            self.host.services.desk.expect_nothing()
        self.refresh_items()

    def status_changed(self) -> None:
        """The counts moved: fetch the list again."""
        super().status_changed()
        self.refresh_items()

    def refresh_items(self) -> None:
        """Fetch the list off the screen's thread."""
        services = self.host.services
        if services is not None:
            self.host.background(services.counter.queue, self._take, self._failed)

    def _take(self, items: Sequence[QueueItem]) -> None:
        self._items = items
        self._at = min(self._at, max(0, len(items) - 1))
        self.repaint()

    def _failed(self, code: Code) -> None:
        text = self.face.code(code)
        self.flash(f"{text.say} {code.value}")

    def why_not(self, action: Action) -> str | None:
        """Only what was held back can be sent again by hand."""
        reason = super().why_not(action)
        if reason or action not in (actions.RETRY, actions.UP, actions.DOWN):
            return reason
        if not self._items:
            return "why.queue.empty"
        if action is actions.RETRY and self._items[self._at].state is not QueueState.PARKED:
            return "why.not.parked"
        return None

    def do_up(self) -> None:
        """One row up."""
        self._at = max(0, self._at - 1)

    def do_down(self) -> None:
        """One row down."""
        self._at = min(len(self._items or ()) - 1, self._at + 1)

    def do_send(self) -> None:
        """Ask for a round at once."""
        if self.host.services is not None:
            self.host.services.counter.sync_now()
            self.flash(self.face.text("queue.sending"))

    def do_retry(self) -> None:
        """Put the current row back in line."""
        services = self.host.services
        if services is None or not self._items:
            return
        mid = self._items[self._at].mid
        self.host.background(lambda: services.counter.retry(mid), self._retried, self._failed)

    def _retried(self, done: bool) -> None:
        self.flash(self.face.text("queue.retried" if done else "why.not.parked"))
        self.refresh_items()

    def desk_event(self, event: DeskEvent) -> None:
        """A card that is laid here is not read; say so."""
        if isinstance(event, ReadingStarted | LookedUp):
            self.flash(self.face.text("queue.no.cards"))
