"""The head of a BER-TLV data object (ISO/IEC 7816-4, 5.2; X.690, 8.1), from bytes nobody vouches for.

A card only has to be asked "how long is the object in this file?", so there is no tree here:
what the object holds is the business of the certificate parser.
"""

from __future__ import annotations

from dataclasses import dataclass

from mykey_tui.domain.errors import MalformedResponseError

SEQUENCE_TAG = 0x30
LENGTH_BYTES_MAX = 2
"""A file is at most 7FFF bytes long, so no honest object in it needs a third length byte."""


@dataclass(frozen=True, slots=True)
class TlvHead:
    """Tag, number of bytes of tag and length field, number of bytes of the value."""

    tag: int
    head_length: int
    value_length: int

    @property
    def total_length(self) -> int:
        """Bytes of the whole object."""
        return self.head_length + self.value_length


def parse_head(data: bytes) -> TlvHead:
    """Read the head of the object that `data` begins with; the value may be missing.

    One-byte tags and definite lengths of at most two bytes, in their shortest form.

    Raises:
        MalformedResponseError: `data` is too short to tell, or breaks one of these rules.
    """
    if len(data) < 2:
        raise MalformedResponseError("too few bytes for a tag and a length")
    tag, first = data[0], data[1]
    if tag & 0x1F == 0x1F:
        raise MalformedResponseError("a tag of more than one byte")
    if first < 0x80:
        return TlvHead(tag, 2, first)
    count = first & 0x7F
    if count == 0:
        raise MalformedResponseError("an indefinite length")
    if count > LENGTH_BYTES_MAX:
        raise MalformedResponseError(f"a length field of {count} bytes")
    field = data[2 : 2 + count]
    if len(field) < count:
        raise MalformedResponseError("too few bytes for a tag and a length")
    value_length = int.from_bytes(field, "big")
    if value_length < 0x80 or field[0] == 0:
        raise MalformedResponseError("a length that is not in its shortest form")
    return TlvHead(tag, 2 + count, value_length)
