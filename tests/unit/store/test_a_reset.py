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
    first = journal.next_batch(first=1, items_max=99, bytes_max=1 << 20)
    assert (first.incarnation, first.mids) == (old, (1,))
    rest = journal.next_batch(first=2, items_max=99, bytes_max=1 << 20)
    assert rest.incarnation == journal.identity.incarnation != old
    assert rest.mids == (2, 4, 5)
    assert [item.mid for item in rest] == [1, 2, 3]
    assert [item.origin for item in rest] == [
        Origin(old, 2, "link"), Origin(old, 4, "unlink"), Origin(old, 5, "link"),
    ]  # fmt: skip
    assert rest[0].prev == FIRST_PREV
    assert rest[2].prev == item_hash(rest[1])
    journal.queue_mutation("link", LookupToken(b"f" * 16), ServiceId("6"), sealed)
    (last,) = journal.next_batch(first=6, items_max=9, bytes_max=9999)
    assert (last.mid, last.prev, last.origin) == (4, item_hash(rest[2]), None)


def test_a_refusal_that_the_server_still_has_changes_no_number(journal: CounterStore) -> None:
    old = journal.identity.incarnation
    journal.reset(epoch="new", by_log=False, last_mids={old: 3})
    batch = journal.next_batch(first=1, items_max=99, bytes_max=1 << 20)
    assert (batch.incarnation, [item.mid for item in batch]) == (old, [1, 2, 4, 5])


def test_verdicts_of_two_incarnations_find_their_own_items(journal: CounterStore) -> None:
    old = journal.identity.incarnation
    journal.reset(epoch="new", by_log=False, last_mids={old: 1})
    new = journal.identity.incarnation
    journal.settle(reply(ItemVerdict(1, "already")), sent=[1], incarnation=old)
    journal.settle(reply(ItemVerdict(1, "applied")), sent=[1], incarnation=new)
    batch = journal.next_batch(first=1, items_max=99, bytes_max=1 << 20)
    assert batch.mids == (4, 5)
    assert journal.mid_of(2) == 4
    assert journal.mid_of(2, incarnation=old) is None


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
    same = store.next_batch(first=1, items_max=99, bytes_max=1 << 20)
    assert (same.incarnation, same.mids) == (old, (1, 2))
    assert [item.mid for item in same] == [1, 2]
    anew = store.next_batch(first=3, items_max=99, bytes_max=1 << 20)
    assert anew.mids == (3, 4, 5, 6)
    assert [item.mid for item in anew] == [1, 2, 3, 4]
    assert anew[3].origin == Origin(old, 6, "link")


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
