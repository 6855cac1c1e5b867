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
