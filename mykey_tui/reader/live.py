"""The readers and cards as the service lists them now, for the live view: all of them, watched or not.

A look has a context of its own and keeps nothing at the service, so it tells the truth even where
the counter's own watcher is dead. Whoever does not look costs nothing.
"""

from __future__ import annotations

import threading

from mykey_tui.card.connection import ReaderState
from mykey_tui.card.live import SlotsNow, slot_seen
from mykey_tui.reader.emulator import EmulatedReader
from mykey_tui.reader.slots import CHANGED
from mykey_tui.reader.winscard import (
    NO_READERS,
    OK,
    PLUG_AND_PLAY,
    SECURITY_VIOLATION,
    TIMEOUT,
    WinScard,
)

SLOTS_MAX = 16
"""As many as pcsc-lite has contexts for."""
FAILED_PAUSE_SECONDS = 1.0
"""After a look that failed at once, so that whoever asks again and again does not spin."""
EMULATED_PAUSE_SECONDS = 0.5

_State = tuple[str, int, bytes]


class LiveSlots:
    """Looks at the PC/SC service. One thread at a time."""

    def __init__(self, service: WinScard) -> None:
        self._service = service
        self._known: dict[str, _State] = {}
        self._pause = threading.Event()

    def look(self, seconds: float) -> SlotsNow:
        """What is there; blocks until that is not what it was, at most `seconds`.

        Never raises. May hang where the service does.
        """
        number, context = self._service.establish()
        if number != OK:
            return self._nothing(number, seconds)
        try:
            return self._look(context, seconds)
        finally:
            self._service.release(context)

    def _look(self, context: int, seconds: float) -> SlotsNow:
        number, names = self._service.readers(context)
        if number not in (OK, NO_READERS):
            return self._nothing(number, seconds)
        wanted = [*names[:SLOTS_MAX], PLUG_AND_PLAY]
        news = set(wanted) != set(self._known)
        watched = [(name, self._known[name][1] if name in self._known else 0) for name in wanted]
        number, states = self._service.changes(context, 0 if news else int(seconds * 1000), watched)
        if number == OK:
            self._known = {name: (name, state & ~CHANGED, atr) for name, state, atr in states}
        elif number != TIMEOUT:
            return self._nothing(number, seconds)
        seen = tuple(slot_seen(*s) for s in self._known.values() if s[0] != PLUG_AND_PLAY)
        return SlotsNow(ReaderState.READY if seen else ReaderState.NO_READER, seen)

    def _nothing(self, number: int, seconds: float) -> SlotsNow:
        self._known = {}
        self._pause.wait(min(seconds, FAILED_PAUSE_SECONDS))
        denied = number == SECURITY_VIOLATION
        return SlotsNow(ReaderState.DENIED if denied else ReaderState.NO_SERVICE)


class EmulatedSlots:
    """The same for a reader without hardware."""

    def __init__(self, reader: EmulatedReader) -> None:
        self._reader = reader
        self._pause = threading.Event()
        self._known: SlotsNow | None = None

    def look(self, seconds: float) -> SlotsNow:
        """See `LiveSlots.look`."""
        now = SlotsNow(ReaderState.READY, (self._reader.slot_seen(),))
        if now == self._known:
            self._pause.wait(min(seconds, EMULATED_PAUSE_SECONDS))
            now = SlotsNow(ReaderState.READY, (self._reader.slot_seen(),))
        self._known = now
        return now
