"""The only place where real objects are made and joined. Imported after the first paint."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import httpx

from mykey_tui.card.connection import CardReader
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ReaderError
from mykey_tui.flows.card_text import card_lines
from mykey_tui.flows.counter import SIMULATED_PROFILE, CounterDesk
from mykey_tui.flows.courier import BackgroundLine
from mykey_tui.flows.desk import Desk
from mykey_tui.flows.desk_events import DeskEvent
from mykey_tui.flows.identify import CertificateJudge
from mykey_tui.flows.outcomes import CardDetail
from mykey_tui.flows.services import DemoPort, Services
from mykey_tui.flows.visits import Visits
from mykey_tui.handover import HandOverAdapter, HandOverSettings, from_settings
from mykey_tui.i18n.catalog import Catalog, Language
from mykey_tui.settings import ReaderChoice, ReaderKind, Settings, unusable
from mykey_tui.simulated import anchors_dir
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home
from mykey_tui.sync.background import BackgroundSync
from mykey_tui.sync.client import ServerClient
from mykey_tui.sync.round import LOCK_WAIT_SECONDS, SyncReport, sync_round
from mykey_tui.trust.anchors import load_anchors


@dataclass(frozen=True, slots=True)
class Hands:
    """What a demo or a test takes into its own hands; None leaves it as the settings say."""

    reader: CardReader | None = None
    transport: httpx.BaseTransport | None = None
    probe: Callable[[], bool] | None = None
    demo: Callable[[Callable[[], None]], DemoPort] | None = None
    """Makes the demo's hands from the function that asks for a round."""


@dataclass(frozen=True, slots=True)
class Counter:
    """One enrolled counter, opened: what the commands and the screen both need."""

    settings: Settings
    store: CounterStore
    judge: CertificateJudge
    handover: HandOverAdapter | None
    clock: SystemClock

    def __enter__(self) -> Self:
        """Nothing more to open."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of the store."""
        self.store.close()


def open_counter(settings: Settings) -> Counter:
    """Open the store, load the anchors, set the clock by what the server last said.

    Raises:
        StoreError: the store cannot be opened (K-NONE: this counter was never enrolled).
        AnchorsError: the folder of anchors cannot be used.
        StoreError: STORE_SETTINGS, the hand-over section cannot be used.
    """
    handover = make_handover(settings)
    clock = SystemClock()
    store = CounterStore.open(Home(settings.home), clock=clock)
    try:
        clock.offset = store.progress().clock_offset
        judge = _judge(settings, store.identity.profile, clock)
    except BaseException:
        store.close()
        raise
    return Counter(settings, store, judge, handover, clock)


def make_reader(choice: ReaderChoice) -> CardReader:
    """The driver that the settings ask for, equal in all that the rest can see."""
    if choice.kind is ReaderKind.EMULATOR:
        from mykey_tui.reader.emulator import FileReader  # noqa: PLC0415  # only one is needed

        return FileReader(choice.path)
    from mykey_tui.reader.pcsc import PcscReader  # noqa: PLC0415  # needs pcsc-lite's library

    return PcscReader(choice.name or None)


def reader_of(counter: Counter, own: CardReader | None = None) -> CardReader:
    """The reader that this counter takes its cards from; `own` is one that a demo holds itself.

    Raises:
        ReaderError: READER_SIMULATED, a counter for real cards was given a reader without plastic:
            whoever can write a file could be anybody.
    """
    reader = own or make_reader(counter.settings.reader)
    if reader.simulated and counter.store.identity.profile != SIMULATED_PROFILE:
        raise ReaderError(Code.READER_SIMULATED)
    return reader


def make_client(counter: Counter, transport: httpx.BaseTransport | None = None) -> ServerClient:
    """This counter's signed requests. `transport` stands in for the network."""
    store = counter.store
    return ServerClient(
        store.identity,
        counter.clock,
        remember_offset=store.save_clock_offset,
        transport=transport,
    )


def reconcile(counter: Counter, *, lock_wait_seconds: float = LOCK_WAIT_SECONDS) -> SyncReport:
    """One round over a line of its own; see `sync.round.sync_round` for what it raises."""
    with closing(make_client(counter)) as client:
        return sync_round(counter.store, client, lock_wait_seconds=lock_wait_seconds)


def make_judge(settings: Settings, clock: SystemClock) -> CertificateJudge:
    """Who judges a certificate where there is no enrolment: the card view."""
    return _judge(settings, settings.profile, clock)


def make_handover(settings: Settings) -> HandOverAdapter | None:
    """The way to the existing system; None where it is off. Raises `StoreError`."""
    try:
        return from_settings(HandOverSettings.from_json(settings.handover))
    except ValueError as error:
        raise unusable(f"handover: {error}") from error


def _judge(settings: Settings, profile: str, clock: SystemClock) -> CertificateJudge:
    """The test CA and the real ones never mix: a test card is no card at a real counter."""
    simulated = profile == SIMULATED_PROFILE
    directory = anchors_dir() if simulated else Home(settings.home).anchors
    return CertificateJudge(load_anchors(directory), clock)


@dataclass(slots=True)
class RunningCounter:
    """The screen's counter, with its threads. `build` may be called again after it failed."""

    settings: Settings
    hands: Hands = field(default_factory=Hands)
    _counter: Counter | None = None
    _client: ServerClient | None = None
    _background: BackgroundSync | None = None

    def build(self, emit: Callable[[DeskEvent], None]) -> Services:
        """Open everything and start the background sync; the screen starts the desk.

        Raises:
            MyKeyError: with a code, as `open_counter`. Nothing is left open.
        """
        self.close()
        counter = self._counter = open_counter(self.settings)
        reader = reader_of(counter, self.hands.reader)
        self._client = make_client(counter, self.hands.transport)
        self._background = BackgroundSync(
            counter.store,
            self._client,
            on_change=_nothing,  # the screen asks for the status by itself, once a second
            probe=self.hands.probe,
        )
        line = BackgroundLine(self._background)
        visits = Visits(reader, counter.judge, counter.store, counter.handover, line, counter.clock)
        desk = Desk(reader, visits, emit, counter.clock)
        self._background.start()
        return Services(
            desk=desk,
            counter=CounterDesk(
                store=counter.store,
                line=line,
                handover=counter.handover,
                reader=lambda: desk.reader_state,
                card_text=_card_text(self.settings),
                clock=counter.clock,
                simulated_reader=reader.simulated,
            ),
            demo=self.hands.demo(line.nudge) if self.hands.demo is not None else None,
        )

    def close(self) -> None:
        """End the background sync and let go of the store. The desk was stopped by the screen."""
        if self._background is not None:
            self._background.stop()
            self._background = None
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._counter is not None:
            self._counter.store.close()
            self._counter = None


def _card_text(settings: Settings) -> Callable[[CardDetail], str]:
    catalog = Catalog(Language(settings.language or Language.JAPANESE.value))
    return lambda detail: "\n".join([*card_lines(detail, catalog), ""])


def _nothing() -> None:
    """Nobody needs to be told."""
