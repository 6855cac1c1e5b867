"""What was acknowledged to a person leaves this box to the server, or not at all."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.domain.ids import ServiceId
from mykey_tui.store import leaving
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home
from mykey_tui.store.identity import Identity
from mykey_tui.store.leaving import UnsentError
from mykey_tui.store.presence import Presence
from mykey_tui.store.verdicts import TRIES_MAX
from mykey_tui.wire.messages import ItemVerdict, PushReply

ROOT = Path(__file__).parents[3]
HOLDER = """
import sys, time
from pathlib import Path
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home
store = CounterStore.open(Home(Path(sys.argv[1])))
print("open", flush=True)
time.sleep(60)
"""


def settled(store: CounterStore, verdict: ItemVerdict) -> None:
    reply = PushReply("e", 1, bytes(16), "2026-11-22T09:00:00+00:00", [verdict])
    store.settle(reply, sent=[verdict.mid])


@pytest.fixture
def queued(store: CounterStore, token_of_name: Any) -> CounterStore:
    store.queue_mutation("link", token_of_name("a"), ServiceId("1"), lambda _: b"sealed")
    return store


@pytest.fixture(params=["aside", "wiped"])
def go(request: Any, home: Home) -> Any:
    """Leaving, in each of its two ways."""
    return {"aside": leaving.set_aside, "wiped": leaving.wipe}[request.param]


def code_of(act: Callable[[], object]) -> Code:
    with pytest.raises(StoreError) as caught:
        act()
    return caught.value.code


def test_a_store_with_a_queue_is_not_left(queued: CounterStore, home: Home, go: Any) -> None:
    queued.close()
    with pytest.raises(UnsentError) as caught:
        go(home)
    assert (caught.value.counts.unsent, caught.value.code) == (1, Code.STORE_UNSENT)
    assert home.database.exists()


def test_a_parked_mutation_is_unsent_too(queued: CounterStore, home: Home, go: Any) -> None:
    for _ in range(TRIES_MAX):
        queued.count_try([1])
    assert queued.counts().waiting == 0
    queued.close()
    assert code_of(lambda: go(home)) is Code.STORE_UNSENT


@pytest.mark.parametrize("verdict", ["applied", "already", "conflict", "invalid"])
def test_what_is_decided_holds_nothing_back(queued: CounterStore, home: Home, verdict: Any) -> None:
    settled(queued, ItemVerdict(1, verdict))
    queued.close()
    assert queued.unsent() == 0
    assert leaving.set_aside(home).is_dir()
    assert not home.database.exists()


def test_who_names_the_number_may_lose_it_and_no_more(
    queued: CounterStore, home: Home, token_of_name: Any
) -> None:
    queued.queue_mutation("link", token_of_name("b"), ServiceId("2"), lambda _: b"sealed")
    queued.close()
    assert code_of(lambda: leaving.set_aside(home, may_lose=1)) is Code.STORE_UNSENT
    aside = leaving.set_aside(home, may_lose=2)
    assert (aside / "counter.db").exists()


def test_a_wiped_home_holds_nothing_and_takes_a_new_counter(
    store: CounterStore, home: Home, identity: Identity
) -> None:
    store.close()
    leaving.wipe(home)
    assert not list(home.path.glob("counter.*"))
    assert not list(home.path.glob("aside-*"))
    CounterStore.create(home, identity).close()


def test_a_store_that_somebody_has_open_is_not_taken_away(
    store: CounterStore, home: Home, go: Any
) -> None:
    """What he stores next would be acknowledged to a person and seen by nobody."""
    assert code_of(lambda: go(home)) is Code.STORE_BUSY
    store.close()
    go(home)


def test_nobody_opens_a_store_that_is_being_taken_away(store: CounterStore, home: Home) -> None:
    store.close()
    presence = Presence(home.path, alone=True)
    assert code_of(lambda: CounterStore.open(home)) is Code.STORE_BUSY
    presence.end()
    CounterStore.open(home).close()


def test_a_program_that_was_killed_holds_nothing(store: CounterStore, home: Home) -> None:
    store.close()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(home.path)], stdout=subprocess.PIPE, cwd=ROOT
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        assert code_of(lambda: leaving.set_aside(home)) is Code.STORE_BUSY
        holder.kill()
    assert leaving.set_aside(home).is_dir()


def test_a_store_that_nobody_closed_is_let_go_of_with_the_object(home: Home) -> None:
    home.prepare()
    forgotten = Presence(home.path)
    assert code_of(lambda: Presence(home.path, alone=True)) is Code.STORE_BUSY
    del forgotten
    gc.collect()
    Presence(home.path, alone=True).end()


def test_without_a_home_there_is_nobody(tmp_path: Path) -> None:
    assert code_of(lambda: Presence(tmp_path / "none")) is Code.STORE_NONE


def test_a_store_that_nobody_can_open_is_not_said_to_be_empty(
    queued: CounterStore, home: Home, go: Any
) -> None:
    queued.close()
    home.write_private(home.key_file, b"ab" * 32)
    assert code_of(lambda: go(home)) is Code.STORE_KEY
    assert home.database.exists()
    assert (leaving.set_aside_unread(home) / "counter.db").exists()


def test_one_that_opens_is_not_set_aside_unread(queued: CounterStore, home: Home) -> None:
    queued.close()
    assert code_of(lambda: leaving.set_aside_unread(home)) is Code.STORE_UNSENT
    assert home.database.exists()


def test_the_sheet_of_a_card_goes_with_a_wipe(store: CounterStore, home: Home) -> None:
    home.write_private(home.card_sheet, b"a MyKey ID")
    store.close()
    leaving.wipe(home)
    assert not home.card_sheet.exists()
