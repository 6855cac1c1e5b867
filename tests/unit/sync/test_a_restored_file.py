"""A counter whose file came back from a copy: it sends nothing more, and still hears the news."""

from __future__ import annotations

from typing import Any

import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.domain.link import LinkStatus
from mykey_tui.store.counter_store import CounterStore


@pytest.fixture
def restored(site: Any, counter: Any) -> Any:
    """Numbers 1 to 3 are at the server; the file knows of number 1 only."""
    counter.queue(1)
    counter.sync()
    counter.store.close()
    home = counter.store.home
    copy = {path: path.read_bytes() for path in home.path.glob("counter.*")}
    later = site.counter(CounterStore.open(home), counter.clock)
    for number in (2, 3):
        later.queue(number)
    later.sync()
    later.store.close()
    for path in home.path.glob("counter.*"):
        path.unlink()
    for path, content in copy.items():
        path.write_bytes(content)
    return site.counter(CounterStore.open(home), counter.clock)


def refused(counter: Any) -> None:
    with pytest.raises(ServerError) as caught:
        counter.sync()
    assert caught.value.code is Code.SERVER_RESET


def test_a_suspension_arrives_at_a_counter_whose_file_was_restored(
    site: Any, restored: Any
) -> None:
    site.set_suspended(1, suspended=True)
    refused(restored)
    link = restored.store.lookup(restored.token(1))
    assert link is not None
    assert link.status is LinkStatus.SUSPENDED
    assert restored.finds(3) == "0000000003"
    site.set_suspended(1, suspended=False)
    refused(restored)
    link = restored.store.lookup(restored.token(1))
    assert link is not None
    assert link.status is LinkStatus.ACTIVE


def test_later_links_of_a_restored_file_never_shut_the_counter_out(
    site: Any, restored: Any
) -> None:
    """They overtake the server's newest number, and would be numbers with two contents."""
    refused(restored)
    for number in range(4, 9):
        restored.queue(number)
    site.line.requests.clear()
    refused(restored)
    assert "POST /v1/push" not in site.line.requests
    assert restored.store.counts().waiting == 5
    other = site.enrol(restored.store.identity.scope)
    assert other.sync().rows == 3


def test_a_restart_does_not_lift_the_block(site: Any, restored: Any) -> None:
    refused(restored)
    for number in range(4, 9):
        restored.queue(number)
    restored.store.close()
    again = site.counter(CounterStore.open(restored.store.home), restored.clock)
    site.line.requests.clear()
    refused(again)
    assert "POST /v1/push" not in site.line.requests
    assert "GET /v1/heads" in site.line.requests


def test_a_counter_that_was_never_restored_is_not_blocked(counter: Any) -> None:
    counter.queue(1)
    counter.sync()
    assert not counter.store.progress().recover_due
