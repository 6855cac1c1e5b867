"""The parts of a DER element as bytes (X.690), where a strict parser has accepted the whole.

The library makes an object of each name and extension, one attribute at a time. A server reads
thousands of certificates a second, and most parts of them are equal byte for byte.
"""

from __future__ import annotations


def parts_of(element: bytes) -> list[bytes]:
    """The elements inside a constructed one, each with its tag and length.

    `element` is well-formed DER, checked by somebody else, with tags of one byte as in X.509: for
    other bytes the answer means nothing (and ends all the same: each part has two bytes or more).
    """
    place, end = _value(element, 0)
    parts: list[bytes] = []
    while place < end:
        length = element[place + 1]  # Nearly always short.
        behind = place + 2 + length if length < 0x80 else _value(element, place)[1]
        parts.append(element[place:behind])
        place = behind
    return parts


def _value(der: bytes, place: int) -> tuple[int, int]:
    """Where the value of the element at `place` begins, and where it ends."""
    length, begin = der[place + 1], place + 2
    if length >= 0x80:
        field, begin = begin, begin + (length & 0x7F)
        length = int.from_bytes(der[field:begin], "big")
    return begin, begin + length
