"""Puts the keypad's keys where they belong: digits into the entry, all others to the screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mykey_tui.flows.pin_entry import PinEntry
from mykey_tui.flows.services import KeypadSign, PinWays
from mykey_tui.reader.keypad import Keypad
from mykey_tui.settings import PinSettings


@dataclass(frozen=True, slots=True)
class ResidentKeypad:
    """See `flows.services.KeypadPort`."""

    keypad: Keypad

    def start(self, entry: PinEntry, tell: Callable[[KeypadSign], None]) -> None:
        """Take the keypad. Raises `ReaderError`."""
        self.keypad.start(_IntoEntry(entry, tell))

    def stop(self) -> None:
        """Let go of it."""
        self.keypad.stop()


class _IntoEntry:
    """See `reader.keypad.Keys`."""

    def __init__(self, entry: PinEntry, tell: Callable[[KeypadSign], None]) -> None:
        self._entry = entry
        self._tell = tell

    def digit(self, digit: str) -> None:
        """Into the entry, and nowhere else."""
        self._entry.press(digit)
        self._tell(KeypadSign.TYPED)

    def erase(self) -> None:
        """Out of the entry."""
        self._entry.erase()
        self._tell(KeypadSign.TYPED)

    def enter(self) -> None:
        """The screen sends it."""
        self._tell(KeypadSign.ENTER)

    def cancel(self) -> None:
        """The screen closes."""
        self._tell(KeypadSign.CANCEL)

    def gone(self) -> None:
        """The screen says so."""
        self._tell(KeypadSign.GONE)


def pin_ways(settings: PinSettings) -> PinWays:
    """The policy, and what a resident may type on here: opened only when somebody does."""
    keypad = ResidentKeypad(Keypad(settings.keypad)) if settings.keypad is not None else None
    return PinWays(settings.policy, settings.keyboard, keypad)
