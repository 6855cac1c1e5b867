"""A counter that dies before or after any commit goes on where it was: nothing lost, nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, event

from mykey_tui.store.counter_store import CounterStore

PROCESSES_MAX = 60


class Killed(BaseException):
    """Not an Exception: nothing in the program may catch it."""


def kill_at(counter: Any, number: int, *, after: bool) -> None:
    """Let the process die at its commit of this number, before it or right after it."""
    engine = counter.store._engine
    commits = 0

    def count(connection: Connection) -> None:
        nonlocal commits
        commits += 1
        if commits != number:
            return
        if after:
            connection.connection.driver_connection.commit()  # type: ignore[union-attr]
        raise Killed

    event.listen(engine, "commit", count)


def live_and_die(site: Any, counter: Any, act: Callable[[Any], object], *, after: bool) -> Any:
    """Do it in one process after the other; the n-th dies at its n-th commit. Returns the last one."""
    for number in range(1, PROCESSES_MAX):
        kill_at(counter, number, after=after)
        try:
            act(counter)
        except Killed:
            counter.store.close()
            counter = site.counter(CounterStore.open(counter.store.home), counter.clock)
            continue
        assert number > 2, "nothing was killed"
        return counter
    raise AssertionError("it never came to an end")


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mykey_tui.sync.pull.SNAPSHOT_ROWS_MAX", 2)


AFTER = pytest.mark.parametrize("after", [False, True], ids=["before", "after"])


@AFTER
@pytest.mark.usefixtures("small_parts")
def test_a_server_put_back_to_a_backup(site: Any, counter: Any, after: bool) -> None:
    other = site.enrol(counter.store.identity.scope)
    for number in range(1, 6):
        counter.queue(number)
    counter.sync()
    backup = site.backup()
    for number in range(6, 9):
        counter.queue(number)
    refused = counter.queue(1, "9999999999")
    counter.queue(9)
    counter.sync()
    counter.store.resolve(refused)
    site.set_suspended(2, suspended=True)
    site.restore(backup, epoch="f" * 16)
    site.set_suspended(2, suspended=True)
    counter.queue(10)
    people = {number: f"{number:010}" for number in range(1, 11)}

    def act(living: Any) -> None:
        assert {number: living.finds(number) for number in people} == people
        assert living.sync().digest == "match"

    last = live_and_die(site, counter, act, after=after)
    assert last.store.unsent() == 0
    assert {row["service_id"] for row in site.links()} == set(people.values())
    assert len(site.links()) == 10
    assert last.store.load() is None
    assert last.store.recount() and last.store.recount_suspensions()
    assert other.sync().digest == "match"
    assert {number: other.finds(number) for number in people} == people


@AFTER
@pytest.mark.usefixtures("small_parts")
def test_a_first_load(site: Any, counter: Any, after: bool) -> None:
    for number in range(1, 9):
        counter.queue(number)
    counter.sync()
    site.set_suspended(3, suspended=True)
    fresh = site.enrol(counter.store.identity.scope)
    fresh.queue(20)

    def act(living: Any) -> None:
        assert living.finds(20) == "0000000020"
        assert living.sync().digest == "match"

    last = live_and_die(site, fresh, act, after=after)
    assert last.store.progress().rows == 9
    assert last.store.recount() and last.store.recount_suspensions()
    assert len(site.links()) == 9


@AFTER
def test_numbers_that_are_drawn_anew(site: Any, counter: Any, after: bool) -> None:
    for number in range(1, 4):
        counter.queue(number)
    counter.sync()
    for number in range(4, 8):
        counter.queue(number)
    counter.store.require_recovery()

    def act(living: Any) -> None:
        assert living.sync().digest == "match"

    last = live_and_die(site, counter, act, after=after)
    assert not last.store.progress().recover_due
    assert last.store.unsent() == 0
    assert len(site.links()) == 7
