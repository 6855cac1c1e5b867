"""A reader's name without the number of the device."""

from __future__ import annotations

import re

from mykey_tui.domain.text import safe

_SERIAL = re.compile(r"\s*\((?![0-9a-f]{4}:[0-9a-f]{4}\))([^()]*)\)")
"""pcsc-lite puts the USB serial number in round brackets: `Maker Product [Interface] (SN) 00 00`.
A product's number (`054c:0dc8`) stays. Some makers write the serial number into the interface's
name as well: `[Prox-DU Contact_09A00795] (09A00795)`."""
_SLOT = re.compile(r"\s+[0-9A-F]{2} [0-9A-F]{2}$")
_NUMBER = re.compile(r"(?<![0-9A-Za-z])(?=(?:[A-Za-z]*\d){4})[0-9A-Za-z]{8,}(?![0-9A-Za-z])")
"""A word with so many digits is a serial number that somebody wrote into the product's name."""
_NAME_LENGTH_MAX = 96


def bare_reader_name(name: str) -> str:
    """Maker, product and interface; no serial number and no slot. Safe to show and to hand on."""
    bare = name[: 4 * _NAME_LENGTH_MAX]
    for serial in _SERIAL.findall(bare):
        if serial.strip():
            bare = bare.replace(serial, "*")
    bare = _NUMBER.sub("*", _SLOT.sub("", _SERIAL.sub("", bare)))
    return safe(bare, _NAME_LENGTH_MAX).strip()
