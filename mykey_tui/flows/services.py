"""What the screens may ask for. `composition` fills it; tests fill it with small fakes.

Nothing here blocks for long except where it says so; what takes time answers as a `DeskEvent` or is
called from a worker thread. Light: imported before the first paint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, unique
from pathlib import Path
from typing import Protocol

from mykey_tui.card.live import SlotsNow
from mykey_tui.diagnostics.finding import Finding, Report
from mykey_tui.domain.assurance import PinPolicy
from mykey_tui.domain.ids import ServiceId
from mykey_tui.flows.outcomes import (
    CardDetail,
    HandOver,
    IdentifiedCard,
    QueueItem,
    ServiceCardOutcome,
    Status,
)
from mykey_tui.flows.pin_entry import PinEntry, PinGiven
from mykey_tui.flows.soak import ReaderInTest, SoakFigures


class DeskPort(Protocol):
    """The counter's one card thread: what a card that is laid now is for. All calls return at once."""

    def expect_lookup(self, *, handover: bool = True) -> None:
        """Cards laid from now on are looked up. A card that already lies there is not read again.

        With `handover=False` a found service ID goes nowhere (H-OFF): step 1 of linking only asks
        who is there, and the till must not hear of it.
        """
        ...

    def expect_service_card(self) -> None:
        """The next card laid is a service card for step 2 (`ServiceCardSeen`)."""
        ...

    def expect_taps(self) -> None:
        """Cards laid from now on are read and timed (`TapDone`), looked up and stored nowhere."""
        ...

    def expect_nothing(self) -> None:
        """Cards laid from now on are left alone (another screen is open)."""
        ...

    def commit_link(
        self, card: IdentifiedCard, service_id: ServiceId, given: PinGiven | None = None
    ) -> None:
        """Read the card again, compare, store. `CardWanted` comes first when none lies there.

        The answer may be `PinWanted`; ask again with what was `given`. A PIN waits for no card.
        """
        ...

    def commit_unlink(self, card: IdentifiedCard, given: PinGiven | None = None) -> None:
        """The same for taking a link away."""
        ...

    def lookup_with_pin(self, card: IdentifiedCard, given: PinGiven) -> None:
        """Go on with a look-up that ended in `PinWanted`; answers with `LookedUp`."""
        ...

    def confirm_lookup(self, card: IdentifiedCard) -> None:
        """A clerk confirms what was found in old rows: hand over, and answer with `LookedUp`."""
        ...

    def show_card(self) -> None:
        """Read the card that lies there, or the next one, for the card view."""
        ...


@unique
class KeypadSign(Enum):
    """What a keypad tells the screen. Never which digit: that goes straight to the `PinEntry`."""

    TYPED = "typed"
    """A digit came or went; count the dots."""
    ENTER = "enter"
    CANCEL = "cancel"
    GONE = "gone"
    """The device went away."""


class KeypadPort(Protocol):
    """A small keyboard that only the resident sees, ours alone while a PIN is typed."""

    def start(self, entry: PinEntry, tell: Callable[[KeypadSign], None]) -> None:
        """Take the keypad for ourselves and let its digits go into `entry`.

        `tell` is called on the keypad's own thread.

        Raises:
            ReaderError: KEYPAD_NONE, the device is not there, may not be used, or is taken.
        """
        ...

    def stop(self) -> None:
        """Let go of it. May be called twice."""
        ...


@dataclass(frozen=True, slots=True)
class PinWays:
    """When a resident is asked for a PIN, and what it is typed on, beside a reader's own keys."""

    policy: PinPolicy = PinPolicy.NEVER
    keyboard: bool = False
    """The staff's keyboard; only where the provider allows it."""
    keypad: KeypadPort | None = None


class CounterPort(Protocol):
    """Everything but the card."""

    def status(self) -> Status:
        """What the status line shows, now. Cheap: a few indexed reads."""
        ...

    def queue(self) -> Sequence[QueueItem]:
        """What waits and what needs a person, oldest first, at most 500."""
        ...

    def retry(self, mid: int) -> bool:
        """Put a parked mutation back in line; False when it is not parked."""
        ...

    def keep(self, mid: int) -> bool:
        """Leave what the server says, and take a refused mutation off the list.

        False when it is not refused (any more).
        """
        ...

    def replace(self, mid: int) -> None:
        """Put the refused service ID in the place of the one that the person saw; send at once.

        Raises:
            StoreError: S-MOVED when the server's row is not what was shown any more; K-….
        """
        ...

    def sync_now(self) -> None:
        """Ask the background sync for a round at once; returns at once."""
        ...

    def check_service_id(self, text: str) -> ServiceCardOutcome:
        """Check typed or scanned text against the provider's format (S-FMT with `position`)."""
        ...

    def test_handover(self) -> HandOver:
        """Send the marked test value to the till's side. May take seconds: call from a worker."""
        ...

    def export_card(self, detail: CardDetail) -> Path:
        """Write the card view's text to a file of mode 0600 in the home; return its path."""
        ...

    def export_slip(self, text: str) -> Path:
        """Write a slip for a resident to a file of mode 0600 in the home; return its path."""
        ...


@dataclass(frozen=True, slots=True)
class SampleCard:
    """One card of the demo's tray."""

    key: str
    """Digit or letter that lays it on the reader."""
    name_ja: str
    name_en: str
    expect_ja: str
    """What should happen, in words."""
    expect_en: str


class DemoPort(Protocol):
    """The hands of the demo: lay cards, cut the line. None outside a demo."""

    def cards(self) -> Sequence[SampleCard]:
        """The tray."""
        ...

    def place(self, key: str) -> None:
        """Lay this card on the reader (taking away the one that lies there, a second before)."""
        ...

    def remove(self) -> None:
        """Take the card away."""
        ...

    def placed(self) -> str | None:
        """The key of the card that lies there."""
        ...

    def line_is_cut(self) -> bool:
        """Whether the line was cut by hand."""
        ...

    def set_line_cut(self, cut: bool) -> None:
        """Cut or restore the line."""
        ...


class TechnicianPort(Protocol):
    """What the doctor's screens ask. Needs the reader alone, so it works on a counter of no server.

    `examine`, `look`, `reader_in_test` and `write_evidence` take time: call them from a worker.
    """

    def examine(self) -> Iterator[Finding]:
        """One finding for each layer, lowest first, each as soon as it is known; under 5 s."""
        ...

    def look(self, seconds: float) -> SlotsNow:
        """The readers and cards as they are; blocks until they change, at most `seconds`."""
        ...

    def expect_taps(self) -> None:
        """Cards laid from now on are read and timed (`TapDone`), looked up and stored nowhere."""
        ...

    def expect_nothing(self) -> None:
        """Cards laid from now on are left alone."""
        ...

    def set_trace(self, on: bool) -> None:
        """Begin a trace of what passes to cards, bounded in time and number; or end it."""
        ...

    def trace(self) -> Trace:
        """The trace so far."""
        ...

    def reader_in_test(self) -> ReaderInTest:
        """The reader and its software, for the row of the tested-reader list."""
        ...

    def save_scan_gap(self, gap_ms: int) -> None:
        """Write the scanner's gap into `counter.json`. Raises `StoreError`."""
        ...

    def write_evidence(self, report: Report | None, soak: SoakFigures | None) -> Path:
        """Write the evidence sheet, mode 0600, over the last one; returns its path.

        Raises:
            StoreError: the home does not take it.
        """
        ...


@dataclass(frozen=True, slots=True)
class Trace:
    """Lines of a trace, oldest first, secrets masked."""

    is_on: bool
    lines: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Services:
    """The running counter, as the screens know it."""

    desk: DeskPort
    counter: CounterPort
    demo: DemoPort | None = None
    pin: PinWays = field(default_factory=PinWays)
