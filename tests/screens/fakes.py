"""Small fakes of the services: they remember what was asked and say what a test tells them to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from mykey_tui.card.connection import ReaderState
from mykey_tui.card.live import SlotSeen, SlotsNow, SlotWord
from mykey_tui.diagnostics.finding import Finding, Report, State
from mykey_tui.diagnostics.layer import Layer
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import MalformedIdError, MyNumberTypedError
from mykey_tui.domain.ids import CertificateRef, ServiceId, SubjectCn
from mykey_tui.domain.service_id import ServiceIdFormat
from mykey_tui.flows.desk_events import DeskEvent
from mykey_tui.flows.outcomes import (
    CardDetail,
    Found,
    HandOver,
    IdentifiedCard,
    LineState,
    QueueItem,
    QueueState,
    ServiceCardOutcome,
    ServiceCardRead,
    Status,
    Stopped,
)
from mykey_tui.flows.pin_entry import PinEntry, PinGiven
from mykey_tui.flows.services import KeypadSign, PinWays, SampleCard, Services, Trace
from mykey_tui.flows.soak import ReaderInTest, SoakFigures

CN = SubjectCn.parse("1C2410DF79DGEL" + "07202002B")
SENT = HandOver(Code.HANDED_OVER, "file")


def identified(serial: int = 1) -> IdentifiedCard:
    return IdentifiedCard(
        CN, CertificateRef(b"issuer", serial), bytes(32), b"der", datetime(2029, 1, 1, tzinfo=UTC)
    )


def found(number: str = "2802121234", handover: HandOver = SENT, **more: object) -> Found:
    return replace(Found(ServiceId(number), handover, days_left=900), **more)  # type: ignore[arg-type]


DETAIL = CardDetail(
    random_string="1C2410DF79DGEL",
    terminal_code="07202002B",
    municipality_code="07202",
    issuer="C=JP, O=JPKI, OU=JPKI for user authentication",
    not_before=datetime(2024, 1, 1, tzinfo=UTC),
    not_after=datetime(2029, 1, 1, tzinfo=UTC),
    days_left=900,
    verdict=None,
)

STATUS = Status(
    provider_name="さくら商店街ポイント",
    counter_name="2号レジ",
    simulated=True,
    line=LineState.UP,
    line_since_seconds=None,
    waiting=0,
    oldest_seconds=None,
    attention=0,
    rows=1204,
    revocation_age_seconds=12 * 60.0,
    reader=ReaderState.READY,
    reader_name="Sony RC-S300/S [CCID] 00 00",
)

QUEUE = (
    QueueItem(1, "link", "******1234", 2 * 3600.0, QueueState.WAITING, None),
    QueueItem(2, "link", "******8365", 3600.0, QueueState.PARKED, Code.MUTATION_PARKED),
    QueueItem(
        3, "link", "******0077", None, QueueState.CONFLICT, Code.LINK_DUPLICATE, "******1234"
    ),
    QueueItem(4, "link", "******5511", None, QueueState.CONFLICT, Code.SERVICE_ID_TAKEN),
    QueueItem(5, "unlink", "******1200", None, QueueState.INVALID, Code.MUTATION_INVALID),
)


@dataclass
class FakeDesk:
    """Writes down what was asked of it."""

    asked: list[tuple[str, ...]] = field(default_factory=list)
    committed: list[tuple[IdentifiedCard, ServiceId]] = field(default_factory=list)
    pins: list[tuple[str | None, bool]] = field(default_factory=list)
    """Digits (None: on the reader) and whether the last try was allowed."""

    def expect_lookup(self, *, handover: bool = True) -> None:
        self.asked.append(("lookup",) if handover else ("lookup", "without hand-over"))

    def expect_service_card(self) -> None:
        self.asked.append(("service-card",))

    def expect_taps(self) -> None:
        self.asked.append(("taps",))

    def expect_nothing(self) -> None:
        self.asked.append(("nothing",))

    def commit_link(
        self, card: IdentifiedCard, service_id: ServiceId, given: PinGiven | None = None
    ) -> None:
        self.asked.append(("commit-link",))
        self.committed.append((card, service_id))
        self._take(given)

    def commit_unlink(self, card: IdentifiedCard, given: PinGiven | None = None) -> None:
        self.asked.append(("commit-unlink",))
        self._take(given)

    def lookup_with_pin(self, card: IdentifiedCard, given: PinGiven) -> None:
        self.asked.append(("lookup-with-pin",))
        self._take(given)

    def _take(self, given: PinGiven | None) -> None:
        """What the card thread does with it: use it once."""
        if given is not None:
            digits = None if given.entry is None else given.entry.take()
            self.pins.append((digits, given.allow_last_try))

    def show_card(self) -> None:
        self.asked.append(("show-card",))

    def confirm_lookup(self, card: IdentifiedCard) -> None:
        self.asked.append(("confirm-lookup",))


@dataclass
class FakeCounter:
    """Answers from its fields."""

    now: Status = STATUS
    items: Sequence[QueueItem] = ()
    form: ServiceIdFormat = field(default_factory=lambda: ServiceIdFormat.parse("digits:10"))
    handover: HandOver = SENT
    retried: list[int] = field(default_factory=list)
    synced: int = 0
    kept: list[int] = field(default_factory=list)
    replaced: list[int] = field(default_factory=list)
    replace_error: Exception | None = None
    exported: list[CardDetail] = field(default_factory=list)
    slips: list[str] = field(default_factory=list)
    export_error: Exception | None = None

    def status(self) -> Status:
        return self.now

    def queue(self) -> Sequence[QueueItem]:
        return self.items

    def retry(self, mid: int) -> bool:
        self.retried.append(mid)
        return True

    def keep(self, mid: int) -> bool:
        self.kept.append(mid)
        return self._takes_off(mid)

    def replace(self, mid: int) -> None:
        if self.replace_error is not None:
            raise self.replace_error
        self.replaced.append(mid)
        self._takes_off(mid)

    def _takes_off(self, mid: int) -> bool:
        there = len(self.items)
        self.items = [item for item in self.items if item.mid != mid]
        return len(self.items) < there

    def sync_now(self) -> None:
        self.synced += 1

    def check_service_id(self, text: str) -> ServiceCardOutcome:
        try:
            return ServiceCardRead(self.form.check(text))
        except MyNumberTypedError:
            return Stopped(Code.SERVICE_ID_IS_MY_NUMBER)
        except MalformedIdError as error:
            return Stopped(Code.SERVICE_ID_MALFORMED, {"position": str(error.position)})

    def test_handover(self) -> HandOver:
        return self.handover

    def export_slip(self, text: str) -> Path:
        self.slips.append(text)
        return Path("/home/counter/pin-slip.txt")

    def export_card(self, detail: CardDetail) -> Path:
        if self.export_error is not None:
            raise self.export_error
        self.exported.append(detail)
        return Path("/home/counter/card.txt")


CARDS = (
    SampleCard("1", "登録済みのカード", "Linked card", "会員番号が出ます", "its number appears"),
    SampleCard("2", "未登録のカード", "Card not linked", "登録をはじめられます", "can be linked"),
    SampleCard("3", "停止中のカード", "Suspended card", "受付できません L-SUSP", "refused, L-SUSP"),
    SampleCard("4", "期限切れのカード", "Expired card", "受付できません C-EXPIRED", "C-EXPIRED"),
    SampleCard("5", "まだ有効でないカード", "Card of tomorrow", "C-NOTYET", "C-NOTYET"),
    SampleCard("6", "発行者不明のカード", "Unknown issuer", "C-ISSUER", "C-ISSUER"),
    SampleCard("7", "偽造されたカード", "Forged card", "C-FORGED", "C-FORGED"),
    SampleCard("8", "運転免許証", "Driving licence", "C-OTHER", "C-OTHER"),
    SampleCard("9", "交通系ポイントカード", "FeliCa point card", "C-POINT", "C-POINT"),
    SampleCard("a", "早く離れるカード", "Pulled too early", "C-REMOVED", "C-REMOVED"),
)


@dataclass
class FakeDemo:
    """A tray whose hands only write down."""

    samples: Sequence[SampleCard] = CARDS
    lies: str | None = None
    cut: bool = False
    laid: list[str] = field(default_factory=list)
    removed: int = 0

    def cards(self) -> Sequence[SampleCard]:
        return self.samples

    def place(self, key: str) -> None:
        self.laid.append(key)
        self.lies = key

    def remove(self) -> None:
        self.removed += 1
        self.lies = None

    def placed(self) -> str | None:
        return self.lies

    def line_is_cut(self) -> bool:
        return self.cut

    def set_line_cut(self, cut: bool) -> None:
        self.cut = cut


HEALTHY = tuple(
    Finding(layer, State.OK, facts=facts)
    for layer, facts in {
        Layer.USB: {"reader": "Sony RC-S300/S (054c:0dc8)"},
        Layer.KERNEL: {"version": "1.5.2"},
        Layer.DAEMON: {},
        Layer.PERMISSION: {},
        Layer.READER: {"reader": "SONY FeliCa RC-S300/S"},
        Layer.CARD: {},
        Layer.APPLICATION: {"label": "JPKIAPICCTOKEN2"},
        Layer.CERTIFICATE: {},
        Layer.TRUST: {"count": "3"},
        Layer.CLOCK: {"seconds": "+0.3"},
        Layer.STORE: {"rows": "1204"},
        Layer.LINE: {"ms": "24"},
        Layer.SERVER: {},
        Layer.HANDOVER: {"kind": "file"},
    }.items()
)


def fault(layer: Layer, code: Code, **facts: str) -> tuple[Finding, ...]:
    """A report in which `layer` has a fault, and what it explains above it was not examined."""
    above = (Layer.PERMISSION, Layer.READER, Layer.CARD, Layer.APPLICATION, Layer.CERTIFICATE)
    order = list(Layer)
    return tuple(
        Finding(layer, State.FAULT, code, facts)
        if finding.layer is layer
        else Finding(finding.layer, State.SKIPPED, because=code)
        if finding.layer in above and order.index(finding.layer) > order.index(layer)
        else finding
        for finding in HEALTHY
    )


STOPPED = fault(Layer.DAEMON, Code.READER_NO_SERVICE)
SLOTS = SlotsNow(
    ReaderState.READY,
    (
        SlotSeen(
            "SONY FeliCa RC-S300/S", (SlotWord.CARD, SlotWord.IN_USE), "3B888001 ** (9 bytes)"
        ),
        SlotSeen("ACS ACR122U PICC Interface", (SlotWord.EMPTY,)),
    ),
)


@dataclass
class FakeTechnician:
    """Finds what a test gives it, one finding after the other."""

    findings: Sequence[Finding] = HEALTHY
    slots: SlotsNow = SLOTS
    asked: list[str] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)
    lines: Sequence[str] = ()
    traces: bool = False
    evidence_error: Exception | None = None
    written: list[tuple[Report | None, SoakFigures | None]] = field(default_factory=list)
    holds_before: Layer | None = None
    """The examination waits before this layer, until `goes_on` is set."""
    goes_on: threading.Event = field(default_factory=threading.Event)
    looks: int = 0

    def examine(self) -> Iterator[Finding]:
        self.asked.append("examine")
        for finding in self.findings:
            if finding.layer is self.holds_before:
                self.goes_on.wait(10)
            yield finding

    def look(self, seconds: float) -> SlotsNow:
        self.looks += 1
        if self.looks > 1:
            threading.Event().wait(0.1)
        return self.slots

    def expect_taps(self) -> None:
        self.asked.append("taps")

    def expect_nothing(self) -> None:
        self.asked.append("nothing")

    def set_trace(self, on: bool) -> None:  # as the port has it
        self.traces = on

    def trace(self) -> Trace:
        return Trace(self.traces, self.lines)

    def reader_in_test(self) -> ReaderInTest:
        software = ("mykey-tui 0.1.0", "pcscd 1.9.9", "libccid 1.5.2")
        return ReaderInTest("SONY FeliCa RC-S300/S", "054c:0dc8", software, "2026-11")

    def save_scan_gap(self, gap_ms: int) -> None:
        self.gaps.append(gap_ms)

    def write_evidence(self, report: Report | None, soak: SoakFigures | None) -> Path:
        if self.evidence_error is not None:
            raise self.evidence_error
        self.written.append((report, soak))
        return Path("/home/counter/evidence.txt")


@dataclass
class FakeKeypad:
    """A resident's fingers on a keypad of their own."""

    error: Exception | None = None
    started: int = 0
    stopped: int = 0
    entry: PinEntry | None = None
    tell: Callable[[KeypadSign], None] = lambda sign: None

    def start(self, entry: PinEntry, tell: Callable[[KeypadSign], None]) -> None:
        if self.error is not None:
            raise self.error
        self.started += 1
        self.entry, self.tell = entry, tell

    def stop(self) -> None:
        self.stopped += 1

    def press(self, digits: str) -> None:
        assert self.entry is not None
        for digit in digits:
            self.entry.press(digit)
            self.tell(KeypadSign.TYPED)


def _set_event() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@dataclass
class Fakes:
    """All of them, and the function that builds the services from them."""

    desk: FakeDesk = field(default_factory=FakeDesk)
    counter: FakeCounter = field(default_factory=FakeCounter)
    demo: FakeDemo | None = None
    pin: PinWays = field(default_factory=lambda: PinWays(keyboard=True))
    technician: FakeTechnician = field(default_factory=FakeTechnician)
    start_error: Exception | None = None
    holds: threading.Event = field(default_factory=_set_event)
    """The services arrive when it is set."""
    emit: Callable[[DeskEvent], None] = lambda event: None

    def build(self, emit: Callable[[DeskEvent], None]) -> Services:
        self.emit = emit
        self.holds.wait(10)
        if self.start_error is not None:
            raise self.start_error
        return Services(self.desk, self.counter, self.demo, pin=self.pin)
