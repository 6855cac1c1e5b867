"""A scanner that is a USB keyboard, read from its own device and grabbed: nothing else sees it.

No guess by the gaps between keys, and no matter where the focus is. Letters and digits are on the
same keys everywhere; the other characters are those of a US keyboard, which is how scanners leave
the factory.

Source: Linux, include/uapi/linux/input.h and input-event-codes.h.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

from mykey_tui.scanner.codes import LOST

_EVENT = struct.Struct("@llHHi")
"""struct input_event: a time of two longs, type, code, value."""
_EVENTS_AT_ONCE = 64
_EV_SYN, _EV_KEY = 0, 1
_SYN_DROPPED = 3
"""The kernel's buffer ran over: keys are missing."""
_DOWN = 1
_EVIOCGRAB = 0x40044590
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
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._shift = False
        try:
            fcntl.ioctl(self._descriptor, _EVIOCGRAB, 1)
        except OSError:
            os.close(self._descriptor)
            raise

    def fileno(self) -> int:
        """See `ScannerDevice`."""
        return self._descriptor

    def read(self) -> str:
        """See `ScannerDevice`."""
        try:
            content = os.read(self._descriptor, _EVENTS_AT_ONCE * _EVENT.size)
        except BlockingIOError:
            return ""
        if not content:
            raise OSError("the device was closed")
        whole = len(content) - len(content) % _EVENT.size
        return "".join(
            self._character(kind, code, value)
            for _, _, kind, code, value in _EVENT.iter_unpack(content[:whole])
        )

    def close(self) -> None:
        """See `ScannerDevice`. Closing ends the grab."""
        os.close(self._descriptor)

    def _character(self, kind: int, code: int, value: int) -> str:
        """What an event adds: a key something when it goes down, nothing when it is held or let go."""
        if (kind, code) == (_EV_SYN, _SYN_DROPPED):
            self._shift = False  # Nobody can say; the code is lost anyway.
            return LOST
        if kind != _EV_KEY:
            return ""
        if code in _SHIFTS:
            self._shift = value != 0
            return ""
        if value != _DOWN:
            return ""
        character = _PLAIN.get(code, "")
        return _SHIFTED.get(character, character) if self._shift else character
