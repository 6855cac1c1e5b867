"""Readers that answer as a test wants: the emulated one with a card, and scripted trouble."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from time import sleep

from mykey_tui.card.connection import (
    CardArrived,
    CardConnection,
    ReaderChanged,
    ReaderEvent,
    ReaderHealth,
    ReaderState,
)
from mykey_tui.domain.errors import MyKeyError
from mykey_tui.reader.card_file import CardFile
from mykey_tui.reader.emulator import EmulatedReader

RC_S300 = "SONY FeliCa RC-S300/S (SERIAL0451) 00 00"
"""As pcsc-lite names it, serial number and all."""


class Scripted:
    """A `CardReader` of the PC/SC kind that tells `events`, and whose session ends with `error`."""

    simulated = False

    def __init__(self, *events: ReaderEvent, error: MyKeyError | None = None) -> None:
        self._events = list(events)
        self._error = error

    def wait(self, timeout_seconds: float) -> ReaderEvent | None:
        if self._events:
            return self._events.pop(0)
        sleep(timeout_seconds)
        return None

    def session(self) -> AbstractContextManager[CardConnection]:
        assert self._error is not None, "nobody scripted a session"
        raise self._error

    def interrupt(self) -> None:
        """Nothing blocks for long."""

    def health(self) -> ReaderHealth:
        return ReaderHealth(alive=True, beat_seconds=0.0)

    def close(self) -> None:
        """Nothing is held."""


class OverWire(EmulatedReader):
    """An emulated card behind a reader that counts as real; `bent` may spoil its answers."""

    simulated = False

    def __init__(
        self, card: CardFile | None, bent: Callable[[bytes, bytes], bytes] | None = None
    ) -> None:
        super().__init__(RC_S300)
        self._bent = bent
        if card is not None:
            self.insert(card)

    @contextmanager
    def session(self) -> Iterator[CardConnection]:
        with super().session() as connection:
            yield connection if self._bent is None else _Bent(connection, self._bent)


class _Bent:
    def __init__(self, inner: CardConnection, bent: Callable[[bytes, bytes], bytes]) -> None:
        self._inner = inner
        self._bent = bent

    @property
    def atr(self) -> bytes:
        return self._inner.atr

    def transmit(self, command: bytes) -> bytes:
        return self._bent(command, self._inner.transmit(command))


def in_state(state: ReaderState, name: str = "") -> Scripted:
    return Scripted(ReaderChanged(state, name))


def with_card_that(error: MyKeyError) -> Scripted:
    """A card was seen, and connecting to it or talking to it ends with `error`."""
    ready = ReaderChanged(ReaderState.READY, RC_S300)
    return Scripted(ready, CardArrived(RC_S300, b"\x3b\x88"), error=error)


def only_short_answers(command: bytes, answer: bytes) -> bytes:
    """Row 10: a reader that loses every answer longer than a few bytes."""
    is_read = command[1] == 0xB0
    return b"\x67\x00" if is_read and len(answer) > 40 else answer
