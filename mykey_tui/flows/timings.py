"""How long the parts of one visit took: for the person's patience, kept nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mykey_tui.domain.clock import Clock


class Timings:
    """Collects milliseconds per part; a part that ran twice adds up."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._milliseconds: dict[str, float] = {}

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        """Add the time of the block to `part`, also when the block raises."""
        begun = self._clock.monotonic()
        try:
            yield
        finally:
            spent = (self._clock.monotonic() - begun) * 1000
            self._milliseconds[part] = self._milliseconds.get(part, 0.0) + spent

    def milliseconds(self) -> Mapping[str, float]:
        """The parts so far, rounded to microseconds."""
        return {part: round(spent, 3) for part, spent in self._milliseconds.items()}
