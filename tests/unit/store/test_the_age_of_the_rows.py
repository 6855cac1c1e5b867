"""How old the revocation data is: from the counter's own last pull, never from a person's visit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from mykey_tui.domain.digest import EMPTY_DIGEST
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home
from mykey_tui.wire.messages import ScopeHead

HEAD = ScopeHead(0, EMPTY_DIGEST)


def test_before_the_first_pull_no_age_is_known(store: CounterStore) -> None:
    assert store.pull_age_seconds() is None


def test_the_age_grows_from_the_last_complete_pull(store: CounterStore, clock: Any) -> None:
    store.finish_pull(HEAD, epoch="e")
    clock.pass_seconds(3600)
    assert store.pull_age_seconds() == 3600


def test_the_age_outlives_a_restart(store: CounterStore, home: Home, clock: Any) -> None:
    store.finish_pull(HEAD, epoch="e")
    store.close()
    clock.pass_seconds(7200)
    clock.seconds = 5.0
    again = CounterStore.open(home, clock=clock)
    assert again.pull_age_seconds() == 7200
    again.close()


def test_a_clock_put_back_does_not_make_old_rows_fresh(store: CounterStore, clock: Any) -> None:
    store.finish_pull(HEAD, epoch="e")
    clock.pass_seconds(80 * 3600)
    clock.moment -= timedelta(hours=79)
    assert store.pull_age_seconds() == 80 * 3600


def test_a_clock_before_the_last_pull_says_nothing(
    store: CounterStore, home: Home, clock: Any
) -> None:
    store.finish_pull(HEAD, epoch="e")
    store.close()
    clock.moment -= timedelta(days=365)
    again = CounterStore.open(home, clock=clock)
    assert again.pull_age_seconds() is None
    again.close()


def test_the_servers_clock_offset_is_kept(store: CounterStore, home: Home) -> None:
    store.save_clock_offset(timedelta(seconds=-3723.5))
    store.close()
    again = CounterStore.open(home)
    assert again.progress().clock_offset == timedelta(seconds=-3723.5)
    again.close()


def test_a_clock_put_back_before_a_restart_does_not_make_old_rows_fresh(
    store: CounterStore, home: Home, clock: Any
) -> None:
    """No line for 80 hours, while the counter ran; then the box starts with a wrong clock."""
    store.finish_pull(HEAD, epoch="e")
    for _ in range(80 * 12):
        clock.pass_seconds(300)
        store.note_time()
    store.close()
    clock.moment -= timedelta(hours=79)
    clock.seconds = 5.0
    again = CounterStore.open(home, clock=clock)
    assert again.pull_age_seconds() is None
    clock.moment += timedelta(hours=79)
    assert again.pull_age_seconds() == 80 * 3600
    again.close()


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


def test_a_clock_that_ran_ahead_is_forgiven_with_the_next_pull(
    store: CounterStore, home: Home, clock: Any
) -> None:
    clock.moment += timedelta(days=365)
    store.note_time()
    clock.moment -= timedelta(days=365)
    store.finish_pull(HEAD, epoch="e")
    store.close()
    clock.pass_seconds(60)
    again = CounterStore.open(home, clock=clock)
    assert again.pull_age_seconds() == 60
    again.close()
