"""A store of the schema before, with items that wait: it opens, and sends what it always had."""

from __future__ import annotations

import msgspec
import pytest

from mykey_tui.domain.ids import LookupToken
from mykey_tui.store import migrations
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.engine import open_engine, writing
from mykey_tui.store.home import Home
from mykey_tui.store.identity import Identity
from mykey_tui.store.keys import make_key
from mykey_tui.wire.messages import FIRST_PREV, PushItem, item_hash

ITEMS = 250
SCHEMA_BEFORE = 4

_IDENTITY = (
    "INSERT INTO identity (id, device_id, incarnation, provider_id, provider_name, scope, "
    "provider_key, digest_key, seal_key, device_key, server_url, profile, counter_name, "
    "service_id_format) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class OldItem(msgspec.Struct, frozen=True):
    """A pushed item as that program wrote it: its bytes are what the server has the hash of."""

    mid: int
    op: str
    v: int
    token: bytes
    sid: str
    seen_seq: int
    prev: bytes
    sealed: bytes


def old_items() -> list[OldItem]:
    import hashlib

    items: list[OldItem] = []
    prev = FIRST_PREV
    for mid in range(1, ITEMS + 1):
        token = hashlib.sha256(b"%d" % mid).digest()[:16]
        op = "unlink" if mid % 7 == 0 else "link"
        item = OldItem(mid, op, 1, token, f"{mid:010}", mid // 3, prev, b"sealed %d" % mid)
        prev = hashlib.sha256(msgspec.msgpack.encode(item)).digest()
        items.append(item)
    return items


@pytest.fixture
def old_home(home: Home, identity: Identity) -> Home:
    """A file as the program before wrote it: 100 in the journal, 150 waiting, one parked."""
    home.prepare()
    engine = open_engine(home.database, key=make_key(home), create=True)
    with writing(engine) as connection:
        for step in migrations.STEPS[:SCHEMA_BEFORE]:
            step(connection)
        connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_BEFORE}")
        connection.exec_driver_sql(
            _IDENTITY,
            (
                str(identity.device_id), identity.incarnation, identity.provider_id.text,
                identity.provider_name, identity.scope, identity.provider_key,
                identity.digest_key, identity.seal_key, identity.device_key,
                identity.server_url, identity.profile, identity.counter_name,
                identity.service_id_format.text,
            ),
        )  # fmt: skip
        for item in old_items():
            state = "done" if item.mid <= 100 else "waiting" if item.mid != 150 else "parked"
            connection.exec_driver_sql(
                "INSERT INTO outbox (mid, op, v, token, service_id, prev, sealed, seen_seq, state, "
                "tries, queued_at, acked_seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)",
                (
                    item.mid, item.op, item.v, item.token, item.sid, item.prev, item.sealed,
                    item.seen_seq, state, None if item.mid <= 100 else 1_795_300_000,
                    item.mid if item.mid <= 100 else None,
                ),
            )  # fmt: skip
            if item.mid > 100:
                connection.exec_driver_sql(
                    "INSERT INTO local_link VALUES (?, ?, ?)", (item.token, item.sid, item.mid)
                )
        last = old_items()[-1]
        prev = item_hash(PushItem(**msgspec.structs.asdict(last)))
        connection.exec_driver_sql(
            "UPDATE progress SET last_mid = ?, last_hash = ?, push_blocked = 1", (ITEMS, prev)
        )
    engine.dispose()
    return home


def test_everything_goes_out_as_it_was_made(old_home: Home, identity: Identity) -> None:
    store = CounterStore.open(old_home)
    assert store.identity == identity
    assert store.unsent() == 150
    batch = store.next_batch(first=1, items_max=1000, bytes_max=1 << 30, whole_journal=True)
    assert batch.incarnation == identity.incarnation
    old = old_items()
    assert [msgspec.msgpack.encode(item) for item in batch] == [
        msgspec.msgpack.encode(item) for item in old
    ]
    waiting = store.next_batch(first=1, items_max=1000, bytes_max=1 << 30)
    assert [item.mid for item in waiting] == [n for n in range(101, 251) if n != 150]
    store.close()


def test_a_later_mutation_goes_on_in_the_same_chain(old_home: Home) -> None:
    store = CounterStore.open(old_home)
    (last,) = store.next_batch(first=ITEMS, items_max=1, bytes_max=9999)
    mid = store.queue_mutation("link", LookupToken(b"n" * 16), store.queue()[0].service_id, _seal)
    (item,) = store.next_batch(first=mid, items_max=1, bytes_max=9999)
    assert (mid, item.mid, item.prev) == (ITEMS + 1, ITEMS + 1, item_hash(last))
    store.close()


def test_a_file_that_was_blocked_as_a_copy_is_to_be_numbered_anew(old_home: Home) -> None:
    store = CounterStore.open(old_home)
    assert store.progress().recover_due
    store.close()


def _seal(_: object) -> bytes:
    return b"sealed"
