"""A numeric keypad that only the resident sees: an evdev device, grabbed while a PIN is typed.

Grabbed, its keys reach nobody else (see `evdev`). Digits go straight into the `PinEntry`; all others
are told only that something happened.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ReaderError
from mykey_tui.evdev import EV_KEY, PRESSED, grab, open_grabbed, read_events

STOP_SECONDS = 1.0
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

    def __init__(self, path: Path, *, grab: Callable[[int], None] = grab) -> None:
        self._path = path
        self._grab = grab
        self._device = self._wake = -1
        self._thread: threading.Thread | None = None

    def start(self, keys: Keys) -> None:
        """Take the device, and let `keys` have what is pressed from now on.

        Raises:
            ReaderError: KEYPAD_NONE: not there, not permitted, or grabbed by another program.
        """
        self.stop()
        try:
            device = open_grabbed(self._path, self._grab)
        except OSError as error:
            raise ReaderError(Code.KEYPAD_NONE, f"keypad: {error.strerror}") from error
        try:
            while read_events(device):
                pass  # What was pressed before anybody was asked is no PIN.
        except OSError as error:
            os.close(device)
            raise ReaderError(Code.KEYPAD_NONE, f"keypad: {error}") from error
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
        events = read_events(device)
    except OSError:
        return False
    for event in events:
        if event.kind == EV_KEY and event.value == PRESSED:
            _press(event.code, keys)
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
