"""Bounds what one address may guess and one counter may ask. In memory: a restart forgives.

Each process counts for itself: several of them let through as many times more, and that is bounded
too. A table that all of them write at every request would cost more than the flood.
"""

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

BURST = 2000
"""Requests that a counter may make at once: a week's queue in full batches, and a first load."""
REFILL_A_SECOND = 100.0
"""A counter at work makes one in half a minute, mostly a poll."""
COUNTERS_MAX = 4096
"""Remembered at a time; who has asked nothing for longest is forgotten, with a full bucket."""


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


class DeviceBuckets:
    """A token bucket for each counter (threat T22). Asked once the signature is verified.

    Before that nobody knows who is speaking, and anybody could empty another counter's bucket.
    """

    def __init__(self, *, burst: float = BURST, refill_a_second: float = REFILL_A_SECOND) -> None:
        self._burst = burst
        self._refill = refill_a_second
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, device_id: str, now: float) -> None:
        """Count one request. Raises `ProblemError` (`SLOW_DOWN`) for one too many.

        `now` is monotonic. What was refused is not counted: who waits a second gets on.
        """
        left, since = self._left.pop(device_id, (self._burst, now))
        left = min(self._burst, left + max(0.0, now - since) * self._refill)
        allowed = left >= 1.0
        self._left[device_id] = (left - 1.0 if allowed else left, now)
        if len(self._left) > COUNTERS_MAX:
            self._left.popitem(last=False)
        if not allowed:
            raise ProblemError(ProblemType.SLOW_DOWN)
