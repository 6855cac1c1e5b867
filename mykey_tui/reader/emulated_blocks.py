"""The reader's own commands for FeliCa blocks, as three families of readers understand them.

A card file of kind `storage` keeps a service's blocks in `files`, under the service's code.
"""

from __future__ import annotations

from mykey_tui.reader.card_file import CardFile

BLOCK_LENGTH = 16
_SONY_SELECT = bytes.fromhex("FFA4000102")
_SONY_READ = bytes.fromhex("FFB000")
_ACS = bytes.fromhex("FF000000101006")
_IDENTIV = bytes.fromhex("FF46010104")
_NOT_SUPPORTED = b"\x6a\x81"
_NO_SERVICE = b"\x6a\x82"
_REFUSED_BY_CARD = b"\x01\xa6"
"""Status flags of JIS X 6319-4: there is no such service."""


class EmulatedBlocks:
    """What the reader and the card on it answer together; keeps the service that was selected."""

    def __init__(self, card: CardFile) -> None:
        self._card = card
        self._service: int | None = None

    def answer(self, command: bytes) -> bytes:
        """Data and status word; 6A81 for what none of the families says."""
        if command.startswith(_SONY_SELECT) and len(command) == 7:
            service = int.from_bytes(command[5:], "little")
            self._service = service if service in self._card.files else None
            return _NO_SERVICE if self._service is None else b"\x90\x00"
        if command.startswith(_SONY_READ) and len(command) == 5 and self._service is not None:
            return self._block(self._service, command[3]) + b"\x90\x00"
        if command.startswith(_IDENTIV) and len(command) == 9:
            service = int.from_bytes(command[5:7], "little")
            found = service in self._card.files
            return self._block(service, command[8]) + b"\x90\x00" if found else _NO_SERVICE
        if command.startswith(_ACS) and len(command) == 21:
            return self._felica(command[7:15], command[16:18], command[20]) + b"\x90\x00"
        return _NOT_SUPPORTED

    def _felica(self, idm: bytes, service: bytes, block: int) -> bytes:
        """Read Without Encryption: length, 07, IDm, status flags, number of blocks, blocks."""
        code = int.from_bytes(service, "little")
        rest = b"\x00\x00\x01" + self._block(code, block)
        if idm != self._card.uid or code not in self._card.files:
            rest = _REFUSED_BY_CARD + b"\x00"
        answer = b"\x07" + (self._card.uid or b"") + rest
        return bytes([len(answer) + 1]) + answer

    def _block(self, service: int, block: int) -> bytes:
        content = self._card.files.get(service, b"")
        return content[block * BLOCK_LENGTH :][:BLOCK_LENGTH].ljust(BLOCK_LENGTH, b"\0")
