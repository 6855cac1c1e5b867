"""PC/SC as this product uses it: the few calls, their numbers, and what an error number means.

The calls are a `Protocol`, so that the driver runs unchanged over pyscard and over the scripted
service of the tests. Numbers are PC/SC's own (PC/SC part 10, pcsc-lite's `pcsclite.h`), unsigned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ReaderError, TransmissionError

OK = 0x00000000
COMM_ERROR = 0x80100013
CANCELLED = 0x80100002
INVALID_HANDLE = 0x80100003
TIMEOUT = 0x8010000A
SHARING_VIOLATION = 0x8010000B
NO_SMARTCARD = 0x8010000C
PROTO_MISMATCH = 0x8010000F
UNKNOWN_READER = 0x80100009
NOT_TRANSACTED = 0x80100016
READER_UNAVAILABLE = 0x80100017
NO_SERVICE = 0x8010001D
SERVICE_STOPPED = 0x8010001E
NO_READERS = 0x8010002E
UNSUPPORTED_CARD = 0x80100065
UNRESPONSIVE_CARD = 0x80100066
UNPOWERED_CARD = 0x80100067
RESET_CARD = 0x80100068
REMOVED_CARD = 0x80100069
SECURITY_VIOLATION = 0x8010006A

PLUG_AND_PLAY = "\\\\?PnP?\\Notification"
"""Watched like a reader, it changes when readers come and go."""

SERVICE_GONE = frozenset({NO_SERVICE, SERVICE_STOPPED, COMM_ERROR, INVALID_HANDLE})
NOTHING_NEW = frozenset({TIMEOUT, CANCELLED})
READER_GONE = frozenset({UNKNOWN_READER, READER_UNAVAILABLE})
_CARD_GONE = frozenset({NO_SMARTCARD, REMOVED_CARD})
_CARD_MUTE = frozenset({PROTO_MISMATCH, UNRESPONSIVE_CARD, UNPOWERED_CARD, UNSUPPORTED_CARD})
WORTH_ANOTHER_TRY = _CARD_GONE | _CARD_MUTE | {SHARING_VIOLATION, RESET_CARD}
"""On connecting: a card just laid may not answer at once, and a program may let go in a moment."""

LEAVE_CARD, RESET, UNPOWER = 0, 1, 2
"""What becomes of the card when its connection ends."""


class WinScard(Protocol):
    """The service. Every call may block for ever; none raises for a failure.

    Each returns the error number, first where there is more. `context` and `handle` are the
    service's own numbers.
    """

    def establish(self) -> tuple[int, int]:
        """A context of our own."""
        ...

    def release(self, context: int) -> None:
        """Let a context go; whether it still was one does not matter."""
        ...

    def cancel(self, context: int) -> None:
        """End a `changes` that blocks on this context, from another thread."""
        ...

    def readers(self, context: int) -> tuple[int, Sequence[str]]:
        """The readers there are."""
        ...

    def changes(
        self, context: int, milliseconds: int, known: Sequence[tuple[str, int]]
    ) -> tuple[int, Sequence[tuple[str, int, bytes]]]:
        """Block until a reader's state is not the known one: name, state and ATR of each."""
        ...

    def connect(self, context: int, reader: str) -> tuple[int, int, int]:
        """Share the card on this reader: handle and protocol."""
        ...

    def begin(self, handle: int) -> int:
        """Begin a transaction; blocks while another program holds one."""
        ...

    def atr(self, handle: int) -> tuple[int, bytes]:
        """The card's answer to reset."""
        ...

    def transmit(self, handle: int, protocol: int, command: bytes) -> tuple[int, bytes]:
        """One command to the card."""
        ...

    def control(self, handle: int, code: int, data: bytes) -> tuple[int, bytes]:
        """A message to the reader itself."""
        ...

    def end(self, handle: int, disposition: int) -> None:
        """End transaction and connection; a card or service that is gone holds nothing of ours."""
        ...


_READER_CODES = {
    **dict.fromkeys(SERVICE_GONE, Code.READER_NO_SERVICE),
    **dict.fromkeys(READER_GONE, Code.READER_LOST),
    SHARING_VIOLATION: Code.READER_BUSY,
    SECURITY_VIOLATION: Code.READER_DENIED,
}


def error_of(number: int) -> ReaderError | TransmissionError:
    """What an error number means to a person."""
    text = f"PC/SC {number:08X}"
    code = _READER_CODES.get(number)
    if code is not None:
        return ReaderError(code, text)
    if number in _CARD_MUTE:
        return TransmissionError(text, code=Code.CARD_MUTE)
    return TransmissionError(text, removed=number in _CARD_GONE)
