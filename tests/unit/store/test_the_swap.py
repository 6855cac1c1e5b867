"""New rows take the place of old ones in one piece, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mykey_tui.domain.ids import LookupToken, ServiceId
from mykey_tui.store import columns, verdicts
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.freshness import LoadProgress
from mykey_tui.wire.messages import Row, ScopeHead

Make = Callable[..., Row]


def load(store: CounterStore, rows: list[Row], *, next_bucket: int | None = None) -> None:
    store.begin_load(epoch="new", by_log=False)
    part = columns.of_rows(sorted(rows))
    store.store_part(part, next_bucket=next_bucket, seq=7, refused=0)


@pytest.fixture
def loaded(store: CounterStore, row: Make, digest_of: Any) -> ScopeHead:
    """Old rows serve; new ones are complete beside them."""
    store.apply_page([row("a", "1", seq=50), row("b", "2", seq=51)], epoch="old", cursor=51)
    new = [row("a", "11", seq=7), row("c", "3", seq=7)]
    load(store, new)
    return ScopeHead(7, digest_of(new))


def finds(store: CounterStore, token: LookupToken) -> str | None:
    link = store.lookup(token)
    return None if link is None else link.service_id.text


def names(store: CounterStore, token_of_name: Any) -> list[str | None]:
    return [finds(store, token_of_name(name)) for name in "abc"]


def test_the_old_rows_serve_until_the_digest_is_the_servers(
    store: CounterStore, loaded: ScopeHead, token_of_name: Any
) -> None:
    assert names(store, token_of_name) == ["1", "2", None]
    assert not store.finish_load(ScopeHead(7, b"\xff" * 16), epoch="new", anyway=False)
    assert names(store, token_of_name) == ["1", "2", None]
    assert store.finish_load(loaded, epoch="new", anyway=False)
    assert names(store, token_of_name) == ["11", None, "3"]
    known = store.progress()
    assert (known.epoch, known.cursor, known.rows, known.digest) == ("new", 7, 2, loaded.digest)
    assert known.position is not None
    assert store.load() is None
    assert store.recount()


def test_a_swap_that_is_cut_off_leaves_both_as_they_were(
    store: CounterStore,
    loaded: ScopeHead,
    token_of_name: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cut(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(verdicts, "acknowledge_all", cut)
        with pytest.raises(KeyboardInterrupt):
            store.finish_load(loaded, epoch="new", anyway=False)
    store.close()
    again = CounterStore.open(store.home)
    assert names(again, token_of_name) == ["1", "2", None]
    assert again.finish_load(loaded, epoch="new", anyway=False)
    assert names(again, token_of_name) == ["11", None, "3"]
    again.close()


def test_service_ids_are_found_after_the_swap(
    store: CounterStore, loaded: ScopeHead, token_of_name: Any
) -> None:
    store.finish_load(loaded, epoch="new", anyway=False)
    assert store.token_of(ServiceId("3")) == token_of_name("c")
    assert store.token_of(ServiceId("2")) is None


def test_rows_that_moved_while_it_was_loaded(
    store: CounterStore, row: Make, digest_of: Any, token_of_name: Any
) -> None:
    """A later part may hold a row that the log shows once more, older or newer."""
    load(store, [row("a", "1", seq=9), row("b", "2", seq=9)])
    store.apply_load_page(
        [row("a", "0", seq=8), row("b", seq=10, status=9), row("c", "3", seq=11)], cursor=11
    )
    live = [row("a", "1", seq=9), row("c", "3", seq=11)]
    assert store.finish_load(ScopeHead(11, digest_of(live)), epoch="new", anyway=False)
    assert names(store, token_of_name) == ["1", None, "3"]


def test_how_far_a_load_is_outlives_the_program(store: CounterStore, row: Make) -> None:
    load(store, [row("a", "1", seq=7)], next_bucket=128)
    store.close()
    again = CounterStore.open(store.home)
    state = again.load()
    assert state is not None
    assert (state.epoch, state.next_bucket, state.cursor, state.rows) == ("new", 128, 7, 1)
    assert again.freshness().loading == LoadProgress(rows=1, fraction=0.5)
    again.close()


def test_a_load_that_is_begun_anew_forgets_the_first(store: CounterStore, row: Make) -> None:
    load(store, [row("a", "1", seq=7)], next_bucket=128)
    store.begin_load(epoch="newer", by_log=True)
    state = store.load()
    assert state is not None
    assert (state.next_bucket, state.cursor, state.rows) == (None, 0, 0)
    assert store.freshness().loading == LoadProgress(rows=0, fraction=0.0)


def test_a_page_without_a_load_is_a_bug_of_ours(store: CounterStore) -> None:
    with pytest.raises(RuntimeError):
        store.apply_load_page([], cursor=1)
