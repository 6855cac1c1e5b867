"""The doctor's sources on this machine: its files, its reader, this counter's store and server.

Nothing is sent to the till, no card's data leaves the probe, and no look-up is counted.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from mykey_tui.card.connection import CardReader, ReaderState
from mykey_tui.composition.counter import make_judge
from mykey_tui.composition.reader import make_reader
from mykey_tui.diagnostics.box import read_box
from mykey_tui.diagnostics.facts import (
    HandOverFacts,
    LineFacts,
    ReaderFacts,
    StoreFacts,
    TrustFacts,
)
from mykey_tui.diagnostics.journal import read_journal
from mykey_tui.diagnostics.look import Look
from mykey_tui.diagnostics.probe import Judgement, listen, probe_reader
from mykey_tui.diagnostics.sources import ReaderProbe, Sources
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import AnchorsError, LineError, ServerError, StoreError
from mykey_tui.domain.link import LinkStatus
from mykey_tui.domain.text import safe
from mykey_tui.flows.counter import SIMULATED_PROFILE
from mykey_tui.flows.lookup import find_link
from mykey_tui.flows.outcomes import IdentifiedCard, Stopped
from mykey_tui.flows.stopping import stopped_by
from mykey_tui.handover.file_drop import DropMode
from mykey_tui.handover.settings import HandOverKind, HandOverSettings
from mykey_tui.settings import ANY_PCSC_READER, ReaderChoice, ReaderKind, Settings
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.freshness import Freshness
from mykey_tui.store.home import Home
from mykey_tui.store.identity import Identity
from mykey_tui.sync.client import ServerClient
from mykey_tui.sync.replies import read_time
from mykey_tui.sync.tls import trust_of

T = TypeVar("T")

EARLIER_SECONDS = 2.0
"""How long a probe waits for an earlier one to end, which may only be slow."""
ROOT = Path("/")
STORE_SECONDS = 1.0
"""For one question to the store while a card lies there."""
NAME_LENGTH_MAX = 48
"""Of a reader, as the settings have it."""
SOCKET_VARIABLE = "PCSCLITE_CSOCK_NAME"
"""Where libpcsclite looks for the service, if somebody told it."""


class FreshReaders:
    """Opens drivers of the doctor's own; a service that hangs costs the threads of one of them."""

    def __init__(self) -> None:
        self._one = threading.RLock()
        """Held by the probe, which may open another driver to look for another reader."""
        self._closed: list[CardReader] = []

    @contextmanager
    def opened(self, choice: ReaderChoice) -> Iterator[CardReader | None]:
        """A driver; None while a probe or a call of an earlier one has not come back."""
        if not self._one.acquire(timeout=EARLIER_SECONDS):
            yield None
            return
        try:
            self._closed = [reader for reader in self._closed if reader.health().still_out]
            if self._closed:
                yield None
                return
            reader = make_reader(choice)
            try:
                with closing(reader):
                    yield reader
            finally:
                self._closed.append(reader)
        finally:
            self._one.release()


def is_simulated(settings: Settings) -> bool:
    """Whether what the doctor looks at is for training: its cards come from our own test CA."""
    return _as_enrolled(settings, _Opened(settings)).profile == SIMULATED_PROFILE


def make_sources(
    settings: Settings,
    *,
    root: Path = ROOT,
    environment: Mapping[str, str] = os.environ,
    fresh: FreshReaders | None = None,
) -> Sources:
    """All of the doctor's senses. Whoever examines again and again gives the same `fresh` each time.

    Nothing is opened before the examination begins.
    """
    told = environment.get(SOCKET_VARIABLE)
    home = _Opened(settings)
    return Sources(
        box=lambda: read_box(root, Path(told) if told else None),
        journal=read_journal,
        reader=_fresh_reader(settings, home, fresh or FreshReaders()),
        trust=lambda: _trust(settings, home),
        store=lambda: _store(home),
        line=lambda: _line(home),
        handover=lambda: _handover(settings),
    )


def judgement_of(settings: Settings) -> Judgement:
    """Who says whether a certificate is believed, by the profile that this counter has.

    One that is believed and that this counter's rows know to be followed by another is L-RENEW. The
    look counts as no look-up. Nothing is read before the first certificate is there.
    """
    return _judgement(settings, _Opened(settings))


def _judgement(settings: Settings, home: _Opened) -> Judgement:
    def judged(certificate: bytes) -> tuple[Code, Mapping[str, str]] | None:
        try:
            judge = make_judge(_as_enrolled(settings, home), SystemClock())
        except AnchorsError:
            return None  # The layer of the anchors tells it.
        answer = judge.judge(certificate)
        if isinstance(answer, Stopped):
            return answer.code, answer.values
        return (Code.RENEWED, {}) if home.knows_newer(answer) else None

    return judged


def _as_enrolled(settings: Settings, home: _Opened) -> Settings:
    """The settings with the profile that the counter was enrolled with, whatever the file says."""
    profile = home.profile()
    return settings if profile is None else replace(settings, profile=profile)


def _fresh_reader(settings: Settings, home: _Opened, fresh: FreshReaders) -> ReaderProbe:
    """A driver of the doctor's own, for as long as the probe takes.

    Nothing is told while an earlier one is still out: the service has not answered.
    """

    def probe(tell: Callable[[ReaderFacts], None]) -> None:
        emulated = settings.reader.kind is ReaderKind.EMULATOR
        if emulated and _as_enrolled(settings, home).profile != SIMULATED_PROFILE:
            tell(
                ReaderFacts(
                    emulated=True,
                    state=ReaderState.READY,
                    trouble=Code.READER_SIMULATED,
                    ended=True,
                )
            )
            return

        def tell_all(facts: ReaderFacts) -> None:
            tell(_with_other_reader(facts, settings.reader, fresh))

        with fresh.opened(settings.reader) as reader:
            if reader is not None:
                probe_reader(reader, _judgement(settings, home), tell_all)

    return probe


def _with_other_reader(
    facts: ReaderFacts, choice: ReaderChoice, fresh: FreshReaders
) -> ReaderFacts:
    """Where none has the name that was chosen: which reader there is, if any."""
    if not choice.name or not facts.ended or facts.state is not ReaderState.NO_READER:
        return facts
    with fresh.opened(ANY_PCSC_READER) as reader:
        other = "" if reader is None else listen(reader, ReaderFacts()).reader
    return replace(facts, wanted=safe(choice.name, NAME_LENGTH_MAX), other=other)


def _trust(settings: Settings, home: _Opened) -> TrustFacts:
    try:
        anchors = make_judge(_as_enrolled(settings, home), SystemClock()).anchors
    except AnchorsError as error:
        return TrustFacts(trouble=error.code)
    if not anchors:
        return TrustFacts(trouble=Code.TRUST_NO_ANCHORS)
    return TrustFacts(anchors=len(anchors.certificates))


@dataclass(frozen=True, slots=True)
class _Counter:
    """What the store says of this counter; read once, and the store closed again."""

    identity: Identity
    freshness: Freshness


class _Opened:
    """The store, opened for a look by whichever layer comes first, and closed again each time."""

    def __init__(self, settings: Settings) -> None:
        self._home = Home(settings.home)
        self._lock = threading.Lock()
        self._found: _Counter | StoreError | None = None

    def counter(self) -> _Counter:
        """Everything, every page looked at. Raises `StoreError`, the same each time."""
        with self._lock:
            if self._found is None:
                self._found = self._read()
        if isinstance(self._found, StoreError):
            raise self._found
        return self._found

    def profile(self) -> str | None:
        """What the counter was enrolled for; None where that is not known soon."""
        return _soon(lambda: self._look(lambda store: store.identity.profile), None)

    def knows_newer(self, card: IdentifiedCard) -> bool:
        """Whether a row of this counter's says that the card's certificate was renewed."""
        own = _soon(lambda: self._look(lambda store: find_link(card, store)), None)
        return own is not None and own.link.status is LinkStatus.RENEWED

    def _look(self, ask: Callable[[CounterStore], T]) -> T | None:
        """One question; None where there is no store to ask: that is told in the store's layer."""
        try:
            with closing(CounterStore.open(self._home)) as store:
                return ask(store)
        except StoreError:
            return None

    def _read(self) -> _Counter | StoreError:
        try:
            with closing(CounterStore.open(self._home)) as store:
                store.check()
                return _Counter(store.identity, store.freshness())
        except StoreError as error:
            return error


def _soon(ask: Callable[[], T], otherwise: T) -> T:
    """The answer, or `otherwise` when a disk takes longer than a card should be held for it."""
    return Look[T](lambda tell: tell(ask()), start=otherwise, seconds=STORE_SECONDS).result()


def _store(home: _Opened) -> StoreFacts:
    try:
        freshness = home.counter().freshness
    except StoreError as error:
        return StoreFacts(trouble=error.code)
    return StoreFacts(rows=freshness.rows, clock_doubt=freshness.clock_doubt)


def _line(home: _Opened) -> LineFacts:
    """One `hello`. The clock that signs it follows the server's; the box's own is compared."""
    try:
        identity = home.counter().identity
    except StoreError:
        return LineFacts(enrolled=False)
    clock = SystemClock()
    try:
        client = ServerClient(identity, clock, verify=trust_of(identity.server_ca))
        with closing(client):
            begun = time.monotonic()
            server_time = read_time(client.hello().server_time)
            milliseconds = round((time.monotonic() - begun) * 1000)
    except (LineError, ServerError) as error:
        skew = clock.offset.total_seconds() or None
        return LineFacts(trouble=stopped_by(error).code, skew_seconds=skew)
    skew = None if server_time is None else (server_time - datetime.now(UTC)).total_seconds()
    return LineFacts(milliseconds=milliseconds, skew_seconds=skew)


def _handover(settings: Settings) -> HandOverFacts:
    """Whether it could be handed over; nothing is."""
    try:
        chosen = HandOverSettings.from_json(settings.handover)
    except ValueError:
        return HandOverFacts(trouble=Code.STORE_SETTINGS)
    kind = chosen.kind.value
    if chosen.kind is HandOverKind.FILE and chosen.path is not None:
        folder = chosen.path if chosen.mode is DropMode.ONE_PER_TAP else chosen.path.parent
        reason = _why_not_writable(folder)
        return HandOverFacts(kind, Code.HANDOVER_FILE if reason else None, reason)
    if chosen.kind is HandOverKind.COMMAND and shutil.which(chosen.argv[0]) is None:
        return HandOverFacts(kind, Code.HANDOVER_COMMAND, "ENOENT")
    return HandOverFacts(kind)


def _why_not_writable(folder: Path) -> str:
    """The system's word for what is wrong with a folder; empty where it can be written."""
    if not folder.is_dir():
        return "ENOENT"
    return "" if os.access(folder, os.W_OK | os.X_OK) else "EACCES"
