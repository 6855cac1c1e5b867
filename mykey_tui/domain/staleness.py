"""How old the rows may be before a card's answer is doubted, and before it is refused.

A suspension reaches a counter with the rows. The older they are, the likelier somebody's stop has
not arrived here yet, so a clerk is asked from some age on, and beyond a limit nothing is handed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique

REFUSE_SECONDS_MAX = 7 * 24 * 3600
"""Hard ceiling, whatever a provider or a server says."""


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
