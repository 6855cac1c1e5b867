"""How old the rows may be before a card's answer is doubted, and before it is refused.

A suspension reaches a counter with the rows. The older they are, the likelier somebody's stop has
not arrived here yet, so a clerk is asked from some age on, and beyond a limit nothing is handed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique

REFUSE_SECONDS_MAX = 7 * 24 * 3600
"""Hard ceiling, whatever a provider or a server says."""

PROVISIONAL_MAX = 20
"""So many people whom only this counter knows are served from rows that are not fresh. The server may
have stopped any of them, and no row could tell this counter of it."""

ONLINE_SHARE = 0.01
"""The share of look-ups before which the server is asked, where the line is up. A line that answers
and brings nothing new would otherwise be believed until the rows grow old."""


@unique
class Level(Enum):
    """What the age of the rows allows. The values are those of `mykey status`."""

    FRESH = "green"
    AMBER = "amber"
    """A clerk confirms each card before anything is handed over."""
    REFUSE = "refuse"
    """Nothing is handed over."""


@dataclass(frozen=True, slots=True)
class Age:
    """What is known of the rows' age."""

    seconds: float | None
    """Since the last complete pull; None before the first one."""
    lookups: int
    """Since then: a box without power ages by no clock at all."""
    clock_doubt: bool
    """The box's clock stands before a time that has come already."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The provider's choice, in seconds and look-ups."""

    green_seconds: float
    refuse_seconds: float
    lookups_max: int


def judge(age: Age, policy: Policy) -> Level:
    """The level of rows of this age. Limits belong to the milder level; no policy passes 7 days.

    Rows that never came are refused, and so is every look-up beyond `lookups_max`. A clock that is
    in doubt never makes anything fresh: the true age may be more than what could be seen.
    """
    refuse = min(policy.refuse_seconds, REFUSE_SECONDS_MAX)
    if age.seconds is None or age.seconds > refuse or age.lookups > policy.lookups_max:
        return Level.REFUSE
    if age.seconds > policy.green_seconds or age.clock_doubt:
        return Level.AMBER
    return Level.FRESH


def may_serve_provisional(level: Level, place: int) -> bool:
    """Whether a link that the server has not seen may be used. `place`: from 1, the oldest; else 0.

    From fresh rows any of them, else the `PROVISIONAL_MAX` oldest ones.
    """
    return level is Level.FRESH or place <= PROVISIONAL_MAX


def asks_first(draw: float) -> bool:
    """Whether a look-up asks the server before it answers. `draw` is random, from 0 to below 1."""
    return draw < ONLINE_SHARE
