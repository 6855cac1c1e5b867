"""What the doctor's screens ask, over the running reader: it is there before the store is open."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeVar

from mykey_tui.card.connection import CardReader, ReaderState
from mykey_tui.card.live import SlotSeen, SlotsNow
from mykey_tui.composition.hands import Hands
from mykey_tui.diagnostics.finding import Finding, Report
from mykey_tui.domain.codes import Code
from mykey_tui.domain.reader_name import bare_reader_name
from mykey_tui.flows.desk import Desk
from mykey_tui.flows.happenings import HappeningBook
from mykey_tui.flows.services import Trace
from mykey_tui.flows.soak import ReaderInTest, SoakFigures
from mykey_tui.reader.tracing import TraceBook
from mykey_tui.scanner_settings import ScannerKind
from mykey_tui.settings import PROFILES, Settings

if TYPE_CHECKING:
    from mykey_tui.composition.doctor import FreshReaders
    from mykey_tui.diagnostics.facts import LineFacts, ReaderFacts
    from mykey_tui.diagnostics.look import Look
    from mykey_tui.diagnostics.sources import ReaderProbe, Sources

ROOT = Path("/")
BUSY_SECONDS = 0.5
LOOK_SECONDS = 2.0
"""How long the evidence sheet waits for the service to list its readers, and for the machine's files."""
NOTHING_KNOWN: Mapping[str, str] = MappingProxyType({})

T = TypeVar("T")


class _Looker(Protocol):
    def look(self, seconds: float) -> SlotsNow: ...


@dataclass(slots=True)
class Technician:
    """See `flows.services.TechnicianPort`. What is heavy is imported when it is asked for."""

    settings: Settings
    hands: Hands
    reader: CardReader
    """The running one, without the trace in front of it."""
    desk: Desk
    book: TraceBook
    happenings: HappeningBook
    root: Path = ROOT
    """Below which the machine's files are read."""
    _looker: _Looker | None = field(default=None, init=False)
    _one_look: threading.Lock = field(default_factory=threading.Lock, init=False)
    """A service that hangs costs one thread, however often the live view is opened."""
    _one_sheet: threading.Lock = field(default_factory=threading.Lock, init=False)
    """The same for the evidence sheet."""
    _fresh: FreshReaders | None = field(default=None, init=False)
    """And the threads of one driver, however often the examination is begun."""

    def examine(self) -> Iterator[Finding]:
        """One finding for each layer, lowest first."""
        from mykey_tui.diagnostics.examine import examine  # noqa: PLC0415  # heavy

        yield from examine(self._sources())

    def look(self, seconds: float) -> SlotsNow:
        """The readers and cards as they are; STARTING while an earlier look has not come back."""
        if not self._one_look.acquire(blocking=False):
            time.sleep(min(seconds, BUSY_SECONDS))  # so that whoever asks again does not spin
            return SlotsNow(ReaderState.STARTING)
        try:
            if self._looker is None:
                self._looker = self._make_looker()
            return self._looker.look(seconds)
        finally:
            self._one_look.release()

    def expect_taps(self) -> None:
        """Cards laid from now on are read and timed."""
        self.desk.expect_taps()

    def expect_nothing(self) -> None:
        """Cards laid from now on are left alone."""
        self.desk.expect_nothing()

    def set_trace(self, on: bool) -> None:
        """Begin a trace, or end it."""
        if on:
            self.book.switch_on()
        else:
            self.book.switch_off()

    def trace(self) -> Trace:
        """The trace so far."""
        return Trace(self.book.is_on, self.book.lines())

    def reader_in_test(self) -> ReaderInTest:
        """The reader and its software; its name alone where the machine's files do not answer."""
        return self._tested().result()

    def save_scan_gap(self, gap_ms: int) -> None:
        """Write the scanner's gap into `counter.json`. Raises `StoreError`."""
        from mykey_tui.store.home import Home  # noqa: PLC0415  # with the store, heavy
        from mykey_tui.store.home_settings import update_settings  # noqa: PLC0415  # the same

        written = {"kind": ScannerKind.KEYBOARD.value, "gap_ms": gap_ms}
        update_settings(Home(self.settings.home), {"scanner": written})

    def write_evidence(self, report: Report | None, soak: SoakFigures | None) -> Path:
        """Write the evidence sheet into the home. Raises `StoreError`."""
        from mykey_tui.flows.evidence import EVIDENCE_NAME, Evidence, evidence_text  # noqa: PLC0415
        from mykey_tui.store.home import Home  # noqa: PLC0415  # with the store, heavy

        # All at once, each with its time: the sheet is for a machine that hangs, too.
        versions = _look(self._versions, NOTHING_KNOWN)
        usb: Look[Sequence[str]] = _look(self._usb, ())
        slots: Look[Sequence[SlotSeen]] = _look(self._slots, ())
        tested = self._tested()
        sheet = Evidence(
            versions=versions.result(),
            usb=usb.result(),
            slots=slots.result(),
            health=self.desk.reader_health,
            report=report,
            soak=soak,
            tested=tested.result(),
            readings=self.happenings.readings(),
            happenings=self.happenings.happenings(),
            trace=self.book.lines(),
        )
        home = Home(self.settings.home)
        home.prepare()
        path = home.path / EVIDENCE_NAME
        home.write_private(path, evidence_text(sheet).encode())
        return path

    def _slots(self) -> Sequence[SlotSeen]:
        """A look of its own; nothing while that of an earlier sheet has not come back."""
        if not self._one_sheet.acquire(blocking=False):
            return ()
        try:
            return self._make_looker().look(0.0).slots
        finally:
            self._one_sheet.release()

    def _tested(self) -> Look[ReaderInTest]:
        from mykey_tui.composition.machine import named_reader, reader_in_test  # noqa: PLC0415

        name, simulated = self.desk.reader_state[1], self.reader.simulated
        return _look(
            lambda: reader_in_test(name, simulated=simulated, root=self.root),
            named_reader(name, simulated=simulated),
        )

    def _sources(self) -> Sources:
        """The doctor's senses, with the running reader in place of one of its own."""
        from mykey_tui.composition.doctor import FreshReaders, make_sources  # noqa: PLC0415  # heavy

        if self._fresh is None:
            self._fresh = FreshReaders()
        sources = make_sources(self.settings, root=self.root, fresh=self._fresh)
        return replace(
            sources,
            reader=self._probe_of_the_running_reader(sources.reader),
            line=self._line_as_it_is_here(sources.line),
        )

    def _probe_of_the_running_reader(self, fresh: ReaderProbe) -> ReaderProbe:
        """The running reader where it is well; else a fresh one, which knows what is so now.

        The running one looks for a service that is away once in a second only, and a technician
        who has just started it must not be told that it is stopped.
        """

        def probe(tell: Callable[[ReaderFacts], None]) -> None:
            state, name = self.desk.reader_state
            if state is ReaderState.HUNG:
                tell(_hung(name))  # A fresh one would hang behind the same call.
            elif state is ReaderState.READY and self._may_be_used:
                self._probe(tell)
            else:
                fresh(tell)

        return probe

    @property
    def _may_be_used(self) -> bool:
        return not self.reader.simulated or self.settings.profile == PROFILES[0]

    def _probe(self, tell: Callable[[ReaderFacts], None]) -> None:
        from mykey_tui.composition.doctor import judgement_of  # noqa: PLC0415  # heavy
        from mykey_tui.diagnostics.facts import ReaderFacts  # noqa: PLC0415
        from mykey_tui.diagnostics.probe import probe_card  # noqa: PLC0415

        state, name = self.desk.reader_state
        health = self.desk.reader_health
        facts = ReaderFacts(
            emulated=self.reader.simulated,
            state=state,
            reader=bare_reader_name(name),
            card_laid=self.desk.card_lies,
            silent_seconds=None if health.alive else health.beat_seconds,
        )
        probe_card(self.reader, facts, judgement_of(self.settings), tell)

    def _line_as_it_is_here(self, ask: Callable[[], LineFacts]) -> Callable[[], LineFacts]:
        """A demo's line can be cut by hand; the doctor must not go round the cut."""
        from mykey_tui.diagnostics.facts import LineFacts  # noqa: PLC0415

        probe = self.hands.probe

        def line() -> LineFacts:
            return ask() if probe is None or probe() else LineFacts(trouble=Code.LINE_DOWN)

        return line

    def _make_looker(self) -> _Looker:
        from mykey_tui.reader.emulator import EmulatedReader  # noqa: PLC0415
        from mykey_tui.reader.live import EmulatedSlots, LiveSlots  # noqa: PLC0415

        if isinstance(self.reader, EmulatedReader):
            return EmulatedSlots(self.reader)
        from mykey_tui.reader.pcsc import Pyscard  # noqa: PLC0415  # needs pcsc-lite's library

        return LiveSlots(Pyscard())

    def _usb(self) -> Sequence[str]:
        """Product and number of the card readers on USB."""
        if self.reader.simulated:
            return ()
        from mykey_tui.diagnostics.box import read_box  # noqa: PLC0415

        return [f"{device.product} ({device.usb_id})" for device in read_box(self.root).usb]

    def _versions(self) -> Mapping[str, str]:
        from mykey_tui.composition.machine import versions  # noqa: PLC0415
        from mykey_tui.store.engine import engine_version  # noqa: PLC0415  # heavy

        return versions(self.root, engine_version())


def _look(ask: Callable[[], T], otherwise: T) -> Look[T]:
    """The answer as far as it comes in time; whatever hangs is given up."""
    from mykey_tui.diagnostics.look import Look  # noqa: PLC0415

    return Look(lambda tell: tell(ask()), start=otherwise, seconds=LOOK_SECONDS)


def _hung(name: str) -> ReaderFacts:
    from mykey_tui.diagnostics.facts import ReaderFacts, Stage  # noqa: PLC0415  # heavy

    return ReaderFacts(
        stage=Stage.CARD,
        ended=True,
        state=ReaderState.READY,
        reader=bare_reader_name(name),
        trouble=Code.READER_HUNG,
    )
