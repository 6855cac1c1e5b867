"""How old the rows are, from clocks that cannot be trusted (threat T14 in the design).

A box's wall clock may be wrong, be put back or jump; its boot-time clock cannot be set, and starts
anew with each boot; and a box without power ages by no clock at all, so look-ups are counted too.
The age is what the boot-time clock has certainly seen pass since the last complete pull, or what the
wall clock says where that is more. It never shrinks without a pull, whatever the clocks do.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from mykey_tui.wire.messages import Staleness

AGE_NOTED_EVERY_SECONDS = 300
"""How often the age is written down: rarely, for the disk's sake."""

WALL_AHEAD_SECONDS = 60
"""A wall clock that is ahead of the boot-time clock by less than this is not looked at: two clocks
that run a little apart must not cost a write each time."""

CLOCK_DOUBT_SECONDS = 300
"""A time that has come already and lies further ahead than this: the clock was put back."""

WRITTEN_AT = 1_795_305_600
"""2026-11-22: no clock that stands before this program is right."""

STALENESS_DEFAULT = Staleness(green_s=24 * 3600, refuse_s=72 * 3600, lookups_max=2000)
REFUSE_SECONDS_MAX = 7 * 24 * 3600
"""Hard ceiling, whatever a provider chooses."""


@dataclass(frozen=True, slots=True)
class BootTime:
    """The boot-time clock: seconds since the boot of this name, sleep included."""

    boot: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Ageing:
    """The age as it was when it was last noted, and the boot-time clock then."""

    age: float
    at: BootTime


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """How far a load of all rows is. The rows that were here before serve meanwhile."""

    rows: int
    """Received so far."""
    fraction: float
    """0 to 1, of the buckets; a load by the log alone stays at 0 until it is complete."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """What the status line and the policy of staleness need."""

    age_seconds: float | None
    """Since the last complete pull; None before the first one. Never shrinks without a pull."""
    lookups: int
    """Since the last complete pull."""
    clock_doubt: bool
    """The box's clock stands before a time that has come already."""
    staleness: Staleness
    """What the provider chose, as the server last told; within the hard ceilings."""
    loading: LoadProgress | None
    """Rows are being loaded anew. With `age_seconds` None there are none to answer from yet."""
    rows: int
    """Rows that serve now."""


def age_now(noted: Ageing, *, wall_since_sync: float, now: BootTime) -> tuple[float, Ageing | None]:
    """The age, and what is to be noted now; None when what was noted still serves.

    `wall_since_sync` is what the wall clock says of the last pull; it may be anything.
    After another boot the time between the last note and the end of the old boot is not known. It
    was at most `AGE_NOTED_EVERY_SECONDS`, if somebody looked, and all of that is added.
    """
    same_boot = noted.at.boot == now.boot
    if same_boot:
        passed = max(0.0, now.seconds - noted.at.seconds)
    else:
        passed = AGE_NOTED_EVERY_SECONDS + max(0.0, now.seconds)
    age = noted.age + passed
    if wall_since_sync > age + WALL_AHEAD_SECONDS:
        return wall_since_sync, Ageing(wall_since_sync, now)
    if not same_boot or passed >= AGE_NOTED_EVERY_SECONDS:
        return age, Ageing(age, now)
    return age, None


def is_clock_doubtful(wall: float, floor: float) -> bool:
    """Whether the wall clock stands before a time that has certainly come."""
    return wall < max(floor, WRITTEN_AT) - CLOCK_DOUBT_SECONDS


def within_ceilings(staleness: Staleness) -> Staleness:
    """A provider's choice, held within the hard ceiling and made consistent."""
    refuse = min(max(staleness.refuse_s, 0), REFUSE_SECONDS_MAX)
    green = min(max(staleness.green_s, 0), refuse)
    return Staleness(green_s=green, refuse_s=refuse, lookups_max=max(staleness.lookups_max, 1))


def system_boot_time() -> BootTime:
    """The kernel's boot-time clock (Linux). Where it has none, the process's own clock serves."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return BootTime(boot, time.clock_gettime(time.CLOCK_BOOTTIME))
    except (OSError, ValueError, AttributeError):
        return BootTime("", time.monotonic())
