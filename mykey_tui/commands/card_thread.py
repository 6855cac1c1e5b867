"""A card thread for commands: waits for one card, and does not let a hung one hold the command."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

from mykey_tui.card.connection import CardArrived, CardReader, ReaderChanged, ReaderState
from mykey_tui.domain.codes import Code
from mykey_tui.flows.desk_events import READING_DEADLINE_SECONDS
from mykey_tui.flows.outcomes import Stopped
from mykey_tui.flows.reader_trouble import READER_TROUBLE

CLOSE_SECONDS = 1.0
_ANSWER_MARGIN_SECONDS = 2.0
"""A driver's `wait` may overrun a little; only one that does not come back at all is given up."""
_HOPELESS = frozenset({ReaderState.NO_SERVICE, ReaderState.DENIED})
"""What waiting does not mend: somebody has to do something to this machine."""

T = TypeVar("T")


class _Job(Generic[T]):
    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self.done = threading.Event()
        self.result: T | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:  # noqa: BLE001  # raised again where it is waited for
            self.error = error
        finally:
            self.done.set()


class CardThread:
    """The one thread that uses the reader while a command runs. A context manager."""

    def __init__(
        self, reader: CardReader, *, tell_trouble: Callable[[Code], None] | None = None
    ) -> None:
        """`tell_trouble` hears at once, on the thread, why no card can be read for the moment."""
        self._reader = reader
        self._tell_trouble = tell_trouble or (lambda _: None)
        self._jobs: queue.SimpleQueue[_Job[object] | None] = queue.SimpleQueue()
        # A daemon: a card that hangs inside the driver must not keep the process alive.
        self._thread = threading.Thread(target=self._work, name="card", daemon=True)

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the reader, unless a card hangs in it."""
        self._reader.interrupt()
        self._jobs.put(None)
        self._thread.join(CLOSE_SECONDS)

    def wait_for_card(self, seconds: float) -> Stopped | None:
        """Wait until a card lies there; C-WAIT or the reader's own code when none does."""
        deadline = seconds + _ANSWER_MARGIN_SECONDS
        return self.run(lambda: self._wait(seconds), deadline_seconds=deadline)

    def run(
        self, work: Callable[[], T], *, deadline_seconds: float = READING_DEADLINE_SECONDS
    ) -> T | Stopped:
        """Do `work` on the thread; C-SLOW when it is not done in time. Its exceptions pass."""
        job: _Job[object] = _Job(work)
        self._jobs.put(job)
        if not job.done.wait(deadline_seconds):
            return Stopped(Code.CARD_SLOW)
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[return-value]  # what `work` returned

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.run()
        self._reader.close()

    def _wait(self, seconds: float) -> Stopped | None:
        deadline = time.monotonic() + seconds
        trouble = Code.CARD_NOT_LAID
        while True:
            remaining = deadline - time.monotonic()
            event = self._reader.wait(max(0.0, remaining))
            if isinstance(event, CardArrived):
                return None
            if isinstance(event, ReaderChanged):
                trouble = READER_TROUBLE.get(event.state, Code.CARD_NOT_LAID)
                if event.state in _HOPELESS:
                    return Stopped(trouble)
                if trouble is not Code.CARD_NOT_LAID:
                    self._tell_trouble(trouble)
            elif event is None and remaining <= 0:
                return Stopped(trouble)
