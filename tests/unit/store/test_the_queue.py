"""The queue: numbered without gaps, chained, stored with its effect, never stuck on one item."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.digest import EMPTY_DIGEST
from mykey_tui.domain.ids import LookupToken, ServiceId
from mykey_tui.domain.link import LinkStatus
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home
from mykey_tui.store.outbox import QueueCounts, QueuedFrame
from mykey_tui.store.tables import MutationState
from mykey_tui.store.verdicts import TRIES_MAX
from mykey_tui.wire.messages import (
    FIRST_PREV,
    ItemVerdict,
    PushReply,
    Row,
    ScopeHead,
    item_hash,
    to_msgpack,
)

SID = ServiceId("1111358665")
Rows = Callable[..., Row]
Tokens = Callable[[str], LookupToken]
WIDE = 1_000_000


def sealed(frame: QueuedFrame) -> bytes:
    return b"sealed" + frame.context


def reply(*verdicts: ItemVerdict, seq: int = 1, expect_mid: int | None = None) -> PushReply:
    return PushReply(
        "e", seq, EMPTY_DIGEST, "2026-11-22T09:00:00+00:00", list(verdicts), expect_mid
    )


def queue_links(store: CounterStore, tokens: Tokens, number: int) -> None:
    for n in range(1, number + 1):
        store.queue_mutation("link", tokens(f"p{n}"), ServiceId(f"{n:010}"), sealed)


def test_mutations_are_numbered_without_gaps_and_chained(
    store: CounterStore, token_of_name: Tokens
) -> None:
    queue_links(store, token_of_name, 3)
    items = store.next_batch(first=1, items_max=10, bytes_max=WIDE)
    assert [item.mid for item in items] == [1, 2, 3]
    assert items[0].prev == FIRST_PREV
    assert [item.prev for item in items[1:]] == [item_hash(item) for item in items[:2]]


def test_the_seal_is_made_for_exactly_what_is_sent(
    store: CounterStore, token_of_name: Tokens
) -> None:
    frames: list[QueuedFrame] = []

    def keep(frame: QueuedFrame) -> bytes:
        frames.append(frame)
        return b"sealed"

    store.queue_mutation("link", token_of_name("a"), SID, keep)
    (item,) = store.next_batch(first=1, items_max=1, bytes_max=WIDE)
    (frame,) = frames
    assert (item.mid, item.op, item.v, item.token, item.sid) == (
        frame.mid, frame.op, frame.v, frame.token, frame.sid,
    )  # fmt: skip
    assert frame.device == str(store.identity.device_id)
    assert frame.incarnation == store.identity.incarnation


def test_a_seal_that_fails_leaves_nothing_behind(
    store: CounterStore, token_of_name: Tokens
) -> None:
    def fails(frame: QueuedFrame) -> bytes:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.queue_mutation("link", token_of_name("a"), SID, fails)
    assert store.lookup(token_of_name("a")) is None
    assert store.queue_mutation("link", token_of_name("a"), SID, sealed) == 1


@pytest.mark.parametrize("size", [0, 4097])
def test_an_item_that_no_server_would_take_is_not_queued(
    store: CounterStore, token_of_name: Tokens, size: int
) -> None:
    with pytest.raises(ValueError, match="seal"):
        store.queue_mutation("link", token_of_name("a"), SID, lambda _: bytes(size))
    assert store.counts().waiting == 0


def test_a_batch_fits_in_bytes_and_items_and_is_never_empty(
    store: CounterStore, token_of_name: Tokens
) -> None:
    queue_links(store, token_of_name, 5)
    size = len(to_msgpack(store.next_batch(first=1, items_max=1, bytes_max=WIDE)[0]))
    assert len(store.next_batch(first=1, items_max=10, bytes_max=3 * size + 10)) == 3
    assert len(store.next_batch(first=1, items_max=2, bytes_max=WIDE)) == 2
    assert len(store.next_batch(first=1, items_max=10, bytes_max=1)) == 1


def test_an_applied_mutation_becomes_the_servers_row_and_loses_its_time(
    store: CounterStore, row: Rows, token_of_name: Tokens
) -> None:
    store.queue_mutation("link", token_of_name("a"), SID, sealed)
    assert store.counts().oldest is not None
    settled = store.settle(
        reply(ItemVerdict(1, "applied", row=row("a", SID.text, seq=7)), seq=7), sent=[1]
    )
    assert settled.applied == 1
    link = store.lookup(token_of_name("a"))
    assert link is not None
    assert (link.service_id, link.provisional) == (SID, False)
    assert store.counts() == QueueCounts(waiting=0, attention=0, oldest=None, unsent=0)
    mark = store.progress().mark
    assert mark is not None
    assert mark.seq == 7


def test_what_is_settled_stays_as_journal_until_a_backup_holds_it(
    store: CounterStore, row: Rows, token_of_name: Tokens
) -> None:
    queue_links(store, token_of_name, 2)
    store.settle(
        reply(ItemVerdict(1, "applied", row=row("p1", "0000000001", seq=4)), seq=4), sent=[1]
    )

    def journal() -> list[int]:
        items = store.next_batch(first=1, items_max=9, bytes_max=WIDE, whole_journal=True)
        return [item.mid for item in items]

    store.note_durable(3)
    assert journal() == [1, 2]
    store.note_durable(4)
    assert journal() == [2]
    store.queue_mutation("link", token_of_name("p3"), ServiceId("3"), sealed)
    assert [item.mid for item in store.next_batch(first=1, items_max=9, bytes_max=WIDE)] == [2, 3]


@pytest.mark.parametrize(
    ("verdict", "kind", "state", "code"),
    [
        ("conflict", "key_linked", MutationState.CONFLICT, Code.LINK_DUPLICATE),
        ("conflict", "sid_taken", MutationState.CONFLICT, Code.SERVICE_ID_TAKEN),
        ("conflict", "id_suspended", MutationState.CONFLICT, Code.SUSPENDED),
        ("conflict", "id_renewed", MutationState.CONFLICT, Code.RENEWED),
        ("conflict", "not_registered", MutationState.CONFLICT, Code.NOT_REGISTERED),
        ("conflict", "something-new", MutationState.CONFLICT, Code.MUTATION_INVALID),
        ("invalid", "sid", MutationState.INVALID, Code.SERVICE_ID_MALFORMED),
        ("invalid", "certificate", MutationState.INVALID, Code.MUTATION_INVALID),
    ],
)
def test_a_refusal_is_shown_with_its_reason_and_undone_here(
    store: CounterStore,
    token_of_name: Tokens,
    verdict: Any,
    kind: str,
    state: MutationState,
    code: Code,
) -> None:
    queue_links(store, token_of_name, 2)
    store.settle(reply(ItemVerdict(1, verdict, kind), ItemVerdict(2, "already")), sent=[1, 2])
    (item,) = store.queue()
    assert (item.mid, item.state, item.code, item.queued_at) == (1, state, code, None)
    assert store.counts().attention == 1
    assert store.lookup(token_of_name("p1")) is None
    assert store.resolve(1)
    assert store.queue() == []
    assert not store.resolve(1)


def test_a_conflict_brings_the_servers_row(
    store: CounterStore, row: Rows, token_of_name: Tokens
) -> None:
    store.queue_mutation("link", token_of_name("a"), SID, sealed)
    other = row("a", "2802121234", seq=3)
    store.settle(reply(ItemVerdict(1, "conflict", "key_linked", other), seq=3), sent=[1])
    link = store.lookup(token_of_name("a"))
    assert link is not None
    assert link.service_id == ServiceId("2802121234")


def test_an_item_put_off_too_often_is_parked_and_the_others_go_on(
    store: CounterStore, token_of_name: Tokens
) -> None:
    queue_links(store, token_of_name, 2)
    for _ in range(TRIES_MAX):
        store.settle(reply(ItemVerdict(1, "retry")), sent=[1])
    assert [item.mid for item in store.next_batch(first=1, items_max=9, bytes_max=WIDE)] == [2]
    parked = store.queue()[0]
    assert (parked.state, parked.code) == (MutationState.PARKED, Code.MUTATION_PARKED)
    assert store.lookup(token_of_name("p1")) is not None
    assert store.retry(1)
    assert [item.mid for item in store.next_batch(first=1, items_max=9, bytes_max=WIDE)] == [1, 2]
    assert not store.retry(1)


def test_what_waits_behind_a_gap_is_not_counted_against(
    store: CounterStore, token_of_name: Tokens
) -> None:
    queue_links(store, token_of_name, 3)
    for _ in range(TRIES_MAX):
        held = [ItemVerdict(mid, "retry") for mid in (2, 3)]
        store.settle(reply(*held, expect_mid=1), sent=[2, 3])
    assert [item.state for item in store.queue()] == [MutationState.WAITING] * 3


def test_a_verdict_that_was_left_out_counts_as_put_off(
    store: CounterStore, token_of_name: Tokens
) -> None:
    queue_links(store, token_of_name, 2)
    settled = store.settle(
        reply(ItemVerdict(2, "already"), ItemVerdict(99, "applied")), sent=[1, 2]
    )
    assert (settled.already, settled.applied, settled.put_off) == (1, 0, 1)
    assert [item.mid for item in store.queue()] == [1]


def test_a_later_mutation_of_the_same_person_stays_over_an_earlier_answer(
    store: CounterStore, row: Rows, token_of_name: Tokens
) -> None:
    store.queue_mutation("link", token_of_name("a"), SID, sealed)
    store.queue_mutation("unlink", token_of_name("a"), SID, sealed)
    store.settle(reply(ItemVerdict(1, "applied", row=row("a", SID.text, seq=1))), sent=[1])
    assert store.lookup(token_of_name("a")) is None


def test_an_answer_without_a_row_holds_until_the_next_pull(
    store: CounterStore, row: Rows, token_of_name: Tokens
) -> None:
    store.queue_mutation("link", token_of_name("a"), SID, sealed)
    store.settle(reply(ItemVerdict(1, "applied")), sent=[1])
    assert store.lookup(token_of_name("a")) is not None
    store.apply_page([row("a", SID.text, seq=1)], epoch="e", cursor=1)
    store.finish_pull(ScopeHead(1, EMPTY_DIGEST), epoch="e")
    link = store.lookup(token_of_name("a"))
    assert link is not None
    assert not link.provisional


def test_a_replayed_verdict_does_not_bring_back_a_row_removed_since(
    store: CounterStore, row: Rows, token_of_name: Tokens
) -> None:
    store.queue_mutation("link", token_of_name("a"), SID, sealed)
    # The reply was lost; another counter removed the link; the pull brought that.
    store.apply_page([row("a", seq=2, status=9)], epoch="e", cursor=2)
    store.settle(reply(ItemVerdict(1, "applied", row=row("a", SID.text, seq=1)), seq=2), sent=[1])
    assert store.lookup(token_of_name("a")) is None


def test_a_poisoned_row_beside_a_verdict_stops_no_verdict(
    store: CounterStore, row: Rows, token_of_name: Tokens
) -> None:
    queue_links(store, token_of_name, 2)
    bad = ItemVerdict(1, "applied", row=row("p1", "\x1b[2J", seq=1))
    good = ItemVerdict(2, "applied", row=row("p2", "0000000002", seq=2))
    assert store.settle(reply(bad, good, seq=2), sent=[1, 2]).applied == 2
    assert store.queue() == []
    link = store.lookup(token_of_name("p2"))
    assert link is not None
    assert link.status is LinkStatus.ACTIVE


def test_two_programs_may_queue_at_once(
    store: CounterStore, home: Home, token_of_name: Tokens
) -> None:
    beside = CounterStore.open(home)
    mids = [
        which.queue_mutation("link", token_of_name(f"p{n}"), ServiceId(str(n)), sealed)
        for n, which in enumerate([store, beside, store, beside], start=1)
    ]
    beside.close()
    assert mids == [1, 2, 3, 4]
    items = store.next_batch(first=1, items_max=9, bytes_max=WIDE)
    assert [item.prev for item in items[1:]] == [item_hash(item) for item in items[:3]]


def test_no_identifier_and_no_secret_stands_in_the_files_in_the_clear(
    store: CounterStore, home: Home, row: Rows, token_of_name: Tokens
) -> None:
    store.apply_page([row("a", "2802121234", seq=1)], epoch="e", cursor=1)
    store.queue_mutation("link", token_of_name("b"), SID, sealed)
    files = {path.name: path.read_bytes() for path in _files(home.path)}
    assert {"counter.db", "counter.db-wal"} <= set(files)
    planted = [
        b"1111358665", b"2802121234", token_of_name("a"), token_of_name("b"), b"sealed",
        store.identity.device_key, store.identity.provider_key, "図書館".encode(), b"link",
    ]  # fmt: skip
    for content in files.values():
        assert not [secret for secret in planted if secret in content]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
