"""One block of a FeliCa point card: a member number that stands there to be read by anybody.

Most point cards keep nothing readable, and the IDm is what they are linked by. Some keep their
number in a service that needs no key (a student card, a shop's own card). How such a block is asked
for is the reader's own matter, so there is one adapter for each family of readers, and none unless
the counter's settings name it. Not tried on real readers: see docs/cards.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, unique

from mykey_tui.card.allow_list import FELICA_SERVICE_WITHOUT_KEY
from mykey_tui.card.apdu import ResponseApdu
from mykey_tui.card.connection import CardConnection
from mykey_tui.card.storage import is_felica, read_uid
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import MalformedResponseError, StatusError, WrongCardError

BLOCK_LENGTH = 16
_IDM_LENGTH = 8


@unique
class ReaderFamily(Enum):
    """Whose way of asking the reader understands."""

    SONY = "sony"
    """FF A4, FF B0."""
    ACS = "acs"
    """FF 00 with the card's own command in it (ACR1251, 1252, 1281)."""
    IDENTIV = "identiv"
    """FF 46."""


@dataclass(frozen=True, slots=True)
class NumberPlace:
    """Where on a card the member number stands.

    `first` and `length` are bytes inside one block; they are read as ASCII.

    Raises:
        ValueError: a service that needs a key, or a place outside of one block.
    """

    family: ReaderFamily
    service: int
    block: int
    first: int = 0
    length: int = BLOCK_LENGTH

    def __post_init__(self) -> None:
        if not 0 <= self.service <= 0xFFFF or not self.service & FELICA_SERVICE_WITHOUT_KEY:
            raise ValueError("only a service that needs no key is read")
        if not 0 <= self.block <= 0xFF:
            raise ValueError("a block has a number of one byte")
        if not (self.first >= 0 < self.length and self.first + self.length <= BLOCK_LENGTH):
            raise ValueError("the number stands inside one block")


def read_number(connection: CardConnection, place: NumberPlace) -> str:
    """The text that stands at `place`, with blanks and zero bytes at its end taken away.

    Raises:
        WrongCardError: S-CARD for a card that is no FeliCa card (nothing is sent to it), or whose
            block holds no text; S-RANDOM for a phone's passing number.
        StatusError: the reader does not know the command, or the card has no such service.
        MalformedResponseError: not one block.
        TransmissionError: the card was taken away.
    """
    if not is_felica(connection.atr):
        raise WrongCardError(Code.SERVICE_CARD_WRONG)
    idm = read_uid(connection)
    if len(idm) != _IDM_LENGTH:
        raise MalformedResponseError("a FeliCa card whose IDm is no IDm")
    block = _ASK[place.family](connection, place, idm)
    if len(block) != BLOCK_LENGTH:
        raise MalformedResponseError(f"a block of {len(block)} bytes")
    text = block[place.first : place.first + place.length].rstrip(b"\0 ")
    if not text or not all(0x20 < byte < 0x7F for byte in text):
        raise WrongCardError(Code.SERVICE_CARD_WRONG)
    return text.decode("ascii")


def _ask_sony(connection: CardConnection, place: NumberPlace, idm: bytes) -> bytes:
    _exchange(connection, bytes.fromhex("FFA4000102") + _little(place.service))
    return _exchange(connection, bytes([0xFF, 0xB0, 0x00, place.block, 0x00]))


def _ask_acs(connection: CardConnection, place: NumberPlace, idm: bytes) -> bytes:
    """Read Without Encryption (JIS X 6319-4), packed by us; the answer says whose and how it went."""
    ask = b"\x06" + idm + b"\x01" + _little(place.service) + bytes([0x01, 0x80, place.block])
    frame = bytes([len(ask) + 1]) + ask
    answer = _exchange(connection, bytes([0xFF, 0x00, 0x00, 0x00, len(frame)]) + frame)
    head, block = answer[:13], answer[13:]
    if len(head) < 13 or head[0] != len(answer) or head[1:10] != b"\x07" + idm:
        raise MalformedResponseError("no answer of this card to a read")
    if head[10:12] != b"\x00\x00":
        raise StatusError("FeliCa read", int.from_bytes(head[10:12], "big"))
    return block


def _ask_identiv(connection: CardConnection, place: NumberPlace, idm: bytes) -> bytes:
    return _exchange(
        connection,
        bytes.fromhex("FF46010104") + _little(place.service) + bytes([0x80, place.block]),
    )


_ASK: dict[ReaderFamily, Callable[[CardConnection, NumberPlace, bytes], bytes]] = {
    ReaderFamily.SONY: _ask_sony,
    ReaderFamily.ACS: _ask_acs,
    ReaderFamily.IDENTIV: _ask_identiv,
}


def _exchange(connection: CardConnection, command: bytes) -> bytes:
    response = ResponseApdu.decode(connection.transmit(command))
    if not response.sw.is_ok:
        raise StatusError("read a block", response.sw.value)
    return response.data


def _little(service: int) -> bytes:
    return service.to_bytes(2, "little")
