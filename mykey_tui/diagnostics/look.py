"""One source being read on a thread of its own, with a time after which nobody waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Look(Generic[T]):
    """Begins to read at once. What it was last told is there at any time, whether it ended or not."""

    def __init__(
        self, read: Callable[[Callable[[T], None]], None], *, start: T, seconds: float
    ) -> None:
        """`read` calls its argument with what it knows so far; `start` is known before that."""
        self._read = read
        self._latest = start
        self._deadline = time.monotonic() + seconds
        self._ended = threading.Event()
        self.failure = ""
        """The kind of an exception that `read` ended with: a bug of ours, or a world we never saw."""
        # A daemon: a source that hangs must not keep the process alive.
        threading.Thread(target=self._run, name="doctor", daemon=True).start()

    def result(self) -> T:
        """What is known when it ended, or when its time is over."""
        self._ended.wait(max(0.0, self._deadline - time.monotonic()))
        return self._latest

    @property
    def ended_well(self) -> bool:
        """Whether it read all that it wanted to."""
        return self._ended.is_set() and not self.failure

    def _run(self) -> None:
        try:
            self._read(self._tell)
        except Exception as error:  # noqa: BLE001  # one sense that fails leaves the others theirs
            self.failure = type(error).__name__
        finally:
            self._ended.set()

    def _tell(self, facts: T) -> None:
        self._latest = facts
