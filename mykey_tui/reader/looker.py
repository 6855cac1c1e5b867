"""The thread that blocks in PC/SC until something happens, and goes on whatever the service does.

It never touches the desk: what it sees goes to a `Board`. A look may hang inside the library; then
the thread is given up by whoever watches its beat, and its late words count for nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from mykey_tui.reader.slots import CHANGED, UNAWARE
from mykey_tui.reader.winscard import (
    NO_READERS,
    NOTHING_NEW,
    OK,
    PLUG_AND_PLAY,
    READER_GONE,
    WinScard,
)
from mykey_tui.reader.worker import LateError, Worker

LOOK_SECONDS = 8.0
"""Longest blocking look, and so the pace of the heartbeat; shorter costs processor time. The list of readers is fetched again
after each, for hosts whose service does not report new readers."""
BACK_OFF_SECONDS = 1.0
"""Between two attempts while the service is away."""
RENEW_SECONDS = 60.0
"""No context is trusted for longer: one that died without a word shows nothing new for ever."""
SPURIOUS_PAUSE_SECONDS = 0.02
"""After a look that returned at once with nothing new, so that no service can make us spin."""
CANCEL_SECONDS = 0.5
READERS_MAX = 16
"""As many as pcsc-lite has contexts for."""

_log = logging.getLogger(__name__)


class Board(Protocol):
    """Where a looker says what it sees. Each answers False to a looker that was given up."""

    def readers_are(self, looker: Looker, names: Sequence[str]) -> Sequence[tuple[str, int]]:
        """The readers that exist now; gives what to compare with at the next look."""
        ...

    def states_are(self, looker: Looker, states: Sequence[tuple[str, int, bytes]]) -> bool:
        """What lies on them; whether that was news."""
        ...

    def service_is_gone(self, looker: Looker, number: int) -> None:
        """There is no service, or it does not let us in."""
        ...

    def context_died(self, looker: Looker) -> None:
        """A context that had worked is dead; whether the service is, is being tried out."""
        ...


class Looker:
    """One thread and its context.

    Args:
        service: the PC/SC calls.
        wanted: only readers whose name contains this, case-folded.
        board: told what is seen.
    """

    def __init__(self, service: WinScard, wanted: str, board: Board) -> None:
        self._service = service
        self._wanted = wanted
        self._board = board
        self._over = threading.Event()
        self._doubted = threading.Event()
        self._context: int | None = None
        self._worked = False
        self._plug_state = UNAWARE
        self._made_at = 0.0
        """When the context was made."""
        self.beat_at = time.monotonic()
        self.has_answer = False
        """Whether the service ever answered, whatever it said."""
        self._thread = threading.Thread(target=self._run, name="card-watch", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs; it may hang all the same."""
        return self._thread.is_alive()

    def doubt(self) -> None:
        """Somebody found the service dead: make the context anew now. From any thread."""
        self._doubted.set()
        self._cancel()

    def end(self, seconds: float) -> None:
        """End the thread, waiting at most so long; a look that hangs ends it when it returns."""
        self._over.set()
        deadline = time.monotonic() + seconds
        while self.is_alive and (remaining := deadline - time.monotonic()) > 0:
            self._cancel()  # Again, for one that came just before the look began.
            self._thread.join(min(remaining, 2 * SPURIOUS_PAUSE_SECONDS))

    def give_up(self) -> None:
        """Nobody waits for this thread any more."""
        self._over.set()

    def _cancel(self) -> None:
        """End a look that blocks. On a thread of its own, for this may hang as well as any call."""
        context = self._context
        if context is None:
            return
        worker = Worker("card-cancel", _nothing, _nothing)
        with suppress(LateError):
            worker.do(lambda: self._service.cancel(context), CANCEL_SECONDS)
        worker.end(0)

    # The thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._go_on()
        except Exception as error:  # noqa: BLE001  # a traceback would be painted over the screen
            _log.error("The card watch met a bug: %s", type(error).__name__)

    def _go_on(self) -> None:
        try:
            while not self._over.is_set():
                self.beat_at = time.monotonic()
                self._turn()
        finally:
            self._release()

    def _turn(self) -> None:
        if self._doubted.is_set() and self._context is not None:
            self._died()
        elif self._context is not None and time.monotonic() - self._made_at >= RENEW_SECONDS:
            self._release()
        self._doubted.clear()
        number = self._establish() if self._context is None else OK
        if number == OK:
            number = self._look()
        if number == OK or self._over.is_set():
            return
        if self._worked:
            self._died()  # And try again at once: often only the context is dead.
            if time.monotonic() - self._made_at < BACK_OFF_SECONDS:
                self._over.wait(BACK_OFF_SECONDS)  # But not for ever in a circle.
        else:
            self._release()
            self._board.service_is_gone(self, number)
            self._over.wait(BACK_OFF_SECONDS)

    def _look(self) -> int:
        """Take in what is new, blocking for at most `LOOK_SECONDS`; the error number, or success."""
        context = self._context
        if context is None:
            return OK
        number, names = self._service.readers(context)
        if number not in (OK, NO_READERS):
            return number
        wanted = [name for name in names if self._wanted in name.casefold()]
        known = self._board.readers_are(self, wanted[:READERS_MAX])
        begun = time.monotonic()
        number, states = self._service.changes(
            context, int(LOOK_SECONDS * 1000), [*known, (PLUG_AND_PLAY, self._plug_state)]
        )
        if number not in (OK, *NOTHING_NEW, *READER_GONE):
            return number
        self._worked = True
        news = self._board.states_are(self, self._split(states) if number == OK else [])
        if not news and time.monotonic() - begun < SPURIOUS_PAUSE_SECONDS:
            self._over.wait(SPURIOUS_PAUSE_SECONDS)
        return OK

    def _split(self, states: Sequence[tuple[str, int, bytes]]) -> Sequence[tuple[str, int, bytes]]:
        """Keep the pseudo-reader's state; give the others."""
        for name, state, _ in states:
            if name == PLUG_AND_PLAY:
                self._plug_state = state & ~CHANGED
        return [status for status in states if status[0] != PLUG_AND_PLAY]

    def _establish(self) -> int:
        number, context = self._service.establish()
        self.has_answer = True
        if number == OK:
            self._context = context
            self._plug_state = UNAWARE
            self._made_at = time.monotonic()
        return number

    def _died(self) -> None:
        """The context is dead for ever, whatever SCardIsValidContext says."""
        self._release()
        self._worked = False
        self._board.context_died(self)

    def _release(self) -> None:
        context, self._context = self._context, None
        if context is not None:
            self._service.release(context)


def _nothing() -> None:
    """A thread that holds nothing has nothing to let go of."""
