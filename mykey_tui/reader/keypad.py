"""A numeric keypad that only the resident sees: an evdev device, grabbed while a PIN is typed.

Grabbed (EVIOCGRAB), its keys reach nobody else: not the staff's screen, not a field that has the
focus. Digits go straight into the `PinEntry`; all others are told only that something happened.

The kernel's interface is one struct and one ioctl (linux/input.h), so no library is needed: the
`evdev` package would have to be compiled on every counter.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ReaderError

EVENT = struct.Struct("@llHHi")
"""struct input_event: seconds, microseconds, type, code, value, in the machine's own sizes."""
EVIOCGRAB = 0x40044590
"""_IOW('E', 0x90, int)."""
STOP_SECONDS = 1.0
_EVENTS_AT_ONCE = 64
_EV_KEY = 0x01
_PRESSED = 1
"""0 is released, 2 is the repetition of a key that is held: neither is a digit."""
_DIGITS = {
    **dict(zip(range(2, 11), "123456789", strict=True)), 11: "0",
    79: "1", 80: "2", 81: "3", 75: "4", 76: "5", 77: "6", 71: "7", 72: "8", 73: "9", 82: "0",
}  # fmt: skip
"""KEY_1 … KEY_0, and KEY_KP0 … KEY_KP9 (linux/input-event-codes.h)."""
_ENTER = frozenset({28, 96})
_ERASE = frozenset({14, 111})
_CANCEL = frozenset({1})


class Keys(Protocol):
    """What the keys do. Called on the keypad's own thread; nobody else learns which digit it was."""

    def digit(self, digit: str) -> None:
        """A digit was pressed."""
        ...

    def erase(self) -> None:
        """The last one was wrong."""
        ...

    def enter(self) -> None:
        """Done."""
        ...

    def cancel(self) -> None:
        """Given up."""
        ...

    def gone(self) -> None:
        """The device went away, or sends what is no event."""
        ...


class Keypad:
    """One keypad. `start` and `stop` come from one thread; the keys from another."""

    def __init__(self, path: Path, *, grab: Callable[[int], None] | None = None) -> None:
        self._path = path
        self._grab = grab or _grab
        self._device = self._wake = -1
        self._thread: threading.Thread | None = None

    def start(self, keys: Keys) -> None:
        """Take the device, and let `keys` have what is pressed from now on.

        Raises:
            ReaderError: KEYPAD_NONE: not there, not permitted, or grabbed by another program.
        """
        self.stop()
        try:
            device = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise ReaderError(Code.KEYPAD_NONE, f"keypad: {error.strerror}") from error
        try:
            self._grab(device)
            _drain(device)
        except OSError as error:
            os.close(device)
            raise ReaderError(Code.KEYPAD_NONE, f"keypad: {error.strerror}") from error
        asleep, self._wake = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(
            target=_listen, args=(device, asleep, keys), name="keypad", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Let go of the device, which ends the grab too. May be called twice."""
        if self._thread is None:
            return
        os.close(self._wake)
        self._thread.join(STOP_SECONDS)
        self._thread = None


def _listen(device: int, asleep: int, keys: Keys) -> None:
    """The keypad's thread: until the other end of `asleep` is closed, or the device is gone."""
    poll = select.poll()
    poll.register(device, select.POLLIN)
    poll.register(asleep, select.POLLIN)
    try:
        while True:
            ready = dict(poll.poll())
            if asleep in ready:
                return
            if not _pass_on(device, keys):
                keys.gone()
                return
    finally:
        os.close(device)
        os.close(asleep)


def _pass_on(device: int, keys: Keys) -> bool:
    """Pass on the events that wait; False when the device is at its end."""
    try:
        data = os.read(device, EVENT.size * _EVENTS_AT_ONCE)
    except BlockingIOError:
        return True
    except OSError:
        return False
    if not data or len(data) % EVENT.size:
        return False
    for _, _, kind, code, value in EVENT.iter_unpack(data):
        if kind == _EV_KEY and value == _PRESSED:
            _press(code, keys)
    return True


def _press(code: int, keys: Keys) -> None:
    if code in _DIGITS:
        keys.digit(_DIGITS[code])
    elif code in _ERASE:
        keys.erase()
    elif code in _ENTER:
        keys.enter()
    elif code in _CANCEL:
        keys.cancel()


def _grab(device: int) -> None:
    fcntl.ioctl(device, EVIOCGRAB, 1)


def _drain(device: int) -> None:
    """What was pressed before anybody was asked is no PIN."""
    while True:
        try:
            if not os.read(device, EVENT.size * _EVENTS_AT_ONCE):
                return
        except BlockingIOError:
            return
