"""未送信: what waits, what is held back, and what was refused and is decided here by a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mykey_tui.domain.codes import Code
from mykey_tui.flows.desk_events import DeskEvent, LookedUp, ReadingStarted
from mykey_tui.flows.outcomes import QueueItem, QueueState
from mykey_tui.flows.services import CounterPort
from mykey_tui.screens import actions
from mykey_tui.screens.actions import Action
from mykey_tui.screens.base import CounterScreen
from mykey_tui.screens.host import Host
from mykey_tui.screens.item_view import Way, action_of, item_stage, ways_of
from mykey_tui.screens.layout import Line, left
from mykey_tui.screens.queue_view import queue_stage

_ON_A_ROW = frozenset({actions.RETRY, actions.UP, actions.DOWN, actions.OPEN})


class QueueScreen(CounterScreen):
    """The list, and one row of it in full. Nothing here loses an entry without being asked."""

    heading = "place.queue"
    shows_queue = True

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._items: Sequence[QueueItem] | None = None
        self._at = 0
        self._opened: int | None = None
        self._asked: Way | None = None

    @property
    def _open_item(self) -> QueueItem | None:
        """The row that is shown in full, as last fetched."""
        items = self._items or ()
        return next((item for item in items if item.mid == self._opened), None)

    def offered(self) -> tuple[Action, ...]:
        """Moving, sending, retrying; or what the row at hand leaves to choose."""
        ends = (actions.BACK, actions.HELP, actions.LANGUAGE, actions.DOCTOR)
        item = self._open_item
        if item is None:
            return (
                actions.UP, actions.DOWN, actions.OPEN, actions.SEND, actions.RETRY, *ends,
            )  # fmt: skip
        if self._asked is not None:
            return (actions.DECIDE, *ends)
        held_back = (actions.RETRY,) if item.state is QueueState.PARKED else ()
        return (*held_back, *(action_of(way) for way in ways_of(item)), *ends)

    def stage(self) -> list[Line]:
        """The list, or one row."""
        item = self._open_item
        if item is None:
            return queue_stage(self._items, self._at, self.face)
        return item_stage(item, self._asked, self.face)

    def next_step(self) -> Line:
        """What the clerk may do."""
        item = self._open_item
        key = "queue.next"
        if item is not None:
            key = "item.next" if ways_of(item) else "item.next.back"
            key = "item.next.ask" if self._asked is not None else key
        return left(self.face.text(key), indent=1)

    def entered(self) -> None:
        """Cards are left alone here; fetch the list."""
        if self.host.services is not None:
            self.host.services.desk.expect_nothing()
        self.refresh_items()

    def forget(self) -> None:
        """Back to the list."""
        self._opened = self._asked = None

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
        if self._opened is not None and self._open_item is None:
            self.forget()
            self.flash(self.face.text("queue.gone"))
        self.repaint()

    def _failed(self, code: Code) -> None:
        text = self.face.code(code)
        self.flash(f"{text.say} {code.value}")

    def why_not(self, action: Action) -> str | None:
        """Only what was held back can be sent again by hand."""
        reason = super().why_not(action)
        if reason or action not in _ON_A_ROW or self._open_item is not None:
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

    def do_open(self) -> None:
        """Show the current row in full."""
        if self._items:
            self._opened = self._items[self._at].mid

    def do_back(self) -> None:
        """From the question to the row, from the row to the list, from the list away."""
        item = self._open_item
        if self._asked is not None:
            self._asked = None
        elif item is not None:
            self.forget()
            if ways_of(item):
                self.flash(self.face.text("queue.later"))
        else:
            self.host.back()

    def do_send(self) -> None:
        """Ask for a round at once."""
        if self.host.services is not None:
            self.host.services.counter.sync_now()
            self.flash(self.face.text("queue.sending"))

    def do_retry(self) -> None:
        """Put the current row back in line."""
        item = self._open_item or (self._items[self._at] if self._items else None)
        if item is None:
            return
        mid = item.mid
        self._decide(lambda counter: counter.retry(mid), "queue.retried", "why.not.parked")

    def do_keep(self) -> None:
        """Ask whether the server's service ID shall stay."""
        self._asked = Way.KEEP

    def do_replace(self) -> None:
        """Ask whether it shall be replaced."""
        self._asked = Way.REPLACE

    def do_drop(self) -> None:
        """Ask whether the row shall go."""
        self._asked = Way.DROP

    def do_decide(self) -> None:
        """Do what was asked."""
        item, asked = self._open_item, self._asked
        self._asked = None
        if item is None or asked is None:
            return
        mid = item.mid
        if asked is Way.REPLACE:
            self._decide(lambda counter: _replaced(counter, mid), "queue.replaced", "queue.gone")
        else:
            done = "queue.kept" if asked is Way.KEEP else "queue.dropped"
            self._decide(lambda counter: counter.keep(mid), done, "queue.gone")

    def _decide(self, work: Callable[[CounterPort], bool], done: str, not_done: str) -> None:
        """Do it off the screen's thread; what came of it is said, and the list fetched again."""
        services = self.host.services
        if services is None:
            return

        def told(well: bool) -> None:
            self.forget()
            self.flash(self.face.text(done if well else not_done))
            self.refresh_items()

        def failed(code: Code) -> None:
            self._failed(code)
            self.refresh_items()

        self.host.background(lambda: work(services.counter), told, failed)

    def desk_event(self, event: DeskEvent) -> None:
        """A card that is laid here is not read; say so."""
        if isinstance(event, ReadingStarted | LookedUp):
            self.flash(self.face.text("queue.no.cards"))


def _replaced(counter: CounterPort, mid: int) -> bool:
    counter.replace(mid)
    return True
