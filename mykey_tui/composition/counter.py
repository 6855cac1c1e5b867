"""An enrolled counter without its screen: store, trust, hand-over and line, for every command."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx

from mykey_tui.card.connection import CardReader
from mykey_tui.composition.reader import make_reader
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ReaderError
from mykey_tui.flows.counter import SIMULATED_PROFILE
from mykey_tui.flows.identify import CertificateJudge
from mykey_tui.handover import HandOverAdapter, HandOverSettings, from_settings
from mykey_tui.settings import Settings, unusable
from mykey_tui.simulated import anchors_dir
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home
from mykey_tui.sync.client import ServerClient
from mykey_tui.sync.round import LOCK_WAIT_SECONDS, SyncReport, sync_round
from mykey_tui.sync.tls import trust_of
from mykey_tui.trust.anchors import load_anchors


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


def reader_of(counter: Counter) -> CardReader:
    """The reader that this counter takes its cards from. Raises as `require_fit`."""
    reader = make_reader(counter.settings.reader)
    require_fit(reader, counter)
    return reader


def require_fit(reader: CardReader, counter: Counter) -> None:
    """Make sure that `reader` may feed this counter.

    Raises:
        ReaderError: READER_SIMULATED, a counter for real cards was given a reader without plastic:
            whoever can write a file could be anybody.
    """
    if reader.simulated and counter.store.identity.profile != SIMULATED_PROFILE:
        raise ReaderError(Code.READER_SIMULATED)


def make_client(counter: Counter, transport: httpx.BaseTransport | None = None) -> ServerClient:
    """This counter's signed requests. `transport` stands in for the network."""
    store = counter.store
    return ServerClient(
        store.identity,
        counter.clock,
        remember_offset=store.save_clock_offset,
        transport=transport,
        verify=trust_of(store.identity.server_ca),
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
