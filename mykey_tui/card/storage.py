"""Storage cards: point cards without an operating system (FeliCa, MIFARE), seen through PC/SC part 3.

Their number identifies and proves nothing: it can be copied. It is only ever the second half of a
link that begins with a My Number Card.
"""

from __future__ import annotations

from mykey_tui.card.apdu import CommandApdu, ResponseApdu
from mykey_tui.card.connection import CardConnection
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import MalformedResponseError, StatusError, WrongCardError

STORAGE_ATR_PREFIX = bytes.fromhex("3B8F8001804F0CA000000306")
"""What a reader makes up for a card without ATR (PC/SC part 3, 3.1.3.2.3.1); type and TCK follow."""

GET_UID = CommandApdu(cla=0xFF, ins=0xCA, le=256)
"""Answered by the reader itself: UID of 4, 7 or 10 bytes, or a FeliCa IDm of 8."""

_FELICA_STANDARD = b"\x11"
_UID_LENGTHS = frozenset({4, 7, 8, 10})
_RANDOM_UID_LENGTH = 4
_RANDOM_UID_FIRST_BYTE = 0x08
_IDM_LENGTH = 8
_PASSING_IDM_PREFIXES = (b"\x01\xfe", b"\x02\xfe")
"""NFC-DEP draws its NFCID2 for the moment (NFC Forum Digital Protocol, 6.6); a phone that emulates
a FeliCa card lets the app choose one (Android, HCE-F)."""


def is_storage_card(atr: bytes) -> bool:
    """Whether this answer to reset is one that readers make up for a storage card."""
    return atr.startswith(STORAGE_ATR_PREFIX)


def is_felica(atr: bytes) -> bool:
    """Whether this is a storage card of the standard that FeliCa cards have (PC/SC part 3: 11)."""
    return is_storage_card(atr) and atr[len(STORAGE_ATR_PREFIX) :][:1] == _FELICA_STANDARD


def is_random_uid(uid: bytes) -> bool:
    """Whether the number is a passing one: drawn for this tap, or chosen by an app on a phone.

    ISO/IEC 14443-3 draws four bytes beginning 08; of eight bytes see `_PASSING_IDM_PREFIXES`.
    """
    if len(uid) == _IDM_LENGTH and uid.startswith(_PASSING_IDM_PREFIXES):
        return True
    return len(uid) == _RANDOM_UID_LENGTH and uid[0] == _RANDOM_UID_FIRST_BYTE


def read_uid(connection: CardConnection) -> bytes:
    """The number of a point card: 4, 7, 8 or 10 bytes that are the same at every tap.

    Raises:
        WrongCardError: S-CARD for every card that is no storage card (nothing is sent to it: a My
            Number Card gives a number of the moment), S-RANDOM for a UID drawn for this tap only.
        StatusError: the reader does not know this command or this card.
        MalformedResponseError: an answer of no known length, or all 00 or all FF: a blank card
            or a reader at a loss, and the same "number" for everybody.
        TransmissionError: the card was taken away.
    """
    if not is_storage_card(connection.atr):
        raise WrongCardError(Code.SERVICE_CARD_WRONG)
    response = ResponseApdu.decode(connection.transmit(GET_UID.encode()))
    if not response.sw.is_ok:
        raise StatusError("GET DATA (UID)", response.sw.value)
    if len(response.data) not in _UID_LENGTHS:
        raise MalformedResponseError(f"a UID of {len(response.data)} bytes")
    if response.data in (bytes(len(response.data)), b"\xff" * len(response.data)):
        raise MalformedResponseError("a UID of no content")
    if is_random_uid(response.data):
        raise WrongCardError(Code.SERVICE_CARD_RANDOM)
    return response.data
