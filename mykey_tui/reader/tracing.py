"""A trace of what passes between us and the cards, switched on for a bounded time, secrets masked.

`TracingReader` stands in front of any driver. While the trace is off it costs one comparison for
each session, and nothing is kept.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mykey_tui.card.connection import CardConnection, CardReader, ReaderEvent, ReaderHealth
from mykey_tui.reader.trace import traced

TRACE_SECONDS = 300.0
"""A trace that was forgotten ends by itself."""
TRACE_COMMANDS_MAX = 1000
"""So does one under which a whole day's cards are read."""
TRACE_LINES_KEPT = 200
"""Two for each command: the last hundred, and of a visit there are some ten."""


class TraceBook:
    """The lines of the trace. Any thread; nothing of it is ever written by itself."""

    def __init__(
        self,
        *,
        seconds: float = TRACE_SECONDS,
        commands: int = TRACE_COMMANDS_MAX,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._commands = commands
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._lines: deque[str] = deque(maxlen=TRACE_LINES_KEPT)
        self._begun = 0.0
        self._left = 0

    def switch_on(self) -> None:
        """Begin anew: what was kept goes."""
        with self._lock:
            self._lines.clear()
            self._begun = self._monotonic()
            self._left = self._commands

    def switch_off(self) -> None:
        """End; the lines stay until the next beginning."""
        with self._lock:
            self._left = 0

    @property
    def is_on(self) -> bool:
        """Whether what passes is written down now."""
        return self._left > 0 and self._monotonic() - self._begun < self._seconds

    def note(self, line: str) -> None:
        """Keep a line, `> ` for a command and `< ` for an answer, with the seconds since the start."""
        with self._lock:
            if not self.is_on:
                return
            self._lines.append(f"+{self._monotonic() - self._begun:.3f} {line}")
            if line.startswith("<"):
                self._left -= 1

    def lines(self) -> Sequence[str]:
        """What was kept, oldest first, at most `TRACE_LINES_KEPT`."""
        with self._lock:
            return tuple(self._lines)


class TracingReader:
    """A `CardReader` whose sessions are told to a `TraceBook` while that is on."""

    def __init__(self, reader: CardReader, book: TraceBook) -> None:
        self._reader = reader
        self._book = book
        self.simulated = reader.simulated

    def wait(self, timeout_seconds: float) -> ReaderEvent | None:
        """See `CardReader.wait`."""
        return self._reader.wait(timeout_seconds)

    @contextmanager
    def session(self) -> Iterator[CardConnection]:
        """See `CardReader.session`."""
        with self._reader.session() as connection:
            yield traced(connection, self._book.note) if self._book.is_on else connection

    def interrupt(self) -> None:
        """See `CardReader.interrupt`."""
        self._reader.interrupt()

    def health(self) -> ReaderHealth:
        """See `CardReader.health`."""
        return self._reader.health()

    def close(self) -> None:
        """See `CardReader.close`."""
        self._reader.close()
