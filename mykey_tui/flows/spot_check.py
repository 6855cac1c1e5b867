"""One look-up in a hundred asks the server before it answers, where the line is up.

What is asked is a whole round, the same as any other: it names no person, and it is not said that a
look-up was its reason. Which look-up it is, nobody can foresee.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import SystemRandom
from typing import Protocol

from mykey_tui.domain.staleness import asks_first
from mykey_tui.flows.timings import Timings

CONFIRM_WAIT_SECONDS = 1.5
"""How long a person waits for the server's word at such a look-up; then the rows answer as they are."""


class Confirmer(Protocol):
    """Has the rows confirmed by the server."""

    def confirm(self) -> bool:
        """Whether a round that began now came to its end within `CONFIRM_WAIT_SECONDS`.

        False at once where the line is not up. Never raises for line or server.
        """
        ...


@dataclass(frozen=True, slots=True)
class SpotCheck:
    """The drawing of lots, and what follows from it."""

    line: Confirmer
    draw: Callable[[], float] = SystemRandom().random

    def made(self, timings: Timings) -> bool:
        """Whether the rows were confirmed just now; mostly False, because no lot was drawn."""
        if not asks_first(self.draw()):
            return False
        with timings.measure("online"):
            return self.line.confirm()
