"""What lies on the readers now, for the live view: states as words, an ATR without anybody's number.

Light: the screens import this.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique

from mykey_tui.card.connection import ReaderState
from mykey_tui.card.storage import is_storage_card
from mykey_tui.domain.reader_name import bare_reader_name

_STORAGE_ATR_LENGTH = 20
_ATR_LENGTH_MIN = 2
_INTERFACE_BYTES = (0x10, 0x20, 0x40, 0x80)
_ANOTHER = 0x80
"""Of the interface bytes, the one that says which others follow it."""


@unique
class SlotWord(Enum):
    """A state of a reader, as PC/SC reports it. The value is a stable name for the catalogue."""

    EMPTY = "empty"
    CARD = "card"
    MUTE = "mute"
    EXCLUSIVE = "exclusive"
    """Another program has the card for itself."""
    IN_USE = "in-use"
    UNAVAILABLE = "unavailable"


_WORDS = (
    (0x0008, SlotWord.UNAVAILABLE),
    (0x0200, SlotWord.MUTE),
    (0x0020, SlotWord.CARD),
    (0x0080, SlotWord.EXCLUSIVE),
    (0x0100, SlotWord.IN_USE),
)


@dataclass(frozen=True, slots=True)
class SlotSeen:
    """One reader: its name without serial number, its states, and the card's ATR, masked."""

    name: str
    words: tuple[SlotWord, ...]
    atr: str = ""


@dataclass(frozen=True, slots=True)
class SlotsNow:
    """All readers as they are now; `state` says why there are none."""

    state: ReaderState
    slots: tuple[SlotSeen, ...] = ()


def slot_seen(name: str, state: int, atr: bytes) -> SlotSeen:
    """One reader as the service reports it; `state` has the bits of SCARD_STATE_*."""
    words = tuple(word for bit, word in _WORDS if state & bit)
    if SlotWord.MUTE in words:
        words = tuple(word for word in words if word is not SlotWord.CARD)
    return SlotSeen(bare_reader_name(name), words or (SlotWord.EMPTY,), atr_form(atr))


def atr_form(atr: bytes) -> str:
    """An ATR in hex with its historical bytes masked, which may hold a number of the card.

    A storage card's ATR is made up by the reader from the card's kind alone and is shown whole.
    What is no ATR is only counted.
    """
    if is_storage_card(atr) and len(atr) == _STORAGE_ATR_LENGTH:
        return atr.hex().upper()
    start = _historical_start(atr)
    if start is None:
        return f"** ({len(atr)} bytes)" if atr else ""
    return f"{atr[:start].hex().upper()} ** ({len(atr) - start} bytes)"


def _historical_start(atr: bytes) -> int | None:
    """Where the historical bytes begin (ISO/IEC 7816-3, 8.2); None for what is no ATR."""
    if len(atr) < _ATR_LENGTH_MIN:
        return None
    at, indicator = _ATR_LENGTH_MIN, atr[1]
    while indicator & _ANOTHER:
        at += sum(bool(indicator & bit) for bit in _INTERFACE_BYTES)
        if at > len(atr):
            return None
        indicator = atr[at - 1]
    at += sum(bool(indicator & bit) for bit in _INTERFACE_BYTES)
    return at if at <= len(atr) else None
