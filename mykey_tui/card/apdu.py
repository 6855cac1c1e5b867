"""Command and response APDUs in the short form (ISO/IEC 7816-4, 5.1 and 12.1).

Only the short form: nobody needs the extended one for this card, and cheap readers break on it.
Neither class shows its data when printed: it may be a PIN or a person's certificate.
"""

from __future__ import annotations

from dataclasses import dataclass

from mykey_tui.card.status_word import SHORT_DATA_MAX, StatusWord
from mykey_tui.domain.errors import MalformedResponseError

COMMAND_DATA_MAX = 255
"""Lc is one byte, and 00 would announce the extended form."""
_HEADER_LENGTH = 4
_STATUS_LENGTH = 2


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CommandApdu:
    """A command: header, data of at most 255 bytes, and `le`, the number of bytes wanted.

    `le` is 1 to 256 (256 travels as `00`); None means that the field is absent, which is not the
    same as any number. What the short form cannot carry raises `ValueError` here, at construction.
    """

    ins: int
    p1: int = 0
    p2: int = 0
    cla: int = 0
    data: bytes = b""
    le: int | None = None

    def __post_init__(self) -> None:
        for name in ("cla", "ins", "p1", "p2"):
            if not 0 <= getattr(self, name) <= 0xFF:
                raise ValueError(f"{name} is one byte")
        if len(self.data) > COMMAND_DATA_MAX:
            raise ValueError(f"a short command carries at most {COMMAND_DATA_MAX} bytes")
        if self.le is not None and not 1 <= self.le <= SHORT_DATA_MAX:
            raise ValueError(f"le is 1 to {SHORT_DATA_MAX}, or None where the field is absent")

    def __repr__(self) -> str:
        return f"<CommandApdu {self.header.hex()}, {len(self.data)} bytes, le={self.le}>"

    @property
    def header(self) -> bytes:
        """CLA INS P1 P2."""
        return bytes((self.cla, self.ins, self.p1, self.p2))

    def encode(self) -> bytes:
        """The bytes that travel: case 1, 2, 3 or 4 of the short form."""
        encoded = self.header
        if self.data:
            encoded += bytes([len(self.data)]) + self.data
        if self.le is not None:
            encoded += bytes([self.le & 0xFF])
        return encoded

    @classmethod
    def decode(cls, command: bytes) -> CommandApdu:
        """Read the bytes of a short command. Raises `ValueError` for anything else."""
        if len(command) < _HEADER_LENGTH:
            raise ValueError("a command has at least four bytes")
        cla, ins, p1, p2 = command[:_HEADER_LENGTH]
        body = command[_HEADER_LENGTH:]
        data, le = b"", None
        if len(body) == 1:
            le = body[0] or SHORT_DATA_MAX
        elif body:
            length = body[0]
            data, rest = body[1 : 1 + length], body[1 + length :]
            # A first byte of 00 before more bytes announces the extended form.
            if length == 0 or len(data) != length or len(rest) > 1:
                raise ValueError("Lc does not fit a short command")
            if rest:
                le = rest[0] or SHORT_DATA_MAX
        return cls(cla=cla, ins=ins, p1=p1, p2=p2, data=data, le=le)


@dataclass(frozen=True, slots=True, repr=False)
class ResponseApdu:
    """An answer: at most 256 bytes of data, and the status word."""

    data: bytes
    sw: StatusWord

    def __repr__(self) -> str:
        return f"<ResponseApdu {len(self.data)} bytes, {self.sw}>"

    @classmethod
    def decode(cls, response: bytes) -> ResponseApdu:
        """Split what the card sent.

        Raises:
            MalformedResponseError: fewer than two bytes, or more than the short form carries.
        """
        if len(response) < _STATUS_LENGTH:
            raise MalformedResponseError("the card answered without a status word")
        if len(response) > SHORT_DATA_MAX + _STATUS_LENGTH:
            raise MalformedResponseError("the card answered more than a short response carries")
        data, status = response[:-_STATUS_LENGTH], response[-_STATUS_LENGTH:]
        return cls(data, StatusWord(int.from_bytes(status, "big")))

    def encode(self) -> bytes:
        """The bytes that travel."""
        return self.data + self.sw.value.to_bytes(_STATUS_LENGTH, "big")
