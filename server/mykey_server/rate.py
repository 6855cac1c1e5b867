"""Slows down whoever guesses enrolment codes, by address. In memory: a restart forgives."""

from __future__ import annotations

from collections import OrderedDict

from mykey_server.problem import ProblemError
from mykey_tui.wire.problems import ProblemType

REFUSED_MAX = 20
"""Refusals per window: a set-up person who mistypes stays far below."""
WINDOW_SECONDS = 60.0
ADDRESSES_MAX = 1024
"""Remembered at a time; the oldest is forgotten first. Each code also counts its own wrong tries,
so forgetting an address opens nothing."""


class RefusedTries:
    """Refused tries per address within one window."""

    def __init__(self) -> None:
        self._tries: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def check(self, address: str, now: float) -> None:
        """Raises `ProblemError` (`TOO_MANY_TRIES`) for an address that used its window up."""
        since, count = self._tries.get(address, (now, 0))
        if count >= REFUSED_MAX and now - since < WINDOW_SECONDS:
            raise ProblemError(ProblemType.TOO_MANY_TRIES)

    def count(self, address: str, now: float) -> None:
        """Remember one refusal."""
        since, count = self._tries.pop(address, (now, 0))
        if now - since >= WINDOW_SECONDS:
            since, count = now, 0
        self._tries[address] = (since, count + 1)
        while len(self._tries) > ADDRESSES_MAX:
            self._tries.popitem(last=False)
