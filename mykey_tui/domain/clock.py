"""Time is an argument. The counter's box may have a wrong clock; the server's offset mends it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Protocol

JAPAN = timezone(timedelta(hours=9))
"""A certificate ends at 23:59:59 in Japan; in UTC the day would be right by luck only."""


def japanese_date(moment: datetime) -> str:
    """The calendar day in Japan, yyyy-mm-dd."""
    return moment.astimezone(JAPAN).date().isoformat()


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """The current time, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow, for measuring how long something took."""
        ...


class SystemClock:
    """The box's clock, corrected by the server's offset once that is known."""

    def __init__(self, offset: timedelta = timedelta()) -> None:
        self.offset = offset

    def now(self) -> datetime:
        """The current time, aware, UTC, with the server's offset applied."""
        return datetime.now(UTC) + self.offset

    def monotonic(self) -> float:
        """Seconds since some moment; unaffected by changes of the box's clock."""
        return time.monotonic()
