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
        self._ended = False
        self._changed = threading.Condition()
        self.failure = ""
        """The kind of an exception that `read` ended with: a bug of ours, or a world we never saw."""
        # A daemon: a source that hangs must not keep the process alive.
        threading.Thread(target=self._run, name="doctor", daemon=True).start()

    def result(self, is_enough: Callable[[T], bool] | None = None) -> T:
        """What is known when it ended, or when it `is_enough`, or when its time is over."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._ended or (is_enough is not None and is_enough(self._latest)),
                max(0.0, self._deadline - time.monotonic()),
            )
            return self._latest

    @property
    def ended_well(self) -> bool:
        """Whether it read all that it wanted to."""
        with self._changed:
            return self._ended and not self.failure

    def _run(self) -> None:
        failure = ""
        try:
            self._read(self._tell)
        except Exception as error:  # noqa: BLE001  # one sense that fails leaves the others theirs
            failure = type(error).__name__
        with self._changed:
            self.failure = failure
            self._ended = True
            self._changed.notify_all()

    def _tell(self, facts: T) -> None:
        with self._changed:
            self._latest = facts
            self._changed.notify_all()
