"""A link that was refused because the person has another service ID: keep it, or replace it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import ServiceId
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.outbox import QueuedFrame
from mykey_tui.store.verdicts import NotReplaceableError
from mykey_tui.wire.messages import ItemVerdict, Origin, PushReply, Row, item_hash

MINE, THEIRS = ServiceId("1111358665"), ServiceId("2802121234")


def sealed(frame: QueuedFrame) -> bytes:
    return b"sealed %d" % frame.mid


def reply(*verdicts: ItemVerdict, seq: int = 1) -> PushReply:
    return PushReply("e", seq, bytes(16), "2026-11-22T09:00:00+00:00", list(verdicts))


@pytest.fixture
def refused(store: CounterStore, row: Callable[..., Row], token_of_name: Any) -> int:
    """The person "a" was linked elsewhere first."""
    mid = store.queue_mutation("link", token_of_name("a"), MINE, sealed)
    theirs = row("a", THEIRS.text, seq=1)
    store.settle(reply(ItemVerdict(1, "conflict", "key_linked", theirs)), sent=[1])
    return mid


def test_the_inbox_keeps_both_values(store: CounterStore, refused: int) -> None:
    (line,) = store.queue()
    assert (line.mid, line.code) == (refused, Code.LINK_DUPLICATE)
    assert (line.service_id, line.other_service_id) == (MINE, THEIRS)


def test_keeping_the_other_forgets_what_was_seen(store: CounterStore, refused: int) -> None:
    assert store.resolve(refused)
    assert store.queue() == []
    with pytest.raises(NotReplaceableError):
        store.replace_conflict(refused)


def test_replacing_is_a_mutation_of_its_own_that_says_what_was_seen(
    store: CounterStore, refused: int, token_of_name: Any
) -> None:
    first = store.next_batch(first=1, items_max=1, bytes_max=9999, whole_journal=True)[0]
    mid = store.replace_conflict(refused)
    assert [line.mid for line in store.queue()] == [mid]
    link = store.lookup(token_of_name("a"))
    assert link is not None
    assert (link.service_id, link.provisional) == (MINE, True)
    (item,) = store.next_batch(first=1, items_max=9, bytes_max=9999)
    assert (item.op, item.sid, item.replaces) == ("replace", MINE.text, THEIRS.text)
    assert item.origin == Origin(store.identity.incarnation, 1, "link")
    assert (item.sealed, item.prev) == (first.sealed, item_hash(first))


def test_a_replacement_that_is_refused_can_be_tried_again_under_the_first_seal(
    store: CounterStore, refused: int, row: Callable[..., Row]
) -> None:
    second = store.replace_conflict(refused)
    now = row("a", "3333333333", seq=2)
    store.settle(reply(ItemVerdict(2, "conflict", "key_linked", now), seq=2), sent=[2])
    store.replace_conflict(second)
    (item,) = store.next_batch(first=1, items_max=9, bytes_max=9999)
    assert item.origin == Origin(store.identity.incarnation, 1, "link")
    assert item.replaces == "3333333333"


@pytest.mark.parametrize(
    ("service_id", "status"), [("3333333333", 0), (THEIRS.text, 1), (THEIRS.text, 9)]
)
def test_nothing_is_replaced_that_nobody_saw(
    store: CounterStore, refused: int, row: Callable[..., Row], service_id: str, status: int
) -> None:
    store.apply_page([row("a", service_id, seq=5, status=status)], epoch="e", cursor=5)
    with pytest.raises(NotReplaceableError) as caught:
        store.replace_conflict(refused)
    assert caught.value.code is Code.CONFLICT_MOVED
    assert [line.mid for line in store.queue()] == [refused]


def test_a_service_id_that_went_to_somebody_else_is_not_taken(
    store: CounterStore, refused: int, row: Callable[..., Row]
) -> None:
    store.apply_page([row("b", MINE.text, seq=5)], epoch="e", cursor=5)
    with pytest.raises(NotReplaceableError):
        store.replace_conflict(refused)


def test_a_service_id_that_is_taken_is_not_for_replacing(
    store: CounterStore, row: Callable[..., Row], token_of_name: Any
) -> None:
    mid = store.queue_mutation("link", token_of_name("a"), MINE, sealed)
    taken = ItemVerdict(1, "conflict", "sid_taken", row("b", MINE.text, seq=1))
    store.settle(reply(taken), sent=[1])
    (line,) = store.queue()
    assert line.other_service_id is None
    with pytest.raises(NotReplaceableError):
        store.replace_conflict(mid)


def test_another_service_id_that_cannot_be_shown_is_not_kept(
    store: CounterStore, token_of_name: Any
) -> None:
    mid = store.queue_mutation("link", token_of_name("a"), MINE, sealed)
    evil: Row = (token_of_name("a"), None, "\x1b[2J", 0, 1)
    store.settle(reply(ItemVerdict(1, "conflict", "key_linked", evil)), sent=[1])
    assert store.queue()[0].other_service_id is None
    with pytest.raises(NotReplaceableError):
        store.replace_conflict(mid)
