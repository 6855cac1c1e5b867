"""Real pcscd, real libpcsclite, real pyscard; only the plastic is missing."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

import pytest

from mykey_tui.card.connection import ReaderChanged, ReaderState
from mykey_tui.reader.card_file import CardFile, FaultName
from mykey_tui.reader.pcsc import PcscReader
from mykey_tui.reader.vpcd import hold_card
from mykey_tui.simulated.cards import make_card
from tests.pcscd.looking import settle
from tests.pcscd.private_pcscd import SLOTS, CannotRunError, PrivatePcscd
from tests.tmux.conftest import terminals

__all__ = ["terminals"]  # a fixture: pytest finds it here

Lay = Callable[..., AbstractContextManager[list[bytes]]]


@pytest.fixture(scope="session")
def running_pcscd(pcscd_directory: Path) -> Iterator[PrivatePcscd]:
    with ExitStack() as stack:
        try:
            daemon = stack.enter_context(PrivatePcscd(pcscd_directory))
        except CannotRunError as reason:
            pytest.skip(f"the pcscd tests cannot run here: {reason}")
        probe = PcscReader()
        stack.callback(probe.close)
        assert probe.wait(0) == ReaderChanged(ReaderState.READY, SLOTS[0][1])
        yield daemon


@pytest.fixture
def pcscd(running_pcscd: PrivatePcscd) -> Iterator[PrivatePcscd]:
    yield running_pcscd
    if not running_pcscd.running:  # A test that failed half-way must not fail the others.
        running_pcscd.start()


@pytest.fixture(scope="session")
def card() -> CardFile:
    return make_card("1C2410DF79DGEL07202002B", at=datetime.now(UTC))


@pytest.fixture(scope="session")
def other_card() -> CardFile:
    return make_card("ABCDEFGHIJKLMN07202002B", at=datetime.now(UTC))


LIFT_SECONDS = 1.0
"""After a card was pulled in mid-command. pcscd looks every 0.4 s; a card laid before it saw the
gap is never noticed (with vpcd; whether with real readers too is not known)."""


@pytest.fixture(scope="session")
def pulled_at() -> dict[int, float]:
    """When a card pulled itself, by slot."""
    return {}


@pytest.fixture
def lay(pcscd: PrivatePcscd, pulled_at: dict[int, float]) -> Lay:
    """Lays a card on a slot; gives the commands that it was sent."""

    @contextmanager
    def laid(card_file: CardFile, slot: int = 0) -> Iterator[list[bytes]]:
        port, name = SLOTS[slot]
        sleep(max(0.0, pulled_at.get(slot, -LIFT_SECONDS) + LIFT_SECONDS - monotonic()))
        log: list[bytes] = []
        stop = threading.Event()
        holder = threading.Thread(
            target=hold_card,
            args=(card_file, "", port, stop),
            kwargs={"connect": lambda: pcscd.connect(port), "on_command": log.append},
        )
        holder.start()
        try:
            yield log
        finally:
            if card_file.fault and card_file.fault.name is FaultName.REMOVED_DURING_READ:
                pulled_at[slot] = monotonic()
            stop.set()
            holder.join(5)
            settle(name)

    return laid


@pytest.fixture
def reader(pcscd: PrivatePcscd) -> Iterator[PcscReader]:
    reader = PcscReader()
    yield reader
    reader.close()
