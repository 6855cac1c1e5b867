"""A thread for calls that may never come back.

A call into the PC/SC library cannot be timed out from inside, and a thread cannot be killed. So the
call is made on a thread that can be spared: when it is late, the caller goes on without it, and the
thread ends by itself when the call returns, if ever.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
_log = logging.getLogger(__name__)


class LateError(Exception):
    """The job did not come back in time; its worker was given up."""


@dataclass(frozen=True, slots=True)
class _Failed:
    error: Exception


class Worker:
    """Does one job at a time, each with a deadline, until it is ended or given up.

    Used by one thread. A daemon: a job that hangs must not keep the program alive.

    Args:
        name: of the thread.
        farewell: runs on the thread at its end, in whichever way it ends.
        came_back: runs after that where the worker had been given up.
    """

    def __init__(
        self, name: str, farewell: Callable[[], None], came_back: Callable[[], None]
    ) -> None:
        self._farewell = farewell
        self._came_back = came_back
        self._back = threading.Event()
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def given_up(self) -> bool:
        """Whether nobody waits for this worker any more. From any thread."""
        return self._given_up.is_set()

    @property
    def is_out(self) -> bool:
        """Whether it was given up and its call has not come back yet. From any thread."""
        return self._given_up.is_set() and not self._back.is_set()

    def do(self, job: Callable[[], T], seconds: float) -> T:
        """Run `job` on the thread and wait for it. Its exceptions pass.

        Raises:
            LateError: it took longer, or an earlier job did. What it answers is thrown away.
        """
        if self.given_up:
            raise LateError
        self._jobs.put(job)
        try:
            answer = self._answers.get(timeout=seconds)
        except queue.Empty:
            self._give_up()
            raise LateError from None
        if isinstance(answer, _Failed):
            raise answer.error
        return answer  # type: ignore[return-value]  # what `job` returned

    def end(self, seconds: float) -> None:
        """No more jobs: wait for the farewell, and give the worker up where that is late too."""
        self._jobs.put(None)
        self._thread.join(seconds if not self.given_up else 0)
        if self._thread.is_alive():
            self._give_up()

    def _give_up(self) -> None:
        self._given_up.set()
        self._jobs.put(None)  # It may have finished in this very moment, and wait for a job.

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._answers.put(job())
            except Exception as error:  # noqa: BLE001  # raised again where it is waited for
                self._answers.put(_Failed(error))
        try:
            self._farewell()
            self._back.set()
            if self.given_up:
                self._came_back()
        except Exception as error:  # noqa: BLE001  # a traceback would be painted over the screen
            _log.error("A card worker's farewell failed: %s", type(error).__name__)
