"""The card watch: tap to event, event to certificate, processor time at idle, recovery after faults.

Through the real pcscd and its virtual reader, and for what that cannot show through the scripted
service of the tests. `make bench` or `python -m bench reader`; about two minutes.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mykey_tui.card.connection import CardArrived, CardLeft, ReaderChanged, ReaderEvent, ReaderState
from mykey_tui.domain.errors import CardError, ReaderError
from mykey_tui.reader.card_file import CardFile, Fault, FaultName
from mykey_tui.reader.pcsc import PcscReader
from mykey_tui.reader.trace import timed_read
from mykey_tui.reader.vpcd import hold_card
from mykey_tui.simulated.cards import make_card
from tests.pcscd.private_pcscd import SLOTS, PrivatePcscd, why_not
from tests.unit.reader.scripted_service import ScriptedService

TAPS = 15
READS = 15
APDU_SECONDS = 0.020
IDLE_SECONDS = 20.0
REPEATS = 3
LIFT_SECONDS = 1.0
"""pcscd looks at the virtual reader every 0.4 s; a card laid before it saw the gap is not noticed."""
WAIT_SECONDS_MAX = 60.0
SETTLED_SECONDS = 1.5
"""A context that dies younger than a second is followed by a pause, so that nobody goes in circles."""
WATCHER = "card-watch"
"""The watcher's thread."""
NAME = "Reader 00 00"
CN = "1C2410DF79DGEL07202002B"


def measure() -> dict[str, Any]:
    """Skips, with the reason in the result, where pcscd cannot run."""
    reason, card = why_not(), make_card(CN, at=datetime.now(UTC))
    if reason is not None:
        return {"skipped": reason, "recovery_seconds": scripted_faults(card)}
    with tempfile.TemporaryDirectory(prefix="mk") as folder, PrivatePcscd(Path(folder)) as daemon:
        return {
            "tap": taps(daemon, card),
            "read": {
                "no_delay": reads(daemon, card),
                "20_ms_per_apdu": reads(daemon, slowed(card)),
            },
            "idle": idle(),
            "recovery_seconds": pcscd_faults(daemon, card) | scripted_faults(card),
            "targets": {"watcher_cpu_ms_per_10_s": 1.0},
        }


def slowed(card: CardFile) -> CardFile:
    return replace(card, fault=Fault(FaultName.SLOW, seconds=APDU_SECONDS))


@contextmanager
def laid(daemon: PrivatePcscd, card: CardFile) -> Iterator[None]:
    """The card on the first slot, lifted for long enough afterwards."""
    stop, port = threading.Event(), SLOTS[0][0]
    holder = threading.Thread(
        target=hold_card,
        args=(card, "", port, stop),
        kwargs={"connect": lambda: daemon.connect(port)},
    )
    holder.start()
    try:
        yield
    finally:
        stop.set()
        holder.join()
        time.sleep(LIFT_SECONDS)


def until(reader: PcscReader, wanted: Callable[[ReaderEvent], bool]) -> float:
    """Wait for the event; when it was handed out."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < deadline:
        event = reader.wait(1.0)
        if event is not None and wanted(event):
            return time.perf_counter()
    raise TimeoutError("the event did not come")


def arrived(event: ReaderEvent) -> bool:
    return isinstance(event, CardArrived)


def left(event: ReaderEvent) -> bool:
    return isinstance(event, CardLeft)


def state_is(state: ReaderState) -> Callable[[ReaderEvent], bool]:
    return lambda event: isinstance(event, ReaderChanged) and event.state is state


def taps(daemon: PrivatePcscd, card: CardFile) -> dict[str, float]:
    """From laying the card to the event, and from the event to the certificate in hand."""
    to_event, to_certificate = [], []
    with closing(PcscReader()) as reader:
        until(reader, state_is(ReaderState.READY))
        for _ in range(TAPS):
            begun = time.perf_counter()
            with laid(daemon, card):
                seen = until(reader, arrived)
                timed_read(reader)
                to_certificate.append(time.perf_counter() - seen)
                to_event.append(seen - begun)
    return {
        "event_median_ms": milliseconds(to_event),
        "event_max_ms": round(1000 * max(to_event), 1),
        "event_to_certificate_median_ms": milliseconds(to_certificate),
    }


def reads(daemon: PrivatePcscd, card: CardFile) -> dict[str, float]:
    """A card that lies there, read again and again, everything included."""
    with closing(PcscReader()) as reader, laid(daemon, card):
        until(reader, arrived)
        measured = [timed_read(reader) for _ in range(READS)]
    return {
        "apdus": measured[0].apdus,
        "read_median_ms": round(statistics.median(m.milliseconds for m in measured), 2),
        "session_median_ms": round(statistics.median(m.session_milliseconds for m in measured), 2),
    }


def idle() -> dict[str, float]:
    """Processor time of the watcher's thread while nothing happens, reader there and no card."""
    with closing(PcscReader()) as reader:
        until(reader, state_is(ReaderState.READY))
        (watcher,) = (thread for thread in threading.enumerate() if thread.name == WATCHER)
        if watcher.ident is None:
            raise RuntimeError("the watcher does not run")
        clock = time.pthread_getcpuclockid(watcher.ident)
        before, waiting = time.clock_gettime(clock), time.thread_time()
        while reader.wait(IDLE_SECONDS) is not None:
            pass
        spent, waited = time.clock_gettime(clock) - before, time.thread_time() - waiting
    return {
        "watcher_cpu_ms_per_10_s": round(1000 * spent * 10 / IDLE_SECONDS, 2),
        "card_thread_cpu_ms_per_10_s": round(1000 * waited * 10 / IDLE_SECONDS, 2),
    }


def pcscd_faults(daemon: PrivatePcscd, card: CardFile) -> dict[str, float]:
    """Seconds from the end of each fault until a card can be read again."""
    restarted, hung, pulled, thawed = [], [], [], []
    for repeat in range(REPEATS):
        with closing(PcscReader()) as reader:
            until(reader, state_is(ReaderState.READY))
            daemon.stop(kill=repeat % 2 == 0)
            until(reader, state_is(ReaderState.NO_SERVICE))
            daemon.start()
            begun = time.perf_counter()
            restarted.append(until(reader, state_is(ReaderState.READY)) - begun)
            pulled.append(_spoilt_then_next(daemon, reader, card, FaultName.REMOVED_DURING_READ))
            hung.append(_spoilt_then_next(daemon, reader, card, FaultName.HANG))
    with closing(PcscReader()) as reader:
        until(reader, state_is(ReaderState.READY))
        daemon.freeze()
        begun = time.perf_counter()
        noticed = until(reader, state_is(ReaderState.NO_SERVICE)) - begun
        daemon.thaw()
        begun = time.perf_counter()
        thawed.append(until(reader, state_is(ReaderState.READY)) - begun)
    return {
        "pcscd_restarted": seconds(restarted),
        "card_pulled_next_tap_read": seconds(pulled),
        "card_hung_and_lifted_next_tap_read": seconds(hung),
        "pcscd_frozen_noticed_after": round(noticed, 2),
        "pcscd_frozen_and_thawed": seconds(thawed),
    }


def _spoilt_then_next(
    daemon: PrivatePcscd, reader: PcscReader, card: CardFile, fault: FaultName
) -> float:
    """From laying the card after a spoilt one to its certificate."""
    with laid(daemon, replace(card, fault=Fault(fault, at=4, seconds=60.0))):
        until(reader, arrived)
        with suppress(CardError, ReaderError):
            timed_read(reader)
    until(reader, left)
    begun = time.perf_counter()
    with laid(daemon, card):
        until(reader, arrived)
        timed_read(reader)
        return time.perf_counter() - begun


def scripted_faults(card: CardFile) -> dict[str, float]:
    """The same for what the virtual reader cannot show, over the scripted service."""
    faults: dict[str, Callable[[ScriptedService, PcscReader, CardFile], float]] = {
        "reader_replugged": _replugged,
        "reader_renamed": _renamed,
        "context_dead": _context_dead,
        "other_program_let_go": _let_go,
        "given_up_call_came_back": _came_back,
        "watcher_hung": _watcher_hung,
    }
    return {name: seconds([_over_script(fault, card)]) for name, fault in faults.items()}


def _over_script(
    fault: Callable[[ScriptedService, PcscReader, CardFile], float], card: CardFile
) -> float:
    service = ScriptedService(NAME)
    with closing(PcscReader(service=service)) as reader:
        until(reader, state_is(ReaderState.READY))
        try:
            begun = fault(service, reader, card)
            return _readable(service, reader, card) - begun
        finally:
            service.come_back()


def _readable(service: ScriptedService, reader: PcscReader, card: CardFile) -> float:
    """When a card that lies there, or is laid now, has been read."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    (name,) = service.names
    service.lay(name, card)
    while time.monotonic() < deadline:
        with suppress(CardError, ReaderError):
            timed_read(reader)
            return time.perf_counter()
        time.sleep(0.005)
    raise TimeoutError("no card could be read")


def _replugged(service: ScriptedService, reader: PcscReader, card: CardFile) -> float:
    service.unplug(NAME)
    until(reader, state_is(ReaderState.NO_READER))
    service.plug(NAME)
    return time.perf_counter()


def _renamed(service: ScriptedService, reader: PcscReader, card: CardFile) -> float:
    service.unplug(NAME)
    service.plug("Reader 01 00")
    return time.perf_counter()


def _context_dead(service: ScriptedService, reader: PcscReader, card: CardFile) -> float:
    time.sleep(SETTLED_SECONDS)
    service.kill_contexts()
    return time.perf_counter()


def _let_go(service: ScriptedService, reader: PcscReader, card: CardFile) -> float:
    service.lay(NAME, card)
    service.hold(NAME, exclusive=True)
    with suppress(CardError, ReaderError):
        timed_read(reader)
    service.let_go(NAME)
    return time.perf_counter()


def _came_back(service: ScriptedService, reader: PcscReader, card: CardFile) -> float:
    service.lay(NAME, card)
    service.hang("transmit")
    with suppress(CardError, ReaderError):
        timed_read(reader)
    service.come_back()
    return time.perf_counter()


def _watcher_hung(service: ScriptedService, reader: PcscReader, card: CardFile) -> float:
    service.hang("changes")
    while not service.hung:
        time.sleep(0.01)
    begun = time.perf_counter()
    until(reader, state_is(ReaderState.NO_SERVICE))
    until(reader, state_is(ReaderState.READY))
    return begun


def milliseconds(spent: list[float]) -> float:
    return round(1000 * statistics.median(spent), 2)


def seconds(spent: list[float]) -> float:
    return round(statistics.median(spent), 3)
