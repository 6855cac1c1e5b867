"""Two ways to bring a fresh mutation to the server while the person waits a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from mykey_tui.domain.errors import LineError, ServerError, StoreError
from mykey_tui.flows.counter import Line
from mykey_tui.flows.link import VERDICT_WAIT_SECONDS
from mykey_tui.flows.outcomes import LineState
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.tables import MutationState

_LOOK_SECONDS = 0.05
_MAY_ANSWER = frozenset({LineState.UP, LineState.UNKNOWN})


@dataclass(frozen=True, slots=True)
class BackgroundCourier:
    """Wakes the background sync of the running counter, and watches for the verdict."""

    store: CounterStore
    line: Line

    def deliver(self, mid: int) -> None:
        """See `flows.link.Courier`."""
        self.line.nudge()
        deadline = time.monotonic() + VERDICT_WAIT_SECONDS
        while self._is_open(mid) and time.monotonic() < deadline:
            if self.line.line()[0] not in _MAY_ANSWER:
                return
            time.sleep(_LOOK_SECONDS)

    def _is_open(self, mid: int) -> bool:
        mutation = self.store.open_mutation(mid)
        return mutation is not None and mutation.state is MutationState.WAITING


@dataclass(frozen=True, slots=True)
class RoundCourier:
    """Runs one round at once: for a command, which has no background.

    `one_round` bounds its own time to about `VERDICT_WAIT_SECONDS`.
    """

    one_round: Callable[[], object]

    def deliver(self, mid: int) -> None:
        """See `flows.link.Courier`. The mutation is safe on disk, whatever the round meets."""
        with suppress(LineError, ServerError, StoreError):
            self.one_round()
