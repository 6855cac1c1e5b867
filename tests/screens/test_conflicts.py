"""競合: both service IDs masked, three ways, nothing overwritten or dropped without being asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from tests.screens.conftest import Counter, Start
from tests.screens.fakes import QUEUE, STATUS, Fakes

WAITING, PARKED, DUPLICATE, TAKEN, INVALID = range(len(QUEUE))


def with_queue() -> Fakes:
    fakes = Fakes()
    fakes.counter.items = QUEUE
    return fakes


async def opened(counter: Counter, row: int) -> None:
    await counter.press("f3")
    await counter.shows("******1234")
    await counter.press(*["down"] * row, "enter")


async def test_a_conflict_shows_both_numbers_masked_and_the_three_ways(start: Start) -> None:
    async with start(with_queue()) as counter:
        await opened(counter, DUPLICATE)
        await counter.shows("S-DUP", "この端末で受け付けた番号      ******0077")
        await counter.shows("サーバーに登録済みの番号      ******1234")
        await counter.shows("K    残す", "C    置き換える", "Esc  あとで確認")


async def test_replacing_names_both_numbers_and_waits_for_a_yes(start: Start) -> None:
    async with start(with_queue()) as counter:
        await opened(counter, DUPLICATE)
        await counter.press("c")
        await counter.shows("置き換えますか", "******1234 をやめて、******0077 にします")
        assert counter.fakes.counter.replaced == []
        await counter.press("y")
        await counter.shows("置き換えを受け付けました", "送信待ち 1   保留 1   競合 1")
        assert counter.fakes.counter.replaced == [3]


@pytest.mark.parametrize("key", ["enter", "c", "k"])
async def test_no_other_key_than_yes_decides(start: Start, key: str) -> None:
    async with start(with_queue()) as counter:
        await opened(counter, DUPLICATE)
        await counter.press("c", key)
        await counter.shows("置き換えますか", "キーは、この画面では使いません")
        assert (counter.fakes.counter.replaced, counter.fakes.counter.kept) == ([], [])


async def test_escape_leads_from_the_question_to_the_row_and_to_the_list(start: Start) -> None:
    async with start(with_queue()) as counter:
        await opened(counter, DUPLICATE)
        await counter.press("c", "escape")
        await counter.shows("K    残す")
        await counter.press("escape")
        await counter.shows("あとで確認します。一覧に残してあります", "（3 / 5 行目）")
        await counter.press("escape")
        await counter.shows("カードを置いて")
        assert (counter.fakes.counter.replaced, counter.fakes.counter.kept) == ([], [])


async def test_keeping_gives_up_this_counters_number_after_a_yes(start: Start) -> None:
    async with start(with_queue()) as counter:
        await opened(counter, DUPLICATE)
        await counter.press("k")
        await counter.shows("残しますか", "******1234 のままにします")
        assert counter.fakes.counter.kept == []
        await counter.press("y")
        await counter.shows("残しました。サーバーの登録は、そのままです")
        assert counter.fakes.counter.kept == [3]


async def test_a_number_of_somebody_else_can_not_be_replaced_and_says_what_to_do(
    start: Start,
) -> None:
    async with start(with_queue()) as counter:
        await opened(counter, TAKEN)
        await counter.shows("S-TAKEN", "******5511", "登録（F2）をやり直します", "一覧から消す")
        await counter.press("c")
        await counter.shows("C キーは、この画面では使いません")
        await counter.press("d", "y")
        await counter.shows("一覧から消しました")
        assert (counter.fakes.counter.replaced, counter.fakes.counter.kept) == ([], [4])


async def test_a_parked_row_is_sent_again_from_its_own_page(start: Start) -> None:
    async with start(with_queue()) as counter:
        await opened(counter, PARKED)
        await counter.shows("S-PARKED", "サーバーが受け取れませんでした", "R 保留を再送")
        await counter.press("r")
        await counter.shows("もう一度送る列に戻しました")
        assert counter.fakes.counter.retried == [2]


async def test_a_row_that_waits_has_nothing_to_choose(start: Start) -> None:
    async with start(with_queue()) as counter:
        await opened(counter, WAITING)
        await counter.shows("通信が戻ると、受け付けた順に自動で送ります", "Esc で一覧に戻ります")
        for key in ("k", "c", "d"):
            await counter.press(key)
            await counter.shows("キーは、この画面では使いません")


async def test_a_row_that_changed_at_the_server_is_not_replaced_and_says_so(start: Start) -> None:
    fakes = with_queue()
    fakes.counter.replace_error = StoreError(Code.CONFLICT_MOVED)
    async with start(fakes) as counter:
        await opened(counter, DUPLICATE)
        await counter.press("c", "y")
        await counter.shows("S-MOVED", "******0077")
        assert fakes.counter.replaced == []


async def test_a_row_that_went_meanwhile_closes_its_page(start: Start) -> None:
    async with start(with_queue()) as counter:
        await opened(counter, DUPLICATE)
        await counter.shows("K    残す")
        counter.fakes.counter.items = QUEUE[:2]
        counter.fakes.counter.now = replace(STATUS, waiting=1)
        await counter.shows("この行は、もう一覧にありません", "（2 / 2 行目）")
