"""Every command that this product may send to a card. All others stop here, before the reader.

This is what keeps the product away from the 12-digit My Number: the other applications of the
card (券面事項確認, 券面事項入力補助, 住基, 共通カード) cannot be selected, because their names are not
on the list, and GET DATA is not either. Each driver's `transmit` calls `check` first.
"""

from __future__ import annotations

from mykey_tui.domain.errors import ForbiddenApduError

JPKI_AID = bytes.fromhex("D392F000260100000001")
"""公的個人認証AP. Always all ten bytes: a shortened name may match another application."""

FILE_AUTH_CERTIFICATE = 0x000A
FILE_AUTH_CA_CERTIFICATE = 0x000B
FILE_TOKEN_INFO = 0x0006
FILE_AVAILABILITY = 0x0008
FILE_AUTH_KEY = 0x0017
FILE_AUTH_PIN = 0x0018
_FILES = frozenset(
    {
        FILE_AUTH_CERTIFICATE,
        FILE_AUTH_CA_CERTIFICATE,
        FILE_TOKEN_INFO,
        FILE_AVAILABILITY,
        FILE_AUTH_KEY,
        FILE_AUTH_PIN,
    }
)

PIN_LENGTH = 4
DIGEST_INFO_LENGTH = 51
"""DigestInfo of SHA-256: 19 fixed bytes and the hash; the only thing we ask a card to sign."""

_SELECT_APPLICATION = bytes.fromhex("00A4040C0A") + JPKI_AID
_SELECT_FILES = frozenset(bytes.fromhex("00A4020C02") + f.to_bytes(2, "big") for f in _FILES)
_COUNT_TRIES = bytes.fromhex("00200080")
_VERIFY = _COUNT_TRIES + bytes([PIN_LENGTH])
_SIGN = bytes.fromhex("802A0080") + bytes([DIGEST_INFO_LENGTH])
_LE_OF_SIGNATURE = b"\x00"
"""256 bytes."""
_GET_UID = bytes.fromhex("FFCA000000")

FELICA_SERVICE_WITHOUT_KEY = 0x01
"""The lowest bit of a FeliCa service code: set where anybody may read (JIS X 6319-4)."""

FEATURE_REQUEST = 0x42000000 + 3400
"""CM_IOCTL_GET_FEATURE_REQUEST, as pcsc-lite numbers it (SCARD_CTL_CODE(3400))."""
PIN_BLOCK = bytes.fromhex(
    "1E1E"  # bTimerOut, bTimerOut2: 30 seconds for the first key, and for each further one
    "82"  # bmFormatString: ASCII, left-justified, position counted in bytes
    "04"  # bmPINBlockString: a PIN block of four bytes
    "00"  # bmPINLengthFormat: its length is not put into the command
    "0404"  # wPINMaxExtraDigit: four digits at least and at most
    "02"  # bEntryValidationCondition: the resident presses OK, and may correct before
    "01"  # bNumberMessage
    "1104"  # wLangId: Japanese
    "00000000"  # bMsgIndex, bTeoPrologue
    "09000000"  # ulDataLength
) + _VERIFY + b"\xff" * PIN_LENGTH  # fmt: skip
"""The only PIN_VERIFY_STRUCTURE that is ever given to a reader (PC/SC part 10, 2.5.2).

Numbers are little-endian. The four FF are where the reader puts the digits.
"""


def check(command: bytes, *, storage: bool) -> None:
    """Let `command` pass, or raise. `storage` says that a storage card lies on the reader.

    Raises:
        ForbiddenApduError: the command is not on the list; its text shows the header only.
    """
    allowed = _is_allowed_storage(command) if storage else _is_allowed_iso(command)
    if not allowed:
        raise ForbiddenApduError(f"{command[:4].hex()} ({len(command)} bytes) is never sent")


def check_control(code: int, data: bytes) -> None:
    """Let a message to the reader itself pass: the list of its features, or our one PIN block.

    The code of the second is the reader's own choice, so the block alone decides.

    Raises:
        ForbiddenApduError: anything else; its text shows no data.
    """
    if (code, data) != (FEATURE_REQUEST, b"") and data != PIN_BLOCK:
        raise ForbiddenApduError(f"control {code:08x} ({len(data)} bytes) is never sent")


def sends_pin(command: bytes) -> bool:
    """Whether `command` carries a PIN, so that the card must be reset when we are done."""
    return command[1:2] == b"\x20" and len(command) > len(_COUNT_TRIES)


def _is_allowed_storage(command: bytes) -> bool:
    """The card's number, and reading one block of a service without key, as `card.blocks` asks."""
    length = len(command)
    match command[:2]:
        case b"\xff\xca":
            return command == _GET_UID
        case b"\xff\xa4":
            return command[2:5] == b"\x00\x01\x02" and length == 7 and _needs_no_key(command[5:])
        case b"\xff\xb0":
            return length == 5 and command[2] == 0x00 and command[4] == 0x00
        case b"\xff\x46":
            head, tail = command[2:5], command[7:8]
            open_service = _needs_no_key(command[5:7])
            return (head, tail, length) == (b"\x01\x01\x04", b"\x80", 9) and open_service
        case b"\xff\x00":
            head, middle = command[2:7], command[15:16] + command[18:20]
            open_service = _needs_no_key(command[16:18])
            fits = (head, middle) == (b"\x00\x00\x10\x10\x06", b"\x01\x01\x80")
            return length == 21 and fits and open_service
        case _:
            return False


def _needs_no_key(service: bytes) -> bool:
    return len(service) == 2 and bool(service[0] & FELICA_SERVICE_WITHOUT_KEY)


def _is_allowed_iso(command: bytes) -> bool:
    if command in (_SELECT_APPLICATION, _COUNT_TRIES) or command in _SELECT_FILES:
        return True
    length = len(command)
    match command[:2]:
        case b"\x00\xb0":
            # READ BINARY with an offset; bit 8 of P1 would name another file by its short name.
            return length == 5 and command[2] < 0x80
        case b"\x00\xc0":
            return length == 5 and command[2:4] == b"\x00\x00"
        case b"\x00\x20":
            pin = command[len(_VERIFY) :]
            return command.startswith(_VERIFY) and len(pin) == PIN_LENGTH and pin.isdigit()
        case b"\x80\x2a":
            fits = length == len(_SIGN) + DIGEST_INFO_LENGTH + 1
            return fits and command.startswith(_SIGN) and command.endswith(_LE_OF_SIGNATURE)
        case _:
            return False
