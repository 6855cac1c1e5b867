"""A counter in memory's reach: an emulated reader, the real store, the test CA, no screen."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from mykey_tui.domain.codes import Code
from mykey_tui.domain.digest import EMPTY_DIGEST
from mykey_tui.domain.errors import HandOverError
from mykey_tui.domain.ids import (
    Binding,
    DeviceId,
    Incarnation,
    LookupToken,
    ProviderId,
    ServiceId,
)
from mykey_tui.domain.link import LinkStatus
from mykey_tui.domain.service_id import ServiceIdFormat
from mykey_tui.flows.desk import Desk, DeskFlows
from mykey_tui.flows.desk_events import DeskEvent
from mykey_tui.flows.identify import CertificateJudge, identify
from mykey_tui.flows.link import LinkFlow
from mykey_tui.flows.lookup import LookupFlow
from mykey_tui.flows.outcomes import IdentifiedCard
from mykey_tui.flows.timings import Timings
from mykey_tui.flows.visits import Visits
from mykey_tui.reader.card_file import CardFile
from mykey_tui.reader.emulator import EmulatedReader
from mykey_tui.simulated import anchors_dir
from mykey_tui.simulated.cards import make_card
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.freshness import BootTime
from mykey_tui.store.home import Home
from mykey_tui.store.identity import Identity
from mykey_tui.trust.anchors import load_anchors
from mykey_tui.wire.messages import ItemVerdict, PushReply, ScopeHead, VerdictName

NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
PAPER = "1C2410DF79DGEL07202002B"
OTHER = "SAMPLE0000000299999002A"
EVENT_SECONDS = 5.0


class FixedClock:
    """The day of the tests; seconds pass as they do, and more when a test says so."""

    def __init__(self) -> None:
        self.moment = NOW
        self.passed = 0.0

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return time.monotonic()

    def boot_time(self) -> BootTime:
        return BootTime("boot", 1000.0 + self.passed)

    def pass_hours(self, hours: float) -> None:
        self.passed += hours * 3600
        self.moment += timedelta(hours=hours)


class Till:
    """The other side of the hand-over: remembers what it was given, and can refuse it."""

    name = "file"

    def __init__(self) -> None:
        self.got: list[str] = []
        self.fails_with: Code | None = None

    def send(self, service_id: ServiceId) -> None:
        if self.fails_with is not None:
            raise HandOverError(self.fails_with)
        self.got.append(service_id.text)

    def send_test(self) -> None:
        self.send(ServiceId("TEST-0000"))


class FakeServer:
    """Stands where the line is: settles with the verdict that a test wants, or does nothing."""

    def __init__(self, store: CounterStore) -> None:
        self._store = store
        self.verdict: VerdictName | None = None
        self.kind: str | None = None
        self.delivered: list[int] = []

    def deliver(self, mid: int) -> None:
        self.delivered.append(mid)
        if self.verdict is None:
            return
        reply = PushReply(
            epoch="epoch",
            seq=1,
            digest=EMPTY_DIGEST,
            server_time="2026-11-22T06:00:00Z",
            items=[ItemVerdict(mid=mid, verdict=self.verdict, kind=self.kind)],
        )
        self._store.settle(reply, sent=[mid])


@dataclass
class Bench:
    """All parts of one counter, as a test needs them."""

    reader: EmulatedReader
    store: CounterStore
    judge: CertificateJudge
    clock: FixedClock
    till: Till
    server: FakeServer
    commands: list[bytes]
    hook: list[Callable[[int], None]] = field(default_factory=list)
    """Called with the number of each command before the card answers it."""

    @property
    def lookup(self) -> LookupFlow:
        return LookupFlow(self.reader, self.judge, self.store, self.till, self.clock)

    @property
    def linking(self) -> LinkFlow:
        return LinkFlow(self.reader, self.judge, self.store, self.server, self.clock)

    @property
    def visits(self) -> Visits:
        return Visits(self.reader, self.judge, self.store, self.till, self.server, self.clock)

    def card(self, cn: str = PAPER, **how: object) -> CardFile:
        return make_card(cn, at=NOW, **how)  # type: ignore[arg-type]  # the test says what

    def lay(self, cn: str = PAPER, **how: object) -> None:
        self.reader.insert(self.card(cn, **how))

    def identified(self, cn: str = PAPER) -> IdentifiedCard:
        """What step 1 gives for this card; the card lies there afterwards."""
        self.lay(cn)
        card = identify(self.reader, self.judge, Timings(self.clock))
        assert isinstance(card, IdentifiedCard)
        return card

    def has_row(
        self,
        token: LookupToken,
        service_id: str,
        status: LinkStatus = LinkStatus.ACTIVE,
        binding: Binding | None = None,
    ) -> None:
        """The server's truth, as a pull would have brought it."""
        cursor = self.store.progress().cursor + 1
        row = (bytes(token), binding, service_id, status.value, cursor)
        self.store.apply_page([row], epoch="epoch", cursor=cursor)

    def is_synced(self) -> None:
        """A complete pull has just ended."""
        known = self.store.progress()
        self.store.finish_pull(ScopeHead(known.cursor, known.digest), epoch="epoch")

    @property
    def provider_key(self) -> bytes:
        return self.store.identity.provider_key


def make_identity() -> Identity:
    return Identity(
        device_id=DeviceId(UUID(int=7)),
        incarnation=Incarnation(b"i" * 16),
        provider_id=ProviderId.parse("A-α1-0001"),
        provider_name="さくら商店街ポイント",
        scope="A-alpha1-0001",
        provider_key=b"p" * 32,
        digest_key=b"d" * 32,
        seal_key=X25519PrivateKey.generate().public_key().public_bytes_raw(),
        device_key=b"k" * 32,
        server_url="http://127.0.0.1:9",
        profile="simulated",
        counter_name="2号レジ",
        service_id_format=ServiceIdFormat(),
    )


@pytest.fixture
def new_bench(tmp_path: Path) -> Iterator[Bench]:
    """A counter that has never had a complete set of rows."""
    clock = FixedClock()
    home = Home(tmp_path / "home")
    store = CounterStore.create(home, make_identity(), clock=clock, boot_time=clock.boot_time)
    commands: list[bytes] = []
    hook: list[Callable[[int], None]] = []

    def note(command: bytes) -> None:
        commands.append(command)
        for called in hook:
            called(len(commands))

    reader = EmulatedReader(on_command=note)
    judge = CertificateJudge(load_anchors(anchors_dir()), clock)
    yield Bench(reader, store, judge, clock, Till(), FakeServer(store), commands, hook)
    store.close()


@pytest.fixture
def bench(new_bench: Bench) -> Bench:
    """A counter whose rows are complete and fresh."""
    new_bench.is_synced()
    return new_bench


class Watcher:
    """What the screens would see: the desk's events, in order."""

    def __init__(self) -> None:
        self.events: queue.Queue[DeskEvent] = queue.Queue()

    def __call__(self, event: DeskEvent) -> None:
        self.events.put(event)

    def next(self, seconds: float = EVENT_SECONDS) -> DeskEvent:
        return self.events.get(timeout=seconds)

    def until(self, kind: type[DeskEvent], seconds: float = EVENT_SECONDS) -> DeskEvent:
        """The next event of this kind; those before it are let go."""
        deadline = time.monotonic() + seconds
        while True:
            event = self.events.get(timeout=max(0.001, deadline - time.monotonic()))
            if isinstance(event, kind):
                return event

    def nothing_more(self, seconds: float = 0.2) -> bool:
        try:
            self.events.get(timeout=seconds)
        except queue.Empty:
            return True
        return False


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
def make_desk(bench: Bench, watcher: Watcher) -> Iterator[Callable[[DeskFlows], Desk]]:
    made: list[Desk] = []

    def make(flows: DeskFlows) -> Desk:
        made.append(Desk(bench.reader, flows, watcher, bench.clock))
        return made[-1]

    yield make
    for desk in made:
        desk.stop()


@pytest.fixture
def desk(bench: Bench, make_desk: Callable[[DeskFlows], Desk]) -> Desk:
    return make_desk(bench.visits)
