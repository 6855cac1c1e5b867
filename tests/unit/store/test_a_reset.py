"""The server's history is another one: the journal goes to the front of the queue, in one piece."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mykey_tui.domain.ids import LookupToken, ServiceId
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.wire.messages import (
    FIRST_PREV,
    ItemVerdict,
    Origin,
    PushItem,
    PushReply,
    RecoveredItem,
    Row,
    item_hash,
)

Tokens = Callable[[str], LookupToken]


def sealed(frame: Any) -> bytes:
    return b"sealed %d" % frame.mid


def reply(*verdicts: ItemVerdict, seq: int = 9) -> PushReply:
    return PushReply("e", seq, bytes(16), "2026-11-22T09:00:00+00:00", list(verdicts))


def everything(store: CounterStore) -> list[PushItem]:
    return list(store.next_batch(first=1, items_max=99, bytes_max=1 << 20))


@pytest.fixture
def journal(store: CounterStore, row: Callable[..., Row], token_of_name: Tokens) -> CounterStore:
    """1 applied, 2 applied, 3 refused and looked at, 4 applied (an unlink), 5 waiting."""
    for name, sid in (("a", "1"), ("b", "2"), ("c", "3")):
        store.queue_mutation("link", token_of_name(name), ServiceId(sid), sealed)
    store.queue_mutation("unlink", token_of_name("d"), ServiceId("4"), sealed)
    store.settle(
        reply(
            ItemVerdict(1, "applied", row=row("a", "1", seq=6)),
            ItemVerdict(2, "already", row=row("b", "2", seq=7)),
            ItemVerdict(3, "conflict", "key_linked", row("c", "33", seq=8)),
            ItemVerdict(4, "applied", row=row("d", seq=9, status=9)),
        ),
        sent=[1, 2, 3, 4],
    )
    store.resolve(3)
    store.queue_mutation("link", token_of_name("e"), ServiceId("5"), sealed)
    return store


def test_what_was_acknowledged_waits_again_in_front(journal: CounterStore) -> None:
    before = journal.next_batch(first=1, items_max=99, bytes_max=1 << 20, whole_journal=True)
    journal.reset(epoch="new", by_log=False, last_mids=None)
    assert [item.mid for item in everything(journal)] == [1, 2, 4, 5]
    again = journal.next_batch(first=1, items_max=99, bytes_max=1 << 20, whole_journal=True)
    assert [item_hash(item) for item in again] == [item_hash(item) for item in before]
    known = journal.progress()
    assert (known.epoch, known.position, known.mark, known.cursor) == ("new", None, None, 0)
    assert known.durable_through == 0
    assert journal.load() is not None


def test_nobody_becomes_unknown_at_the_counter_meanwhile(
    journal: CounterStore, token_of_name: Tokens
) -> None:
    """Also when the new rows come before the journal has gone out."""
    journal.reset(epoch="new", by_log=True, last_mids=None)
    assert journal.lookup(token_of_name("b")) is not None
    head = _empty_head()
    assert journal.finish_load(head, epoch="new", anyway=False)
    for name, sid in (("a", "1"), ("b", "2"), ("e", "5")):
        link = journal.lookup(token_of_name(name))
        assert link is not None
        assert (link.service_id.text, link.provisional) == (sid, True)
    assert journal.lookup(token_of_name("d")) is None


def test_what_changed_elsewhere_since_is_not_laid_over_the_rows(
    journal: CounterStore, row: Callable[..., Row], token_of_name: Tokens
) -> None:
    journal.apply_page([row("a", seq=12, status=9)], epoch="e", cursor=12)
    journal.apply_page([row("b", "22", seq=13)], epoch="e", cursor=13)
    journal.reset(epoch="new", by_log=True, last_mids=None)
    assert journal.lookup(token_of_name("a")) is None
    link = journal.lookup(token_of_name("b"))
    assert link is not None
    assert (link.service_id.text, link.provisional) == ("22", False)


def test_a_refusal_that_the_server_lost_is_not_sent_again(journal: CounterStore) -> None:
    """It might be accepted now, although the person was told no."""
    old = journal.identity.incarnation
    journal.reset(epoch="new", by_log=False, last_mids={old: 1})
    rest = journal.next_batch(first=1, items_max=99, bytes_max=1 << 20)
    assert rest.incarnation == journal.identity.incarnation != old
    assert rest.mids == (1, 2, 4, 5), "also what the server has: it may hold it"
    assert [item.mid for item in rest] == [1, 2, 3, 4]
    assert [item.origin for item in rest] == [
        Origin(old, number, op)
        for number, op in ((1, "link"), (2, "link"), (4, "unlink"), (5, "link"))
    ]
    assert rest[0].prev == FIRST_PREV
    assert rest[3].prev == item_hash(rest[2])
    journal.queue_mutation("link", LookupToken(b"f" * 16), ServiceId("6"), sealed)
    (last,) = journal.next_batch(first=6, items_max=9, bytes_max=9999)
    assert (last.mid, last.prev, last.origin) == (5, item_hash(rest[3]), None)


def test_a_lost_refusal_ends_its_incarnation_though_nothing_waits(store: CounterStore) -> None:
    """Else the next number would stand behind the refused one, and the server would ask for that."""
    old = store.identity.incarnation
    store.queue_mutation("link", LookupToken(b"a" * 16), ServiceId("1"), sealed)
    verdict = ItemVerdict(1, "conflict", "sid_taken")
    store.settle(reply(verdict, seq=1), sent=[1])
    store.reset(epoch="new", by_log=False, last_mids={old: 0})
    store.queue_mutation("link", LookupToken(b"b" * 16), ServiceId("2"), sealed)
    (item,) = store.next_batch(first=1, items_max=9, bytes_max=9999)
    assert (item.mid, item.prev, item.origin) == (1, FIRST_PREV, None)
    assert store.identity.incarnation != old


def test_what_was_numbered_anew_before_keeps_the_number_that_the_server_may_have(
    journal: CounterStore,
) -> None:
    old = journal.identity.incarnation
    journal.reset(epoch="new", by_log=False, last_mids={old: 1})
    second = journal.identity.incarnation
    journal.number_anew(incarnation=second, first=4)
    batch = journal.next_batch(first=1, items_max=99, bytes_max=1 << 20)
    assert (batch.incarnation, batch.mids) == (second, (1, 2, 4))
    (last,) = journal.next_batch(first=5, items_max=99, bytes_max=1 << 20)
    assert (last.mid, last.origin) == (1, Origin(old, 5, "link"))


def test_a_refusal_that_the_server_still_has_changes_no_number(journal: CounterStore) -> None:
    old = journal.identity.incarnation
    journal.reset(epoch="new", by_log=False, last_mids={old: 3})
    batch = journal.next_batch(first=1, items_max=99, bytes_max=1 << 20)
    assert (batch.incarnation, [item.mid for item in batch]) == (old, [1, 2, 4, 5])


def test_verdicts_of_two_incarnations_find_their_own_items(journal: CounterStore) -> None:
    old = journal.identity.incarnation
    journal.reset(epoch="new", by_log=False, last_mids={old: 1})
    second = journal.identity.incarnation
    journal.number_anew(incarnation=second, first=4)
    third = journal.identity.incarnation
    journal.settle(reply(ItemVerdict(1, "already")), sent=[1], incarnation=second)
    journal.settle(reply(ItemVerdict(1, "applied")), sent=[1], incarnation=third)
    batch = journal.next_batch(first=1, items_max=99, bytes_max=1 << 20)
    assert batch.mids == (2, 4)
    assert journal.mid_of(2, incarnation=second) == 2
    assert journal.mid_of(2) is None


def test_the_journal_is_dropped_when_a_backup_holds_it_and_not_before(
    journal: CounterStore,
) -> None:
    journal.note_durable(8)
    assert len(_whole(journal)) == 5
    journal.reset(epoch="new", by_log=True, last_mids=None)
    journal.note_durable(100)
    assert len(_whole(journal)) == 5  # the old numbers of places say nothing about this history
    verdicts = [ItemVerdict(n, "already") for n in (1, 2, 4, 5)]
    journal.settle(reply(*verdicts, seq=20), sent=[1, 2, 4, 5])
    journal.finish_load(_empty_head(), epoch="new", anyway=True)
    journal.note_durable(19)
    assert [item.mid for item in _whole(journal)] == [1, 2, 4, 5]
    journal.note_durable(20)
    assert _whole(journal) == []


def test_a_copied_file_numbers_anew_what_the_server_has_not(
    store: CounterStore, token_of_name: Tokens
) -> None:
    for name in "abcde":
        store.queue_mutation("link", token_of_name(name), ServiceId(name.upper()), sealed)
    old = store.identity.incarnation
    store.require_recovery()
    assert [item.mid for item in store.unsure_items()] == [1, 2, 3, 4, 5]
    store.queue_mutation("link", token_of_name("late"), ServiceId("LATE"), sealed)
    store.draw_anew(
        [
            RecoveredItem(1, "same", ItemVerdict(1, "applied")),
            RecoveredItem(2, "same", ItemVerdict(2, "held")),
            RecoveredItem(3, "other"),
            RecoveredItem(4, "unknown"),
            RecoveredItem(5, "unknown"),
        ]
    )
    assert not store.progress().recover_due
    decided = store.next_batch(first=1, items_max=99, bytes_max=1 << 20)
    assert (decided.incarnation, decided.mids) == (old, (1,))
    assert [item.mid for item in decided] == [1]
    anew = store.next_batch(first=2, items_max=99, bytes_max=1 << 20)
    assert anew.mids == (2, 3, 4, 5, 6)
    assert [item.mid for item in anew] == [1, 2, 3, 4, 5]
    assert [item.origin for item in anew] == [Origin(old, mid, "link") for mid in range(2, 7)]


def test_a_copy_in_another_file_knows_itself(store: CounterStore, tmp_path: Any) -> None:
    import shutil

    from mykey_tui.store.home import Home

    store.close()
    assert not CounterStore.open(store.home).progress().recover_due
    shutil.copytree(store.home.path, tmp_path / "copy")
    copied = CounterStore.open(Home(tmp_path / "copy"))
    assert copied.progress().recover_due
    copied.close()


def _whole(store: CounterStore) -> list[PushItem]:
    return list(store.next_batch(first=1, items_max=99, bytes_max=1 << 20, whole_journal=True))


def _empty_head() -> Any:
    from mykey_tui.domain.digest import EMPTY_DIGEST
    from mykey_tui.wire.messages import ScopeHead

    return ScopeHead(0, EMPTY_DIGEST)
