"""The screen's counter, opened in two steps: the reader first, and then all that a card needs.

The second step imports the database and the network, which takes ten times as long as the first.
Meanwhile the screen says what the reader does, and a card that is laid is already being answered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mykey_tui.card.connection import CardReader
from mykey_tui.composition.hands import Hands
from mykey_tui.composition.reader import make_reader
from mykey_tui.composition.technician import Technician
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import MyKeyError, failure_code
from mykey_tui.flows.desk import Desk
from mykey_tui.flows.desk_events import CounterEvent, DeskEvent
from mykey_tui.flows.happenings import HappeningBook
from mykey_tui.flows.late_visits import LateVisits
from mykey_tui.flows.services import Services
from mykey_tui.reader.tracing import TraceBook, TracingReader
from mykey_tui.settings import Settings

if TYPE_CHECKING:
    from mykey_tui.composition.backroom import Backroom
    from mykey_tui.scanner.watch import ScannerWatch


@dataclass(slots=True)
class RunningCounter:
    """The desk and what stands behind it, with their threads."""

    settings: Settings
    hands: Hands = field(default_factory=Hands)
    happenings: HappeningBook = field(default_factory=lambda: HappeningBook(SystemClock()))
    book: TraceBook = field(default_factory=TraceBook)
    _visits: LateVisits = field(default_factory=LateVisits)
    _reader: CardReader | None = None
    _desk: Desk | None = None
    _technician: Technician | None = None
    _backroom: Backroom | None = None
    _scanner: ScannerWatch | None = None

    def build(self, emit: Callable[[CounterEvent], None]) -> Services:
        """Watch the reader, and tell `emit` of it, at once; then open everything else.

        May be called again after it failed: the reader was watched all the time, and cards that
        were laid were answered with the failure's code.

        Raises:
            MyKeyError: with a code, as `Backroom.open`.
        """
        self._visits.again()
        try:
            desk, reader = self._watched_reader(emit)
            from mykey_tui.composition.backroom import Backroom  # noqa: PLC0415  # heavy

            self._close_backroom()
            self._backroom = Backroom.open(self.settings, reader, self.hands, self.happenings)
        except MyKeyError as error:
            self._visits.fail(failure_code(error))
            raise
        self._visits.arrive(self._backroom.visits())
        self._watch_scanner(emit)
        return self._backroom.services(desk)

    @property
    def technician(self) -> Technician | None:
        """What the doctor's screens ask, from the moment at which the reader is watched."""
        return self._technician

    def close(self) -> None:
        """End every thread and let go of reader and store. May be called twice."""
        self._visits.fail(Code.STORE_BUSY)  # Nobody waits any more for what will not come.
        if self._desk is not None:
            self._desk.stop()
            self._desk = None
        if self._scanner is not None:
            self._scanner.stop()
            self._scanner = None
        self._close_backroom()

    def _close_backroom(self) -> None:
        if self._backroom is not None:
            self._backroom.close()
            self._backroom = None

    def _watched_reader(self, emit: Callable[[DeskEvent], None]) -> tuple[Desk, CardReader]:
        if self._reader is None or self._desk is None:
            reader = self.hands.reader or make_reader(self.settings.reader)
            self._reader = TracingReader(reader, self.book)
            self._desk = Desk(self._reader, self._visits, self._noting(emit), SystemClock())
            self._technician = Technician(
                self.settings, self.hands, reader, self._desk, self.book, self.happenings
            )
            self._desk.expect_lookup()
            self._desk.start()
        return self._desk, self._reader

    def _watch_scanner(self, emit: Callable[[CounterEvent], None]) -> None:
        if self._scanner is None:
            from mykey_tui.composition.scanner import watch_scanner  # noqa: PLC0415  # not before the reader

            self._scanner = watch_scanner(self.settings.scanner, emit)

    def _noting(self, emit: Callable[[DeskEvent], None]) -> Callable[[DeskEvent], None]:
        """Tell, and remember for the evidence sheet that something happened."""

        def tell(event: DeskEvent) -> None:
            self.happenings.note_desk(event)
            emit(event)

        return tell
