"""Drivers' own lists of readers: the Info.plist of libccid and of libacsccid."""

from __future__ import annotations

import plistlib
import re
from collections.abc import Iterable
from pathlib import Path
from xml.parsers.expat import ExpatError

from mykey_tui.diagnostics.facts import Driver
from mykey_tui.diagnostics.files import read_head_bytes
from mykey_tui.domain.text import safe

PLIST_BYTES_MAX = 1024 * 1024
"""libccid's, with some 600 readers, has 60 kB."""
_HEX = re.compile(r"0[xX]([0-9A-Fa-f]{4})")


def driver_in(places: Iterable[Path]) -> Driver | None:
    """The first list that can be read. A file that is no list counts as none: nothing serves it."""
    for place in places:
        driver = _read(place)
        if driver is not None:
            return driver
    return None


def _read(place: Path) -> Driver | None:
    content = read_head_bytes(place, PLIST_BYTES_MAX + 1)
    if len(content) > PLIST_BYTES_MAX:
        return None
    try:
        values = plistlib.loads(content)
    except (OSError, ValueError, LookupError, AttributeError, ExpatError, RecursionError):
        # What plistlib raises for bytes that are no property list is not one class of errors.
        return None
    if not isinstance(values, dict):
        return None
    vendors, products = (_numbers(values.get(key)) for key in ("ifdVendorID", "ifdProductID"))
    version = values.get("CFBundleShortVersionString")
    return Driver(
        version=safe(version, 16) if isinstance(version, str) else "",
        usb_ids=frozenset(
            f"{vendor}:{product}"
            for vendor, product in zip(vendors, products, strict=False)
            if vendor and product
        ),
    )


def _numbers(value: object) -> list[str]:
    """Four small hexadecimal digits each; empty for what is no number, so that places agree."""
    if not isinstance(value, list):
        return []
    found = (_HEX.fullmatch(item) if isinstance(item, str) else None for item in value)
    return [match.group(1).lower() if match else "" for match in found]
