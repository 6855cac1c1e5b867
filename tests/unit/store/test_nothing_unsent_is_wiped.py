"""What was acknowledged to a person leaves this box to the server, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.domain.ids import ServiceId
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home
from mykey_tui.store.verdicts import TRIES_MAX
from mykey_tui.wire.messages import ItemVerdict, PushReply


def settled(store: CounterStore, verdict: ItemVerdict) -> None:
    reply = PushReply("e", 1, bytes(16), "2026-11-22T09:00:00+00:00", [verdict])
    store.settle(reply, sent=[verdict.mid])


@pytest.fixture
def queued(store: CounterStore, token_of_name: Any) -> CounterStore:
    store.queue_mutation("link", token_of_name("a"), ServiceId("1"), lambda _: b"sealed")
    return store


def test_a_store_with_a_queue_is_not_set_aside(queued: CounterStore, home: Home) -> None:
    assert queued.unsent() == 1
    with pytest.raises(StoreError) as caught:
        CounterStore.set_aside(home)
    assert caught.value.code is Code.STORE_UNSENT
    assert home.database.exists()


def test_a_parked_mutation_is_unsent_too(queued: CounterStore, home: Home) -> None:
    for _ in range(TRIES_MAX):
        queued.count_try([1])
    assert queued.counts().waiting == 0
    with pytest.raises(StoreError):
        CounterStore.set_aside(home)


@pytest.mark.parametrize("verdict", ["applied", "already", "conflict", "invalid"])
def test_what_is_decided_holds_nothing_back(queued: CounterStore, home: Home, verdict: Any) -> None:
    settled(queued, ItemVerdict(1, verdict))
    queued.close()
    assert queued.unsent() == 0
    assert CounterStore.set_aside(home).is_dir()
    assert not home.database.exists()


def test_force_keeps_the_files(queued: CounterStore, home: Home) -> None:
    queued.close()
    aside = CounterStore.set_aside(home, lose_unsent=True)
    assert (aside / "counter.db").exists()


def test_a_store_that_nobody_can_open_is_not_said_to_be_empty(
    queued: CounterStore, home: Home
) -> None:
    queued.close()
    home.write_private(home.key_file, b"ab" * 32)
    with pytest.raises(StoreError) as caught:
        CounterStore.set_aside(home)
    assert caught.value.code is Code.STORE_KEY
    assert home.database.exists()
