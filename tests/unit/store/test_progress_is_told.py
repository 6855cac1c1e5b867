"""Whoever waits for a long round reads how far it is; a short one, and a script, hear nothing."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mykey_tui.commands.output import Output
from mykey_tui.commands.progress import progress_told
from mykey_tui.domain.ids import ServiceId
from mykey_tui.i18n.catalog import Language
from mykey_tui.store import columns
from mykey_tui.store.counter_store import CounterStore

LONG_SECONDS = 0.3


def told(
    store: CounterStore, capsys: pytest.CaptureFixture[str], *, as_json: bool = False, wait: float
) -> str:
    output = Output(as_json=as_json, language=Language.ENGLISH)
    with progress_told(store, output, first_seconds=wait, next_seconds=0.02):
        time.sleep(LONG_SECONDS)
    return capsys.readouterr().err


def test_a_load_is_told_by_rows_and_percent(
    store: CounterStore, row: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    store.begin_load(epoch="e", by_log=False)
    store.store_part(columns.of_rows([row("a")]), next_bucket=128, seq=1, refused=0)
    assert "loading 1 (50%)" in told(store, capsys, wait=0.01)


def test_a_queue_is_told_by_what_is_left(
    store: CounterStore, token_of_name: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        store.queue_mutation("link", token_of_name(name), ServiceId("1"), lambda _: b"sealed")
    assert "Sending, 2 to go" in told(store, capsys, wait=0.01)


def test_a_script_hears_nothing(store: CounterStore, capsys: pytest.CaptureFixture[str]) -> None:
    store.begin_load(epoch="e", by_log=False)
    assert not told(store, capsys, as_json=True, wait=0.01)


def test_a_short_round_says_nothing(
    store: CounterStore, capsys: pytest.CaptureFixture[str]
) -> None:
    store.begin_load(epoch="e", by_log=False)
    assert not told(store, capsys, wait=10 * LONG_SECONDS)
