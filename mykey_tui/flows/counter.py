"""Everything of the counter but the card: status, queue, hand-over test, export."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from mykey_tui.card.connection import ReaderState
from mykey_tui.domain.clock import Clock
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import HandOverError, ServerError
from mykey_tui.flows.ageing import age_code, loading_of
from mykey_tui.flows.outcomes import (
    CardDetail,
    HandOver,
    LineState,
    QueueItem,
    QueueState,
    ServiceCardOutcome,
    Status,
)
from mykey_tui.flows.service_card import check_service_id
from mykey_tui.handover.port import HandOverAdapter
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.outbox import QueuedMutation
from mykey_tui.store.queueing import QUEUE_SHOWN_MAX

SLIP_NAME = "pin-slip.txt"
SIMULATED_PROFILE = "simulated"


class Line(Protocol):
    """The background's view of the line to the server."""

    def line(self) -> tuple[LineState, float | None]:
        """The line as last seen, and for how many seconds it has been so."""
        ...

    def code(self) -> Code | None:
        """Why the last round did not come to its end; None where it did."""
        ...

    def nudge(self) -> None:
        """Ask for a round at once; returns at once."""
        ...


@dataclass(frozen=True, slots=True)
class CounterDesk:
    """What the screens may ask for beside the card; see `flows.services.CounterPort`."""

    store: CounterStore
    line: Line
    handover: HandOverAdapter | None
    reader: Callable[[], tuple[ReaderState, str]]
    """The reader as last seen, and its name."""
    card_text: Callable[[CardDetail], str]
    """The card view's words, as the export has them."""
    clock: Clock
    simulated_reader: bool

    def status(self) -> Status:
        """What the status line shows, now.

        Raises:
            StoreError: the counter's own file cannot be read now.
            ServerError: N-RETIRED, the operator has ended this counter: there is no file any more.
        """
        code = self.line.code()
        if code is Code.SERVER_RETIRED:
            raise ServerError(code)
        identity, freshness = self.store.identity, self.store.freshness()
        counts = self.store.counts()
        reader, reader_name = self.reader()
        line, since = self.line.line()
        return Status(
            provider_name=identity.provider_name,
            counter_name=identity.counter_name,
            simulated=self.simulated_reader or identity.profile == SIMULATED_PROFILE,
            line=line,
            line_since_seconds=since,
            waiting=counts.waiting,
            oldest_seconds=age_seconds(counts.oldest, self.clock),
            attention=counts.attention,
            rows=freshness.rows,
            revocation_age_seconds=freshness.age_seconds,
            reader=reader,
            reader_name=reader_name,
            age_code=age_code(freshness),
            line_code=code,
            loading=loading_of(freshness),
            unsent=counts.unsent,
        )

    def queue(self) -> Sequence[QueueItem]:
        """What waits and what needs a person, oldest first, at most `QUEUE_SHOWN_MAX`."""
        return queue_items(self.store, self.clock)

    def retry(self, mid: int) -> bool:
        """Put a parked mutation back in line and send at once."""
        released = self.store.retry(mid)
        if released:
            self.line.nudge()
        return released

    def keep(self, mid: int) -> bool:
        """Leave what the server says, and take a refused mutation off the list."""
        return self.store.resolve(mid)

    def replace(self, mid: int) -> None:
        """Put the refused service ID in the place of the one that the person saw; send at once."""
        self.store.replace_conflict(mid)
        self.line.nudge()

    def sync_now(self) -> None:
        """Ask the background sync for a round at once."""
        self.line.nudge()

    def check_service_id(self, text: str) -> ServiceCardOutcome:
        """Check typed or scanned text against the provider's format."""
        return check_service_id(text, self.store.identity.service_id_format)

    def test_handover(self) -> HandOver:
        """Send the marked test value to the till's side."""
        if self.handover is None:
            return HandOver(Code.HANDOVER_OFF)
        try:
            self.handover.send_test()
        except HandOverError as error:
            return HandOver(error.code, self.handover.name)
        return HandOver(Code.HANDED_OVER, self.handover.name)

    def export_card(self, detail: CardDetail) -> Path:
        """Write the card view's text to a file of mode 0600 in the home."""
        path = self.store.home.card_sheet
        self.store.home.write_private(path, self.card_text(detail).encode())
        return path

    def export_slip(self, text: str) -> Path:
        """Write a slip for a resident; it names nobody, and the next one is written over it."""
        path = self.store.home.path / SLIP_NAME
        self.store.home.write_private(path, text.encode())
        return path


def queue_items(store: CounterStore, clock: Clock) -> Sequence[QueueItem]:
    """The queue as people may see it: service IDs masked, ages instead of times."""
    return [_item(mutation, clock) for mutation in store.queue(limit=QUEUE_SHOWN_MAX)]


def age_seconds(moment: datetime | None, clock: Clock) -> float | None:
    """How long ago; never negative, whatever the box's clock did."""
    return None if moment is None else max(0.0, (clock.now() - moment).total_seconds())


def _item(mutation: QueuedMutation, clock: Clock) -> QueueItem:
    here, there = mutation.service_id, mutation.other_service_id
    return QueueItem(
        mid=mutation.mid,
        op=mutation.op,
        masked_service_id=here.masked if there is None else here.masked_beside(there),
        age_seconds=age_seconds(mutation.queued_at, clock),
        state=QueueState(mutation.state.value),
        code=mutation.code,
        masked_other=None if there is None else there.masked_beside(here),
    )
