"""The terminal under a screen: whether there is one, and a polite end when it, or the time, is over."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from mykey_tui.settings import SettingsError

_SIGNAL_EXIT = 128
"""What shells add to a signal's number."""
_LOOK_MILLISECONDS = 1000
"""How soon the watch of the terminal sees that it is no longer wanted."""


def require_terminal() -> None:
    """A screen paints on standard error and reads keys from standard input.

    Raises:
        SettingsError: one of them is a file, a pipe, or not there. Without this the screen would
            spin on the end of its input, and nobody could end it.
    """
    for stream in (sys.__stdin__, sys.__stderr__):
        if stream is None or stream.closed or not stream.isatty():
            raise SettingsError(
                "the screen needs a terminal; without one: mykey lookup, link, sync, status"
            )


@dataclass(slots=True)
class Ending:
    """Which signal asked for the end; 0 while none did."""

    number: int = 0

    @property
    def exit_code(self) -> int:
        """What a shell expects of a program that a signal ended."""
        return _SIGNAL_EXIT + self.number


@contextmanager
def ended_politely(leave: Callable[[], bool]) -> Iterator[Ending]:
    """SIGTERM and SIGHUP take the usual way out, so that the terminal and the disk are left tidy.

    `leave` starts that way out and says whether it could. Where it could not, and at the second
    signal, `SystemExit` unwinds the program from where it is.
    """
    ending = Ending()

    def handle(number: int, frame: FrameType | None) -> None:
        asked_before, ending.number = ending.number, number
        if asked_before or not leave():
            raise SystemExit(ending.exit_code)

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def hangup_noticed() -> Iterator[None]:
    """Turn the end of the terminal into SIGHUP where the kernel sends none (no session of ours)."""
    stdin = sys.__stdin__
    if stdin is None:
        raise SettingsError("the screen needs a terminal")
    over = threading.Event()
    poll = select.poll()
    poll.register(stdin.fileno(), 0)  # Nothing but its hang-up; the keys are the screen's.

    def watch() -> None:
        while not over.is_set():
            if poll.poll(_LOOK_MILLISECONDS) and not over.is_set():
                os.kill(os.getpid(), signal.SIGHUP)
                return

    threading.Thread(target=watch, name="terminal-watch", daemon=True).start()
    try:
        yield
    finally:
        over.set()
