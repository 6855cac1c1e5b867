"""A card made of a file, as strict as the plastic one: the applet's rules and status words.

Sources of the rules: ISO/IEC 7816-4, and what the card is known to answer. It accepts nothing that
the real card refuses, so that a test against it means something.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from mykey_tui.card.allow_list import FILE_AUTH_KEY, FILE_AUTH_PIN, JPKI_AID
from mykey_tui.card.apdu import CommandApdu
from mykey_tui.reader.card_file import CardFile, CardFileError, CardKind, FaultName
from mykey_tui.reader.emulated_blocks import EmulatedBlocks

FILE_SIGNATURE_CERTIFICATE = 0x0001
"""There on every card, and closed to us: 6982 until the signature PIN, which we never send."""
FILE_SIGNATURE_PIN = 0x001B
_FULL_TRIES = {FILE_AUTH_PIN: 3, FILE_SIGNATURE_PIN: 5}
_PIN_LENGTHS = {FILE_AUTH_PIN: range(4, 5), FILE_SIGNATURE_PIN: range(6, 17)}
_FAULTY_FILE = 0x000A
_MUTE_ATR = b"\x00\x00"
"""Not an answer to reset: pcscd calls such a card mute."""
_LYING_BYTES = 0x1000
_GARBAGE_LENGTH = 0x400


class _Refusal(Exception):  # noqa: N818  # a status word, carried up to where it is sent
    def __init__(self, status_word: int) -> None:
        super().__init__(f"{status_word:04X}")
        self.status_word = status_word


class CardPulledError(Exception):
    """The emulated card was taken away while it was asked something."""


class ReaderUnpluggedError(CardPulledError):
    """The reader went, and the card with it."""


class EmulatedCard:
    """One card, from being laid on the reader to being taken away. One thread talks to it.

    PIN tries live as long as this object, everything else until the next `reset`.

    Args:
        card_file: what the card holds, and its fault.
        on_command: sees every command, PINs included, before it is answered; for tests.
        taken_away: set by another thread to pull the card, as `take_away` does.
    """

    def __init__(
        self,
        card_file: CardFile,
        *,
        on_command: Callable[[bytes], None] | None = None,
        taken_away: threading.Event | None = None,
    ) -> None:
        self._card = card_file
        self._fault = card_file.fault
        self._on_command = on_command or (lambda command: None)
        self._tries = {file_id: pin.tries for file_id, pin in card_file.pins.items()}
        self._key = _load_key(card_file.auth_key)
        self._files = _with_fault(card_file)
        self._blocks = EmulatedBlocks(card_file)
        self._taken_away = taken_away or threading.Event()
        self._commands = 0
        self.reset()

    @property
    def atr(self) -> bytes:
        """The answer to reset; nonsense from a mute card."""
        return _MUTE_ATR if self.is_mute else self._card.atr

    @property
    def is_mute(self) -> bool:
        """Whether the card lies there and does not answer."""
        return self._fault is not None and self._fault.name is FaultName.MUTE

    @property
    def is_held(self) -> bool:
        """Whether another program has the reader for itself while this card lies there."""
        return self._fault is not None and self._fault.name is FaultName.READER_BUSY

    def reset(self) -> None:
        """Power on or warm reset: application, file and PIN state are gone."""
        self._application = False
        self._file: int | None = None
        self._verified: set[int] = set()
        # Type B gives a new PUPI at each activation.
        self._momentary_uid = secrets.token_bytes(4)

    def power_off(self) -> None:
        """The field is gone; the next command needs a `reset`, which the state shows at once."""
        self.reset()

    def take_away(self) -> None:
        """Pull the card, from any thread: a command under way ends with `CardPulledError`."""
        self._taken_away.set()

    def transmit(self, command: bytes) -> bytes:
        """Answer a command: data and two status bytes, never less.

        Raises:
            CardPulledError: the card was taken away before it could answer.
        """
        self._commands += 1
        self._on_command(command)
        self._misbehave()
        try:
            return self._answer(command) + b"\x90\x00"
        except _Refusal as refusal:
            return refusal.status_word.to_bytes(2, "big")

    def _misbehave(self) -> None:
        fault, seconds = self._fault, 0.0
        if fault is not None:
            if fault.name is FaultName.REMOVED_DURING_READ and self._commands >= fault.at:
                raise CardPulledError
            if fault.name is FaultName.READER_LOST and self._commands >= fault.at:
                raise ReaderUnpluggedError
            if fault.name is FaultName.SLOW or (
                fault.name is FaultName.HANG and self._commands == fault.at
            ):
                seconds = fault.seconds
        if self._taken_away.wait(seconds) if seconds else self._taken_away.is_set():
            raise CardPulledError

    def _answer(self, encoded: bytes) -> bytes:
        try:
            command = CommandApdu.decode(encoded)
        except ValueError as error:
            raise _Refusal(0x6700) from error
        if command.header == b"\xff\xca\x00\x00":  # The reader's own command, not the card's.
            return self._card.uid or self._momentary_uid
        if self._card.kind is CardKind.STORAGE:
            if command.cla != 0xFF:
                raise _Refusal(0x6300)
            return self._read_block(encoded)
        match command.cla, command.ins:
            case 0x00, 0xA4:
                return self._select(command)
            case 0x00, 0xB0:
                return self._read_binary(command)
            case 0x00, 0x20:
                return self._verify(command)
            case 0x80, 0x2A:
                return self._sign(command)
            case 0x00, 0xC0:
                raise _Refusal(0x6985)  # Nothing ever waits for GET RESPONSE.
            case 0x00 | 0x80, _:
                raise _Refusal(0x6D00)
            case _:
                raise _Refusal(0x6E00)

    def _read_block(self, encoded: bytes) -> bytes:
        response = self._blocks.answer(encoded)
        if response[-2:] != b"\x90\x00":
            raise _Refusal(int.from_bytes(response[-2:], "big"))
        return response[:-2]

    def _select(self, command: CommandApdu) -> bytes:
        match command.p1, command.p2:
            case 0x04, 0x00 | 0x0C:
                # The full name only; a wrong one leaves the current application selected.
                if self._card.kind is not CardKind.JPKI or command.data != JPKI_AID:
                    raise _Refusal(0x6A82)
                self._application, self._file = True, None
                return b""
            case 0x02, 0x0C:
                return self._select_file(command)
            case 0x00, 0x00 if not command.data:
                return b""  # Says yes and changes nothing, like the real card.
            case _:
                raise _Refusal(0x6A86)

    def _select_file(self, command: CommandApdu) -> bytes:
        if len(command.data) != 2:
            raise _Refusal(0x6700)
        file_id = int.from_bytes(command.data, "big")
        if not self._application or not self._exists(file_id):
            raise _Refusal(0x6A82)
        self._file = file_id
        return b""

    def _exists(self, file_id: int) -> bool:
        if file_id == FILE_AUTH_KEY:
            return self._key is not None
        return (
            file_id in self._files
            or file_id in self._tries
            or file_id == FILE_SIGNATURE_CERTIFICATE
        )

    def _read_binary(self, command: CommandApdu) -> bytes:
        if command.data or command.le is None:
            raise _Refusal(0x6700)
        offset = command.p1 << 8 | command.p2
        if command.p1 & 0x80:  # Bits 5 to 1 name a file, P2 alone is the offset.
            if not self._application or not self._exists(command.p1 & 0x1F):
                raise _Refusal(0x6A82)
            self._file, offset = command.p1 & 0x1F, command.p2
        if self._file is None:
            raise _Refusal(0x6986)
        if self._file == FILE_SIGNATURE_CERTIFICATE:
            raise _Refusal(0x6982)
        if self._file in self._card.closed and FILE_AUTH_PIN not in self._verified:
            raise _Refusal(0x6982)
        if self._file not in self._files:
            raise _Refusal(0x6981)  # A PIN or a key is not read.
        wanted = command.le
        if self._fault is not None and self._file == _FAULTY_FILE:
            if self._fault.name is FaultName.SHORT_READS:
                wanted = min(wanted, self._fault.count)
            elif self._fault.name is FaultName.ENDLESS_TLV:
                content = self._files[self._file][offset : offset + wanted]
                return content.ljust(wanted, b"\0")
        content = self._files[self._file]
        if offset >= len(content):
            raise _Refusal(0x6B00)
        return content[offset : offset + wanted]

    def _verify(self, command: CommandApdu) -> bytes:
        if (command.p1, command.p2) != (0x00, 0x80):
            raise _Refusal(0x6A86)
        file_id = self._file
        if file_id is None or file_id not in self._tries:
            raise _Refusal(0x6986)
        if self._tries[file_id] == 0:
            raise _Refusal(0x6984)
        if not command.data and command.le is None:
            raise _Refusal(0x63C0 | self._tries[file_id])
        if command.le is not None or len(command.data) not in _PIN_LENGTHS.get(file_id, ()):
            raise _Refusal(0x6700)
        if command.data == self._card.pins[file_id].value.encode("ascii"):
            self._tries[file_id] = _FULL_TRIES[file_id]
            self._verified.add(file_id)
            return b""
        self._tries[file_id] -= 1
        self._verified.discard(file_id)
        raise _Refusal(0x63C0 | self._tries[file_id])

    def _sign(self, command: CommandApdu) -> bytes:
        if (command.p1, command.p2) != (0x00, 0x80):
            raise _Refusal(0x6A86)
        if self._file != FILE_AUTH_KEY or self._key is None:
            raise _Refusal(0x6986)
        if FILE_AUTH_PIN not in self._verified:
            raise _Refusal(0x6982)
        size = self._key.key_size // 8
        # Eleven bytes of padding at least (RFC 8017, 7.2.1); the short form asks for 256 with 00.
        if command.le != size or not 0 < len(command.data) <= size - 11:
            raise _Refusal(0x6700)
        padded = b"\x00\x01" + b"\xff" * (size - 3 - len(command.data)) + b"\x00" + command.data
        numbers = self._key.private_numbers()
        signature = pow(
            int.from_bytes(padded, "big"), numbers.d, numbers.public_numbers.n
        )  # The card signs the DigestInfo as it comes, so no library's hashing padding fits.
        return signature.to_bytes(size, "big")


def _load_key(pem: str | None) -> rsa.RSAPrivateKey | None:
    if pem is None:
        return None
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise CardFileError("auth_key is no PKCS #8 key without password") from error
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size != 2048:
        raise CardFileError("auth_key is no RSA key of 2048 bits")
    return key


def _with_fault(card: CardFile) -> dict[int, bytes]:
    """The card's files; the certificate made as wrong as the fault wants it."""
    files = dict(card.files)
    match card.fault and card.fault.name:
        case FaultName.LYING_LENGTH:
            body = files.get(_FAULTY_FILE, b"")[4:]
            stated = len(body) + _LYING_BYTES
            files[_FAULTY_FILE] = b"\x30\x82" + stated.to_bytes(2, "big") + body
        case FaultName.ENDLESS_TLV:
            files[_FAULTY_FILE] = bytes.fromhex("30847FFFFFFF")
        case FaultName.GARBAGE_CERTIFICATE:
            garbage = bytes(n * 151 % 256 for n in range(_GARBAGE_LENGTH))
            files[_FAULTY_FILE] = b"\x30\x82" + _GARBAGE_LENGTH.to_bytes(2, "big") + garbage
        case _:
            pass
    return files
