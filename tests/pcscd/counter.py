"""A counter over the real service: the desk, the real use cases and store, and what it says."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TypeVar

from mykey_tui.domain.clock import SystemClock
from mykey_tui.flows.desk import Desk
from mykey_tui.flows.desk_events import DeskEvent, LookedUp, ReaderIs
from mykey_tui.flows.identify import CertificateJudge
from mykey_tui.flows.outcomes import LookupOutcome
from mykey_tui.flows.visits import Visits
from mykey_tui.reader.pcsc import PcscReader
from mykey_tui.reader.winscard import WinScard
from mykey_tui.simulated import anchors_dir
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home
from mykey_tui.trust.anchors import load_anchors
from mykey_tui.wire.messages import ScopeHead
from tests.unit.flows.conftest import FakeServer, Till, make_identity

Event = TypeVar("Event", bound=DeskEvent)
EVENT_SECONDS = 15.0


@dataclass
class DeskAtWork:
    """A running desk and what it told the screen."""

    desk: Desk
    till: Till
    events: queue.Queue[DeskEvent] = field(default_factory=queue.Queue)

    def until(self, kind: type[Event], seconds: float = EVENT_SECONDS) -> Event:
        """The next event of this kind; those before it are let go."""
        deadline = monotonic() + seconds
        while True:
            event = self.events.get(timeout=max(0.001, deadline - monotonic()))
            if isinstance(event, kind):
                return event

    def answer(self) -> LookupOutcome:
        """What the next card comes to."""
        return self.until(LookedUp).outcome


def make_store(home: Path) -> CounterStore:
    """A counter's file with no link in it, as after a complete first sync."""
    store = CounterStore.create(Home(home), make_identity(), clock=SystemClock())
    known = store.progress()
    store.finish_pull(ScopeHead(known.cursor, known.digest), epoch="epoch")
    return store


@contextmanager
def desk_at_work(
    home: Path, reader_name: str | None = None, *, service: WinScard | None = None
) -> Iterator[DeskAtWork]:
    """A desk that looks cards up, over the readers of this name."""
    store, till, clock = make_store(home), Till(), SystemClock()
    reader = PcscReader(reader_name, service=service)
    judge = CertificateJudge(load_anchors(anchors_dir()), clock)
    visits = Visits(reader, judge, store, till, FakeServer(store), clock)
    events: queue.Queue[DeskEvent] = queue.Queue()
    desk = Desk(reader, visits, events.put, clock)
    desk.expect_lookup()
    desk.start()
    try:
        at_work = DeskAtWork(desk, till, events)
        at_work.until(ReaderIs)
        yield at_work
    finally:
        desk.stop()
        store.close()
