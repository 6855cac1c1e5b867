"""Long polls: who waits until a scope moves.

A change that this process made wakes its waiters at once. For changes of other processes and hosts
each scope is looked at about once a second, for all of its waiters together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

WAITERS_MAX = 2000
"""Above it a long poll is answered at once, as if it had not asked to wait."""
LOOK_SECONDS = 1.0


class Waiters:
    """Of one process and one event loop; every method is called in that loop."""

    def __init__(self) -> None:
        self._count = 0
        self._moved: dict[str, asyncio.Event] = {}
        self._seen: dict[str, tuple[float, object]] = {}
        """Of each scope with waiters: when it was looked at, and what was seen."""

    def tell(self, scope: str) -> None:
        """Wake whoever waits for this scope."""
        self._seen.pop(scope, None)
        moved = self._moved.pop(scope, None)
        if moved is not None:
            moved.set()

    async def until_moved(
        self, scope: str, look: Callable[[], object], *, known: object, seconds: float
    ) -> None:
        """Return when `look` says something else than `known`, or after `seconds`."""
        if self._count >= WAITERS_MAX:
            return
        self._count += 1
        clock = asyncio.get_running_loop().time
        end = clock() + seconds
        try:
            while self._look(scope, look, clock()) == known and clock() < end:
                await self._pause(scope, min(LOOK_SECONDS, end - clock()))
        finally:
            self._count -= 1
            if self._count == 0:
                self._moved.clear()
                self._seen.clear()

    def _look(self, scope: str, look: Callable[[], object], now: float) -> object:
        seen = self._seen.get(scope)
        if seen is None or now - seen[0] >= LOOK_SECONDS:
            seen = self._seen[scope] = (now, look())
        return seen[1]

    async def _pause(self, scope: str, seconds: float) -> None:
        moved = self._moved.setdefault(scope, asyncio.Event())
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await moved.wait()
        except TimeoutError:
            return
