"""Two ways to reach the server while the person waits a moment: for a fresh mutation, for the rows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import LineError, ServerError, StoreError
from mykey_tui.flows.link import VERDICT_WAIT_SECONDS
from mykey_tui.flows.outcomes import LineState
from mykey_tui.flows.spot_check import CONFIRM_WAIT_SECONDS
from mykey_tui.sync.background import BackgroundSync

_MAY_ANSWER = frozenset({LineState.UP, LineState.UNKNOWN})


@dataclass(frozen=True, slots=True)
class BackgroundLine:
    """The running counter's line to the server: see `flows.counter.Line` and `flows.link.Courier`."""

    background: BackgroundSync

    def line(self) -> tuple[LineState, float | None]:
        """The line as last seen, and for how many seconds it has been so."""
        view = self.background.view
        busy = view.code is Code.SERVER_BUSY
        state = LineState.BUSY if busy else LineState(view.line.value)
        return state, max(0.0, time.monotonic() - view.since)

    def code(self) -> Code | None:
        """Why the last round did not come to its end; None where it did."""
        return self.background.view.code

    def nudge(self) -> None:
        """Ask for a round at once; returns at once."""
        self.background.nudge()

    def deliver(self, mid: int) -> None:
        """Wait for a round that began after the mutation was stored, where the line may answer."""
        if self.line()[0] in _MAY_ANSWER:
            self.background.round_soon(VERDICT_WAIT_SECONDS)
        else:
            self.background.nudge()

    def confirm(self) -> bool:
        """See `flows.spot_check.Confirmer`: the background's round, on a line that is up."""
        if self.line()[0] is not LineState.UP:
            return False
        ended = self.background.round_soon(CONFIRM_WAIT_SECONDS)
        return ended and self.line()[0] is LineState.UP and self.code() is None


@dataclass(frozen=True, slots=True)
class RoundCourier:
    """Runs one round at once: for a command, which has no background."""

    one_round: Callable[[], object]

    def deliver(self, mid: int) -> None:
        """Give up waiting in time; what the round does after that stands in the store."""
        self._comes_within(VERDICT_WAIT_SECONDS)

    def confirm(self) -> bool:
        """See `flows.spot_check.Confirmer`; nobody knows of the line here, so it is tried."""
        return self._comes_within(CONFIRM_WAIT_SECONDS)

    def _comes_within(self, seconds: float) -> bool:
        """Whether a round that begins now comes to its end."""
        came = threading.Event()

        def work() -> None:
            # A mutation is safe on disk, whatever the round meets.
            with suppress(LineError, ServerError, StoreError):
                self.one_round()
                came.set()

        # A daemon: a server that hangs must not hold the command. A round may be cut off anywhere.
        thread = threading.Thread(target=work, name="round", daemon=True)
        thread.start()
        thread.join(seconds)
        return came.is_set()
