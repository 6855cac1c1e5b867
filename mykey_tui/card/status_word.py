"""The two status bytes of a response (ISO/IEC 7816-4, 5.6): a value, and any value is legal."""

from __future__ import annotations

from dataclasses import dataclass

SHORT_DATA_MAX = 256
"""A short response carries at most 256 data bytes; a length of 00 in a status word means them."""


@dataclass(frozen=True, slots=True)
class StatusWord:
    """SW1 SW2 as one number, 0 to FFFF."""

    value: int

    def __post_init__(self) -> None:
        if not 0 <= self.value <= 0xFFFF:
            raise ValueError("a status word has 16 bits")

    def __str__(self) -> str:
        return f"{self.value:04X}"

    @property
    def is_ok(self) -> bool:
        """9000, and nothing else."""
        return self.value == 0x9000

    @property
    def tries_left(self) -> int | None:
        """63Cx gives x; 6983 and 6984 (blocked) give 0; None where the word does not tell."""
        if self.value & 0xFFF0 == 0x63C0:
            return self.value & 0xF
        if self.value in (0x6983, 0x6984):
            return 0
        return None

    @property
    def bytes_waiting(self) -> int | None:
        """61xx: so many more bytes (1 to 256) wait for GET RESPONSE; else None."""
        return self._count(0x61)

    @property
    def right_length(self) -> int | None:
        """6Cxx: the command must be sent again with this Le (1 to 256); else None."""
        return self._count(0x6C)

    def _count(self, sw1: int) -> int | None:
        if self.value >> 8 != sw1:
            return None
        return self.value & 0xFF or SHORT_DATA_MAX


OK = StatusWord(0x9000)
END_OF_FILE = StatusWord(0x6282)
"""Warning: the file ended before Le bytes were read; the data that came is good."""
WRONG_LENGTH = StatusWord(0x6700)
NOT_VERIFIED = StatusWord(0x6982)
OFFSET_OUTSIDE = StatusWord(0x6B00)
NOT_FOUND = StatusWord(0x6A82)
