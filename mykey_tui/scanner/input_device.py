"""A scanner that is a USB keyboard, read from its own device and grabbed: nothing else sees it.

No guess by the gaps between keys, and no matter where the focus is. Letters and digits are on the
same keys everywhere; the other characters are those of a US keyboard, which is how scanners leave
the factory.

Source: Linux, include/uapi/linux/input-event-codes.h; how it is read, in `evdev`.
"""

from __future__ import annotations

import os
from pathlib import Path

from mykey_tui.evdev import (
    EV_KEY,
    EV_SYN,
    PRESSED,
    SYN_DROPPED,
    InputEvent,
    open_grabbed,
    read_events,
)
from mykey_tui.scanner.codes import LOST

_SHIFTS = frozenset({42, 54})

_ROWS = {2: "1234567890-=", 16: "QWERTYUIOP[]", 30: "ASDFGHJKL;'`", 43: "\\ZXCVBNM,./"}
_KEYPAD = {71: "789-456+1230."}
_PLAIN = {
    first + offset: character
    for first, characters in (_ROWS | _KEYPAD).items()
    for offset, character in enumerate(characters)
} | {55: "*", 57: " ", 98: "/", 28: "\n", 96: "\n", 15: "\t"}
_SHIFTED = dict(zip("1234567890-=[];'`\\,./", '!@#$%^&*()_+{}:"~|<>?', strict=True))


class InputDevice:
    """See `ScannerDevice`."""

    def __init__(self, path: Path) -> None:
        """Open and grab the device. Raises `OSError`: none, not ours to read, or grabbed already."""
        self._descriptor = open_grabbed(path)
        self._shift = False

    def fileno(self) -> int:
        """See `ScannerDevice`."""
        return self._descriptor

    def read(self) -> str:
        """See `ScannerDevice`."""
        return "".join(map(self._character, read_events(self._descriptor)))

    def close(self) -> None:
        """See `ScannerDevice`. Closing ends the grab."""
        os.close(self._descriptor)

    def _character(self, event: InputEvent) -> str:
        """What an event adds: a key something when it goes down, nothing when it is held or let go."""
        kind, code, value = event
        if (kind, code) == (EV_SYN, SYN_DROPPED):
            self._shift = False  # Nobody can say; the code is lost anyway.
            return LOST
        if kind != EV_KEY:
            return ""
        if code in _SHIFTS:
            self._shift = value != 0
            return ""
        if value != PRESSED:
            return ""
        character = _PLAIN.get(code, "")
        return _SHIFTED.get(character, character) if self._shift else character
