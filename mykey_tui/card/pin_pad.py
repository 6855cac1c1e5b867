"""A reader's own keys for the PIN (PC/SC part 10, FEATURE_VERIFY_PIN_DIRECT): we never see a digit.

The connection needs one more call, `control`, which not every driver has. The command inside the
structure is fixed and stands in the allow-list; the reader puts the digits in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mykey_tui.card.allow_list import FEATURE_REQUEST, PIN_BLOCK
from mykey_tui.card.apdu import ResponseApdu
from mykey_tui.card.connection import CardConnection
from mykey_tui.card.status_word import StatusWord
from mykey_tui.domain.errors import (
    MalformedResponseError,
    PinNotGivenError,
    ReaderError,
    TransmissionError,
)

ENTRY_SECONDS = 30
"""How long the reader waits for a key; a byte in the structure."""
FEATURES_MAX = 32
"""Part 10 knows some twenty features."""
_VERIFY_PIN_DIRECT = 0x06
_NOT_GIVEN = frozenset({0x6400, 0x6401, 0x6402, 0x6403})
"""Part 10, 2.5.1.1: time-out, cancelled, another length than four. The reader sent nothing."""


@runtime_checkable
class Controllable(Protocol):
    """What a driver can do whose readers may have keys of their own."""

    def control(self, code: int, data: bytes) -> bytes:
        """Talk to the reader itself (SCardControl).

        Raises:
            TransmissionError: the reader does not know this code, or is gone.
            ForbiddenApduError: neither the list of features nor our one PIN block.
        """
        ...


@dataclass(frozen=True, slots=True)
class PinPad:
    """The keys of one reader, while a card lies on it."""

    connection: Controllable
    verify_code: int

    def verify(self) -> StatusWord:
        """Let the resident type, and let the reader send it, once.

        Blocks up to `ENTRY_SECONDS` after the last key.

        Returns:
            The card's answer to VERIFY.

        Raises:
            PinNotGivenError: cancelled, too late, or not four digits; nothing was sent.
            TransmissionError, MalformedResponseError.
        """
        response = ResponseApdu.decode(self.connection.control(self.verify_code, PIN_BLOCK))
        if response.data:
            raise MalformedResponseError("a reader answered a PIN entry with data")
        if response.sw.value in _NOT_GIVEN:
            raise PinNotGivenError("no PIN was typed on the reader")
        return response.sw


def find_pin_pad(connection: CardConnection) -> PinPad | None:
    """The reader's own keys; None for a driver or reader without them, or one that talks nonsense."""
    if not isinstance(connection, Controllable):
        return None
    try:
        features = dict(_features(connection.control(FEATURE_REQUEST, b"")))
    except (TransmissionError, ReaderError, MalformedResponseError):
        return None
    code = features.get(_VERIFY_PIN_DIRECT)
    return None if code is None else PinPad(connection, code)


def _features(answer: bytes) -> Iterator[tuple[int, int]]:
    """The (feature, control code) pairs of CM_IOCTL_GET_FEATURE_REQUEST: tag, length 4, big-endian."""
    for start in range(0, len(answer), 6):
        entry = answer[start : start + 6]
        if len(entry) != 6 or entry[1] != 4 or start >= FEATURES_MAX * 6:
            raise MalformedResponseError("not a list of features")
        yield entry[0], int.from_bytes(entry[2:], "big")
