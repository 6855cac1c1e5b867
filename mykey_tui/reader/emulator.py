"""A reader without hardware: emulated cards laid on it by a program, or by a file that appears.

Equal to the PC/SC driver in everything the rest of the counter can see: the card keeps its state
between two sessions, and loses it after a PIN.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mykey_tui.card import allow_list
from mykey_tui.card.connection import (
    CardArrived,
    CardConnection,
    CardLeft,
    ReaderChanged,
    ReaderEvent,
    ReaderHealth,
    ReaderState,
)
from mykey_tui.card.live import SlotSeen, SlotWord, atr_form
from mykey_tui.card.storage import is_storage_card
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ReaderError, TransmissionError
from mykey_tui.reader.card_file import CardFile, CardFileError, CardKind, Fault, FaultName
from mykey_tui.reader.emulated_card import CardPulledError, EmulatedCard, ReaderUnpluggedError

__all__ = ["CardPulledError", "EmulatedCard", "EmulatedReader", "FileReader"]

READER_NAME = "Virtual reader (SIMULATED)"
EVENTS_MAX = 256
"""Happenings nobody fetched; hands lay no more cards than this between two looks."""
LOOK_SECONDS = 0.2
"""How often a watched file is looked at: at most five times a second."""
_BROKEN_FILE = CardFile(
    kind=CardKind.ISO, name="broken card file", atr=b"", fault=Fault(FaultName.MUTE)
)


class EmulatedReader:
    """A `CardReader` on which any thread may lay cards.

    Args:
        name: the reader's name, as events carry it.
        on_command: sees every command before the card answers, PINs included; for tests.
    """

    simulated = True

    def __init__(
        self, name: str = READER_NAME, *, on_command: Callable[[bytes], None] | None = None
    ) -> None:
        self.name = name
        self._on_command = on_command
        self._condition = threading.Condition()
        self._card: EmulatedCard | None = None
        self._events: deque[ReaderEvent] = deque(maxlen=EVENTS_MAX)
        self._announced = False
        self._unplugged = False
        self._interrupted = False

    def insert(self, card_file: CardFile) -> None:
        """Lay a card; one that lies there is taken away first. Raises `CardFileError`."""
        card = EmulatedCard(card_file, on_command=self._on_command)
        with self._condition:
            self.remove()
            self._card = card
            self._report(CardArrived(self.name, b"" if card.is_mute else card.atr))

    @property
    def holds_card(self) -> bool:
        """Whether a card lies there; one that its own fault pulled does not."""
        with self._condition:
            return self._card is not None

    def slot_seen(self) -> SlotSeen:
        """This reader for the live view."""
        with self._condition:
            card = self._card
        if card is None:
            return SlotSeen(self.name, (SlotWord.EMPTY,))
        if card.is_mute:
            return SlotSeen(self.name, (SlotWord.MUTE,))
        return SlotSeen(self.name, (SlotWord.CARD,), atr_form(card.atr))

    def remove(self) -> None:
        """Take the card away, in the middle of a command too; nothing where none lies there."""
        with self._condition:
            if self._card is not None:
                self._card.take_away()
                self._card = None
                self._report(CardLeft(self.name))
            if self._unplugged:
                self._unplugged = False
                self._report(ReaderChanged(ReaderState.READY, self.name))

    def wait(self, timeout_seconds: float) -> ReaderEvent | None:
        """See `CardReader.wait`."""
        deadline = time.monotonic() + timeout_seconds
        with self._condition:
            self._look()
            if not self._announced:
                self._announced = True
                self._report(ReaderChanged(ReaderState.READY, self.name))
            while not self._events:
                remaining = deadline - time.monotonic()
                if self._interrupted or remaining <= 0:
                    self._interrupted = False
                    return None
                self._condition.wait(self._pause(remaining))
                self._look()
            return self._events.popleft()

    @contextmanager
    def session(self) -> Iterator[CardConnection]:
        """See `CardReader.session`."""
        with self._condition:
            self._look()
            card = self._card
        if card is None:
            raise TransmissionError("no card on the reader", removed=True)
        if card.is_held:
            raise ReaderError(Code.READER_BUSY)
        if card.is_mute:
            raise TransmissionError("the card does not answer", code=Code.CARD_MUTE)
        connection = _EmulatedConnection(self, card)
        try:
            yield connection
        finally:
            if connection.pin_sent:
                card.reset()

    def interrupt(self) -> None:
        """See `CardReader.interrupt`."""
        with self._condition:
            self._interrupted = True
            self._condition.notify_all()

    def health(self) -> ReaderHealth:
        """See `CardReader.health`; nothing can be lost here."""
        return ReaderHealth(alive=True, beat_seconds=0.0, readers=(self.name,))

    def close(self) -> None:
        """See `CardReader.close`; the card is taken away, and nobody is told."""
        with self._condition:
            self.remove()
            self._events.clear()

    def exchange(self, card: EmulatedCard, command: bytes) -> bytes:
        """One command to the card of a session; the reader's half of `transmit`."""
        with self._condition:
            self._look()
            lies_there = self._card is card
        try:
            if lies_there:
                return card.transmit(command)
        except CardPulledError as error:
            with self._condition:
                if self._card is card:
                    self.remove()
            if isinstance(error, ReaderUnpluggedError):
                self._unplug()
                raise ReaderError(Code.READER_LOST) from error
        raise TransmissionError("the card was taken away", removed=True)

    def _unplug(self) -> None:
        with self._condition:
            self._unplugged = True
            self._report(ReaderChanged(ReaderState.NO_READER, ""))

    def _look(self) -> None:
        """See whether the world changed; here only `insert` and `remove` change it."""

    def _pause(self, remaining: float) -> float:
        """How long `wait` may sleep before it looks again."""
        return remaining

    def _report(self, event: ReaderEvent) -> None:
        self._events.append(event)
        self._condition.notify_all()


class _EmulatedConnection:
    """One session with one card."""

    def __init__(self, reader: EmulatedReader, card: EmulatedCard) -> None:
        self._reader = reader
        self._card = card
        self.pin_sent = False

    @property
    def atr(self) -> bytes:
        """See `CardConnection.atr`."""
        return self._card.atr

    def transmit(self, command: bytes) -> bytes:
        """See `CardConnection.transmit`."""
        allow_list.check(command, storage=is_storage_card(self._card.atr))
        self.pin_sent = self.pin_sent or allow_list.sends_pin(command)
        return self._reader.exchange(self._card, command)


class FileReader(EmulatedReader):
    """A reader whose card is a file: the file appears, a card is laid; it goes, the card is taken.

    Another process may write it (whole, by renaming: see `CardFile.save`). A file that is no card
    file is a card that does not answer. Looks at most five times a second.
    """

    def __init__(self, path: Path, *, on_command: Callable[[bytes], None] | None = None) -> None:
        super().__init__(on_command=on_command)
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._next_look = 0.0

    def _look(self) -> None:
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        seen = self._signature()
        # A card pulled by its own fault stays away until the file is another one.
        if seen == self._seen:
            return
        self._seen = seen
        if seen is None:
            self.remove()
            return
        try:
            self.insert(CardFile.load(self._path))
        except CardFileError:
            self.insert(_BROKEN_FILE)

    def _pause(self, remaining: float) -> float:
        return min(remaining, LOOK_SECONDS)

    def _signature(self) -> tuple[int, int, int] | None:
        """What changes when the file does; None where there is none, or none we may see."""
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size
