"""A store of the schema before, with rows and the index that it had over their service IDs."""

from __future__ import annotations

from typing import Any

import pytest

from mykey_tui.domain.ids import LookupToken, ServiceId
from mykey_tui.store import migrations
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.engine import open_engine, writing
from mykey_tui.store.home import Home
from mykey_tui.store.identity import Identity, store_identity
from mykey_tui.store.keys import make_key
from mykey_tui.wire.messages import ScopeHead

ROWS = 500
SCHEMA_BEFORE = 7


@pytest.fixture
def old_home(home: Home, identity: Identity, row: Any) -> Home:
    """As the program before left it after a complete pull."""
    home.prepare()
    engine = open_engine(home.database, key=make_key(home), create=True)
    with writing(engine) as connection:
        for step in migrations.STEPS[:SCHEMA_BEFORE]:
            step(connection)
        connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_BEFORE}")
        store_identity(connection, identity)
        connection.exec_driver_sql(
            "INSERT INTO link VALUES (?, ?, ?, ?, ?)",
            [row(f"p{n}", f"{n:010}", seq=n) for n in range(1, ROWS + 1)],
        )
        connection.exec_driver_sql("CREATE INDEX link_by_service_id ON link (service_id)")
        connection.exec_driver_sql(
            "UPDATE progress SET epoch = 'e', cursor = ?, rows = ?", (ROWS, ROWS)
        )
    engine.dispose()
    return home


def test_rows_are_found_and_the_index_is_gone(old_home: Home, token_of_name: Any) -> None:
    store = CounterStore.open(old_home)
    link = store.lookup(token_of_name("p7"))
    assert link is not None
    assert link.service_id == ServiceId("0000000007")
    assert store.token_of(ServiceId("0000000007")) == token_of_name("p7")
    assert store.token_of(ServiceId("9")) is None
    with store._engine.connect() as connection:
        indexes = connection.exec_driver_sql("PRAGMA index_list(link)").all()
    assert [index[1] for index in indexes if index[3] != "pk"] == []
    store.close()


def test_a_swap_and_a_pull_make_no_index_either(
    old_home: Home, row: Any, digest_of: Any, token_of_name: Any
) -> None:
    store = CounterStore.open(old_home)
    store.begin_load(epoch="e", by_log=True)
    rows = [row("a", "1", seq=1), row("b", "2", seq=2)]
    store.apply_load_page(rows, cursor=2)
    head = ScopeHead(2, digest_of(rows))
    assert store.finish_load(head, epoch="e", anyway=False)
    assert store.finish_pull(head, epoch="e")
    assert store.token_of(ServiceId("2")) == LookupToken(token_of_name("b"))
    with store._engine.connect() as connection:
        indexes = connection.exec_driver_sql("PRAGMA index_list(link)").all()
    assert [index[1] for index in indexes if index[3] != "pk"] == []
    store.close()
