"""While the screen is up, nothing else writes to the terminal.

Textual catches what Python code prints. It cannot catch what a library in C writes to the
descriptors (pcsc-lite's, libc's own complaints), nor keep Python's last words out of the log: an
exception in `__del__` or in a thread. Any of them would stand in the middle of the screen until it
is painted anew.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from mykey_tui.flows.stopping import describe_bug

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_STDOUT, _STDERR = 1, 2
_log = logging.getLogger(__name__)


@contextmanager
def screen_alone() -> Iterator[None]:
    """Give standard error's stream, which the screen paints on, a descriptor that nobody else knows.

    What is written to the descriptors 1 and 2 goes nowhere meanwhile, also by programs that are
    started. What nobody can catch is logged, by its kind and place and no word of its message.
    """
    hooks = sys.unraisablehook, threading.excepthook
    sys.unraisablehook, threading.excepthook = _log_unraisable, _log_thread
    try:
        with _moved_streams():
            yield
    finally:
        sys.unraisablehook, threading.excepthook = hooks


@contextmanager
def _moved_streams() -> Iterator[None]:
    before = sys.stderr, sys.__stderr__
    kept = {number: os.dup(number) for number in (_STDOUT, _STDERR)}
    painted = _stream_like(sys.__stderr__, os.dup(_STDERR))
    sys.stderr = sys.__stderr__ = painted  # type: ignore[misc]  # Textual paints on this one
    for number in kept:
        _point(number, os.open(os.devnull, os.O_WRONLY))
    try:
        yield
    finally:
        sys.stderr, sys.__stderr__ = before  # type: ignore[misc]  # as above
        with suppress(OSError):  # A terminal that was hung up takes no last words.
            painted.close()
        for number, descriptor in kept.items():
            _point(number, descriptor)


def _stream_like(stream: object, descriptor: int) -> io.TextIOWrapper:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    errors = getattr(stream, "errors", None) or "backslashreplace"
    return open(descriptor, "w", encoding=encoding, errors=errors)  # no path


def _point(number: int, descriptor: int) -> None:
    """Make `number` another name of the descriptor, which is spent."""
    os.dup2(descriptor, number)
    os.close(descriptor)


def _log_unraisable(unraisable: UnraisableHookArgs) -> None:
    _log.error("An error that nobody could catch: %s", _described(unraisable.exc_value))


def _log_thread(arguments: threading.ExceptHookArgs) -> None:
    _log.error("A thread ended with a bug: %s", _described(arguments.exc_value))


def _described(error: BaseException | None) -> str:
    return "unknown" if error is None else describe_bug(error)
