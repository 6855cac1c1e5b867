"""How old the rows are: from the counter's own last pull, never from a person's visit."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from mykey_tui.domain.digest import EMPTY_DIGEST
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.freshness import (
    AGE_NOTED_EVERY_SECONDS,
    STALENESS_DEFAULT,
    WALL_AHEAD_SECONDS,
    Ageing,
    BootTime,
    age_now,
)
from mykey_tui.wire.messages import ScopeHead, Staleness

HEAD = ScopeHead(0, EMPTY_DIGEST)
HOUR = 3600
FIFTY_YEARS = 50 * 365 * 24 * HOUR


def again(store: CounterStore, clock: Any) -> CounterStore:
    """The same store after the process ended."""
    store.close()
    return CounterStore.open(store.home, clock=clock, boot_time=clock.boot_time)


def test_before_the_first_pull_no_age_is_known(store: CounterStore) -> None:
    assert store.freshness().age_seconds is None
    assert store.pull_age_seconds() is None


def test_the_age_grows_from_the_last_complete_pull(store: CounterStore, clock: Any) -> None:
    store.finish_pull(HEAD, epoch="e")
    clock.pass_seconds(HOUR)
    assert store.pull_age_seconds() == HOUR
    store.finish_pull(HEAD, epoch="e")
    assert store.pull_age_seconds() == 0


def test_the_age_outlives_a_restart_of_the_program(store: CounterStore, clock: Any) -> None:
    store.finish_pull(HEAD, epoch="e")
    clock.pass_seconds(2 * HOUR)
    store = again(store, clock)
    assert store.pull_age_seconds() == 2 * HOUR
    store.close()


def test_the_age_outlives_a_night_without_power(store: CounterStore, clock: Any) -> None:
    store.finish_pull(HEAD, epoch="e")
    clock.moment += timedelta(hours=14)
    clock.reboot()
    store = again(store, clock)
    assert store.pull_age_seconds() == 14 * HOUR
    store.close()


def test_a_clock_put_back_does_not_make_old_rows_fresh(store: CounterStore, clock: Any) -> None:
    store.finish_pull(HEAD, epoch="e")
    clock.pass_seconds(80 * HOUR)
    assert not store.freshness().clock_doubt
    clock.moment -= timedelta(hours=81)
    fresh = store.freshness()
    assert fresh.age_seconds == 80 * HOUR
    assert fresh.clock_doubt


def test_a_clock_put_back_before_a_reboot_does_not_make_old_rows_fresh(
    store: CounterStore, clock: Any
) -> None:
    """No line for 80 hours, while the counter ran; then the box starts with a wrong clock."""
    store.finish_pull(HEAD, epoch="e")
    for _ in range(80 * 12):
        clock.pass_seconds(300)
        store.note_time()
        store.freshness()
    clock.moment -= timedelta(hours=79)
    clock.reboot()
    store = again(store, clock)
    fresh = store.freshness()
    assert fresh.age_seconds is not None
    assert 80 * HOUR <= fresh.age_seconds <= 80 * HOUR + AGE_NOTED_EVERY_SECONDS
    assert fresh.clock_doubt
    store.close()


def test_a_clock_that_ran_ahead_is_forgiven_with_the_next_pull(
    store: CounterStore, clock: Any
) -> None:
    store.finish_pull(HEAD, epoch="e")
    clock.moment += timedelta(days=365)
    assert store.pull_age_seconds() == 365 * 24 * HOUR
    store.note_time()
    clock.moment -= timedelta(days=365)
    assert store.pull_age_seconds() == 365 * 24 * HOUR
    store.finish_pull(HEAD, epoch="e")
    clock.pass_seconds(60)
    fresh = store.freshness()
    assert fresh.age_seconds == 60
    assert not fresh.clock_doubt


def test_a_box_that_starts_in_1970_is_in_doubt_before_it_ever_synced(
    store: CounterStore, clock: Any
) -> None:
    clock.moment -= timedelta(days=365 * 56)
    assert store.freshness().clock_doubt


def test_an_age_that_cannot_be_written_still_never_shrinks(
    store: CounterStore, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.finish_pull(HEAD, epoch="e")
    clock.moment += timedelta(days=9)
    monkeypatch.setattr(store, "_note_age", lambda *_: False)  # a disk that takes nothing
    assert store.pull_age_seconds() == 9 * 24 * HOUR
    clock.moment -= timedelta(days=9)
    clock.pass_seconds(1)
    assert store.pull_age_seconds() == 9 * 24 * HOUR + 1


def test_time_that_came_is_noted_rarely_and_never_taken_back(
    store: CounterStore, clock: Any
) -> None:
    store.note_time()
    first = store.progress().time_floor
    assert first is not None
    clock.pass_seconds(299)
    store.note_time()
    assert store.progress().time_floor == first
    clock.pass_seconds(1)
    store.note_time()
    assert store.progress().time_floor == first + 300
    clock.moment -= timedelta(days=1)
    store.note_time()
    assert store.progress().time_floor == first + 300


def test_the_servers_clock_offset_is_kept(store: CounterStore, clock: Any) -> None:
    store.save_clock_offset(timedelta(seconds=-3723.5))
    store = again(store, clock)
    assert store.progress().clock_offset == timedelta(seconds=-3723.5)
    store.close()


def test_lookups_are_counted_since_the_last_pull_and_outlive_the_program(
    store: CounterStore, clock: Any
) -> None:
    store.finish_pull(HEAD, epoch="e")
    for _ in range(47):
        store.count_lookup()
    assert store.freshness().lookups == 47
    beside = CounterStore.open(store.home, clock=clock, boot_time=clock.boot_time)
    assert beside.freshness().lookups == 40  # at most 19 of a process that died are not known
    beside.close()
    store = again(store, clock)
    assert store.freshness().lookups == 47
    store.count_lookup()
    clock.pass_seconds(1)
    store.finish_pull(HEAD, epoch="e")
    assert store.freshness().lookups == 0
    store.close()


def test_the_providers_policy_is_kept_within_the_hard_ceiling(
    store: CounterStore, clock: Any
) -> None:
    assert store.freshness().staleness == STALENESS_DEFAULT
    store.note_staleness(Staleness(green_s=99 * 24 * HOUR, refuse_s=99 * 24 * HOUR, lookups_max=0))
    store = again(store, clock)
    week = 7 * 24 * HOUR
    assert store.freshness().staleness == Staleness(green_s=week, refuse_s=week, lookups_max=1)
    store.close()


def test_the_age_never_shrinks_under_ten_thousand_random_clocks() -> None:
    """Jumps of up to fifty years, reboots, restarts; looked at whenever, noted as the store does."""
    seed = 20261122
    random = Random(seed)  # noqa: S311  # replays from its seed
    for history in range(1000):
        boots, uptime, real, wall = 0, random.uniform(0, 1e6), 0.0, 0.0
        noted = Ageing(0.0, BootTime("0", uptime))
        shown = 0.0
        for step in range(10):
            act = random.choice(("pass", "jump", "reboot", "back"))
            passed = random.expovariate(1 / 4000)
            uptime, real, wall = uptime + passed, real + passed, wall + passed
            if act == "jump":
                wall += random.uniform(-FIFTY_YEARS, FIFTY_YEARS)
            elif act == "back":
                wall = -random.uniform(0, FIFTY_YEARS)
            elif act == "reboot":
                boots, uptime = boots + 1, random.uniform(0, 60)
            now = BootTime(str(boots), uptime)
            age, to_note = age_now(noted, wall_since_sync=wall, now=now)
            where = f"seed {seed}, history {history}, step {step}, {act}"
            assert age >= shown, where
            assert age >= wall - WALL_AHEAD_SECONDS, where
            if boots == 0:
                assert age >= real - 0.001, where
            noted, shown = to_note or noted, age


def test_a_wall_clock_alone_would_shrink() -> None:
    """The teeth: what the boot-time clock and the note are for."""
    noted = Ageing(0.0, BootTime("a", 0.0))
    older, to_note = age_now(noted, wall_since_sync=1e6, now=BootTime("a", 10.0))
    assert to_note is not None
    forgotten, _ = age_now(noted, wall_since_sync=-5.0, now=BootTime("a", 20.0))
    kept, _ = age_now(to_note, wall_since_sync=-5.0, now=BootTime("a", 20.0))
    assert forgotten < older < kept
