"""Asks the counter for its status, off the screen's thread, and passes on what changed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import MyKeyError, failure_code
from mykey_tui.flows.outcomes import Status

if TYPE_CHECKING:
    from mykey_tui.flows.services import CounterPort

PERIOD_SECONDS = 2.5
"""A returned line shows soon enough, and an idle counter stays under half a percent of a core."""


class StatusWatch:
    """A thread of its own, because a busy store may keep a reader waiting for a moment."""

    def __init__(
        self,
        counter: CounterPort,
        tell: Callable[[Status | Code], None],
        failed: Callable[[Exception], None],
        period_seconds: float = PERIOD_SECONDS,
    ) -> None:
        self._counter = counter
        self._tell = tell
        self._failed = failed
        self._period_seconds = period_seconds
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def nudge(self) -> None:
        """Ask at once."""
        self._wake.set()

    def stop(self) -> None:
        """End; waits for one question at most."""
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout=2 * self._period_seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                news: Status | Code = self._counter.status()
            except MyKeyError as error:
                news = failure_code(error)
            except Exception as error:  # noqa: BLE001  # the thread's outermost frame: the app ends with it
                self._failed(error)
                return
            self._tell(news)
            self._wake.wait(self._period_seconds)
            self._wake.clear()
