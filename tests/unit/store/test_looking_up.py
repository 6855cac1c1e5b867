"""Looking up: the server's rows with this counter's own waiting mutations laid over them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mykey_tui.domain.ids import LookupToken, ServiceId
from mykey_tui.domain.link import LinkStatus
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.outbox import QueuedFrame
from mykey_tui.wire.messages import Row, ScopeHead

SID = ServiceId("1111358665")
OTHER = ServiceId("2802121234")
Rows = Callable[..., Row]
Tokens = Callable[[str], LookupToken]
Digest = Callable[[list[Row]], bytes]


def sealed(frame: QueuedFrame) -> bytes:
    return b"sealed" + frame.context[:8]


def test_a_row_of_the_servers_is_found_as_it_is(
    store: CounterStore, row: Rows, token_of_name: Tokens
) -> None:
    store.apply_page([row("a"), row("b", "2802121234", seq=2, status=1)], epoch="e", cursor=2)
    a, b = store.lookup(token_of_name("a")), store.lookup(token_of_name("b"))
    assert a is not None and b is not None
    assert (a.service_id, a.status, a.provisional) == (SID, LinkStatus.ACTIVE, False)
    assert (b.service_id, b.status) == (OTHER, LinkStatus.SUSPENDED)
    assert store.lookup(token_of_name("c")) is None
    assert store.token_of(OTHER) == token_of_name("b")


def test_an_own_link_is_good_here_at_once_and_says_that_it_waits(
    store: CounterStore, token_of_name: Tokens
) -> None:
    store.queue_mutation("link", token_of_name("a"), SID, sealed)
    link = store.lookup(token_of_name("a"))
    assert link is not None
    assert (link.service_id, link.provisional) == (SID, True)
    assert store.token_of(SID) == token_of_name("a")


def test_an_own_removal_hides_the_servers_row(
    store: CounterStore, row: Rows, token_of_name: Tokens
) -> None:
    store.apply_page([row("a")], epoch="e", cursor=1)
    store.queue_mutation("unlink", token_of_name("a"), SID, sealed)
    assert store.lookup(token_of_name("a")) is None
    assert store.token_of(SID) is None


def test_an_own_waiting_mutation_never_lifts_a_suspension(
    store: CounterStore, row: Rows, token_of_name: Tokens
) -> None:
    store.queue_mutation("link", token_of_name("a"), SID, sealed)
    store.apply_page([row("a", "1111358665", seq=1, status=1)], epoch="e", cursor=1)
    link = store.lookup(token_of_name("a"))
    assert link is not None
    assert link.status is LinkStatus.SUSPENDED


def test_a_removed_row_is_gone_with_its_service_id(
    store: CounterStore, row: Rows, token_of_name: Tokens
) -> None:
    store.apply_page([row("a")], epoch="e", cursor=1)
    store.apply_page([row("a", seq=2, status=9)], epoch="e", cursor=2)
    assert store.lookup(token_of_name("a")) is None
    assert store.token_of(SID) is None
    assert store.progress().rows == 0


def test_an_older_row_never_overwrites_a_newer_one(
    store: CounterStore, row: Rows, token_of_name: Tokens
) -> None:
    store.apply_page([row("a", "2802121234", seq=5)], epoch="e", cursor=5)
    store.apply_page([row("a", "1111358665", seq=3)], epoch="e", cursor=5)
    link = store.lookup(token_of_name("a"))
    assert link is not None
    assert link.service_id == OTHER


@pytest.mark.parametrize(
    "bad",
    ["", "a b", "12\x1b[2J", "\u202e4321", "[bold]", "x" * 33, "１２３"],
)
def test_a_poisoned_row_stops_neither_the_others_nor_shows_the_old_one(
    store: CounterStore, row: Rows, token_of_name: Tokens, bad: str
) -> None:
    store.apply_page([row("poisoned", "1234", seq=1)], epoch="e", cursor=1)
    refused = store.apply_page(
        [row("a", seq=2), row("poisoned", bad, seq=3), row("b", "2802121234", seq=4)],
        epoch="e",
        cursor=4,
    )
    assert refused == 1
    assert store.progress().refused_rows == 1
    assert store.lookup(token_of_name("a")) is not None
    assert store.lookup(token_of_name("b")) is not None
    assert store.lookup(token_of_name("poisoned")) is None


def test_a_status_of_a_newer_server_is_not_taken_for_active(
    store: CounterStore, row: Rows, token_of_name: Tokens
) -> None:
    assert store.apply_page([row("a", status=5)], epoch="e", cursor=1) == 1
    assert store.lookup(token_of_name("a")) is None


def test_the_running_digest_is_that_of_the_rows(
    store: CounterStore, row: Rows, digest_of: Digest
) -> None:
    first = [row(f"p{n}", f"{n:010}", seq=n) for n in range(1, 501)]
    store.apply_page(first, epoch="e", cursor=500)
    changes = [row(f"p{n}", f"9{n:09}", seq=500 + n) for n in range(1, 101)]
    changes += [row(f"p{n}", seq=600 + n, status=9) for n in range(101, 151)]
    changes += [row(f"p{n}", f"{n:010}", seq=700 + n, status=1) for n in range(151, 161)]
    store.apply_page(changes, epoch="e", cursor=900)
    live = changes[:100] + changes[150:] + first[160:]
    assert store.progress().digest == digest_of(live)
    assert store.progress().rows == len(live)
    assert store.finish_pull(ScopeHead(900, digest_of(live)), epoch="e")
    position = store.progress().position
    assert position is not None
    assert (position.seq, position.digest) == (900, digest_of(live))


def test_a_token_that_moved_during_the_first_load_counts_once(
    store: CounterStore, row: Rows, digest_of: Digest, token_of_name: Tokens
) -> None:
    store.apply_page([row("a", "1", seq=1), row("b", "2", seq=2)], epoch="e", cursor=2)
    last = [row("a", "3", seq=3), row("c", "4", seq=4)]
    store.apply_page(last, epoch="e", cursor=4)
    assert store.progress().digest == digest_of([*last, row("b", "2")])
    assert store.progress().rows == 3


def test_the_position_stays_where_the_digests_differ(
    store: CounterStore, row: Rows, digest_of: Digest
) -> None:
    store.apply_page([row("a")], epoch="e", cursor=1)
    assert not store.finish_pull(ScopeHead(1, b"\xff" * 16), epoch="e")
    assert store.progress().position is None
    assert store.finish_pull(ScopeHead(1, digest_of([row("a")])), epoch="e")
    assert store.progress().position is not None
