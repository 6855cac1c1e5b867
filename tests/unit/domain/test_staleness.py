"""Rows that are old: never green past a day, never handed over past the budget (bar R13)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

import pytest

from mykey_tui.domain.staleness import REFUSE_SECONDS_MAX, Age, Level, Policy, judge
from mykey_tui.store.freshness import (
    AGE_NOTED_EVERY_SECONDS,
    WRITTEN_AT,
    Ageing,
    BootTime,
    age_now,
    is_clock_doubtful,
)

HOUR, DAY, YEAR = 3600.0, 86400.0, 365 * 86400.0
POLICY = Policy(green_seconds=DAY, refuse_seconds=3 * DAY, lookups_max=2000)
HISTORIES = 10_000


@pytest.mark.parametrize(
    ("age", "level"),
    [
        (Age(0, 0, clock_doubt=False), Level.FRESH),
        (Age(DAY, 2000, clock_doubt=False), Level.FRESH),
        (Age(DAY + 1, 0, clock_doubt=False), Level.AMBER),
        (Age(3 * DAY, 0, clock_doubt=False), Level.AMBER),
        (Age(3 * DAY + 1, 0, clock_doubt=False), Level.REFUSE),
        (Age(0, 2001, clock_doubt=False), Level.REFUSE),
        (Age(0, 0, clock_doubt=True), Level.AMBER),
        (Age(4 * DAY, 0, clock_doubt=True), Level.REFUSE),
        (Age(None, 0, clock_doubt=False), Level.REFUSE),
    ],
)
def test_the_level_of_an_age(age: Age, level: Level) -> None:
    assert judge(age, POLICY) is level


def test_no_policy_hands_over_after_seven_days() -> None:
    endless = Policy(green_seconds=YEAR, refuse_seconds=YEAR, lookups_max=10**9)
    assert judge(Age(REFUSE_SECONDS_MAX, 0, clock_doubt=False), endless) is Level.FRESH
    assert judge(Age(REFUSE_SECONDS_MAX + 1, 0, clock_doubt=False), endless) is Level.REFUSE


@dataclass
class Box:
    """A counter's clocks as they pass in truth: the wall clock is set by anybody, the other is not."""

    wall: float = WRITTEN_AT + DAY
    boot: int = 0
    since_boot: float = 1000.0
    true_age: float = 0.0
    lookups: int = 0
    floor: float = 0.0
    synced_at: float = 0.0
    noted: Ageing = field(default_factory=lambda: Ageing(0.0, BootTime("0", 0.0)))

    def now(self) -> BootTime:
        return BootTime(str(self.boot), self.since_boot)

    def pass_seconds(self, seconds: float) -> None:
        self.wall += seconds
        self.since_boot += seconds
        self.true_age += seconds

    def sync(self) -> None:
        """A complete pull: by then the server's time has mended the wall clock."""
        self.wall = max(self.wall, WRITTEN_AT + DAY) if self.wall < WRITTEN_AT else self.wall
        self.true_age, self.lookups = 0.0, 0
        self.floor = self.synced_at = self.wall
        self.noted = Ageing(0.0, self.now())

    def reboot(self, rng: Random) -> None:
        """Up to five minutes since anybody looked, then a new boot."""
        self.look()
        self.pass_seconds(rng.uniform(0, AGE_NOTED_EVERY_SECONDS))
        self.boot += 1
        self.since_boot = rng.uniform(5, 60)

    def switch_off(self, seconds: float) -> None:
        """Without power; the wall clock's battery goes on, and was not touched."""
        self.look()
        self.wall += seconds
        self.true_age += seconds
        self.boot += 1
        self.since_boot = 10.0

    def look(self) -> Age:
        since_sync = self.wall - self.synced_at
        age, to_note = age_now(self.noted, wall_since_sync=since_sync, now=self.now())
        self.noted = to_note or self.noted
        doubt = is_clock_doubtful(self.wall, self.floor)
        return Age(age, self.lookups, clock_doubt=doubt)


def live(box: Box, rng: Random) -> str:
    """Let one thing happen; returns what, for the report of a failure."""
    kind = rng.choice(["pass", "pass", "pass", "jump", "reboot", "sync", "look-ups"])
    match kind:
        case "pass":
            box.pass_seconds(rng.choice([60, HOUR, 8 * HOUR, DAY]) * rng.random())
        case "jump":
            box.wall += rng.uniform(-50, 50) * YEAR
        case "reboot":
            box.reboot(rng)
        case "sync":
            box.sync()
        case _:
            box.lookups += rng.randrange(1500)
    return kind


def broken_promise(age: Age, box: Box, level: Level) -> bool:
    """Green past a day, or a hand-over past three days or past 2,000 look-ups."""
    handed_over = level is not Level.REFUSE
    return (
        (level is Level.FRESH and box.true_age > DAY)
        or (handed_over and box.true_age > 3 * DAY)
        or (handed_over and box.lookups > POLICY.lookups_max)
        or (level is Level.FRESH and age.clock_doubt)
    )


def first_broken(judged_age: Callable[[Age, Box], Age], *, histories: int, seed: int) -> str:
    """The first history in which a promise is broken; empty when none is."""
    for number in range(histories):
        rng = Random(f"{seed}/{number}")  # noqa: S311  # a test's histories
        box, happened = Box(), []
        box.sync()
        for _ in range(rng.randrange(3, 14)):
            happened.append(live(box, rng))
            age = box.look()
            if broken_promise(age, box, judge(judged_age(age, box), POLICY)):
                return f"seed {seed}, history {number}: {happened}, {age}, true {box.true_age}"
    return ""


def test_ten_thousand_histories_are_never_green_too_long_nor_handed_over_too_late() -> None:
    assert first_broken(lambda age, box: age, histories=HISTORIES, seed=13) == ""


def test_the_histories_find_a_counter_that_believes_its_wall_clock() -> None:
    def by_the_wall(age: Age, box: Box) -> Age:
        return replace(age, seconds=max(0.0, box.wall - box.synced_at), clock_doubt=False)

    assert first_broken(by_the_wall, histories=300, seed=13)


def test_the_histories_find_a_counter_that_counts_no_lookups() -> None:
    assert first_broken(lambda age, box: replace(age, lookups=0), histories=300, seed=13)


def test_a_box_without_power_ages_by_its_wall_clock() -> None:
    box = Box()
    box.sync()
    box.switch_off(4 * DAY)
    assert judge(box.look(), POLICY) is Level.REFUSE


def test_a_box_without_power_and_with_a_clock_put_back_is_never_green() -> None:
    box = Box()
    box.sync()
    box.switch_off(4 * DAY)
    box.wall = 0.0
    assert judge(box.look(), POLICY) is Level.AMBER, "no clock saw the four days; the count ends it"
    assert judge(replace(box.look(), lookups=2001), POLICY) is Level.REFUSE
