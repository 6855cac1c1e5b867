"""The 100-taps test and the live view: what they show, and that nothing goes on when one left."""

from __future__ import annotations

import pytest

from mykey_tui.card.connection import ReaderState
from mykey_tui.card.live import SlotSeen, SlotsNow, SlotWord
from mykey_tui.domain.codes import Code
from mykey_tui.flows.desk_events import (
    CardTaken,
    LookedUp,
    ReaderIs,
    ReadingStarted,
    TapDone,
)
from mykey_tui.flows.reader_trouble import READER_TROUBLE
from mykey_tui.flows.soak import Tap
from mykey_tui.i18n.catalog import Catalog, Language
from tests.screens.conftest import Counter, Start
from tests.screens.fakes import Fakes, found


async def tap(counter: Counter, *taps: Tap) -> None:
    for each in taps:
        await counter.happens(ReadingStarted(), TapDone(each), CardTaken())


async def test_taps_are_counted_timed_and_become_a_row_to_paste(start: Start) -> None:
    async with start() as counter:
        await counter.press("f12", "t")
        await counter.shows("100 回テスト", "カードを置いてください", "0 / 100")
        assert counter.fakes.technician.asked[-1] == "taps"
        await tap(counter, Tap(180.0), Tap(220.0), Tap(code=Code.CARD_REMOVED))
        await counter.shows("3 / 100", "2   66.7 %", "中央値 200 ミリ秒、95% 点 220 ミリ秒")
        await counter.shows("| SONY FeliCa RC-S300/S | 054c:0dc8 | 2/3 (66.7 %) | 200 | 220 | 1 |")
        await counter.shows("C-REMOVED")


async def test_the_card_is_asked_back_while_it_lies_there(start: Start) -> None:
    async with start() as counter:
        await counter.press("f12", "t")
        await counter.happens(ReadingStarted(), TapDone(Tap(200.0)))
        await counter.shows("カードを離してください")
        await counter.happens(CardTaken())
        await counter.shows("カードを置いてください")


async def test_leaving_early_keeps_the_result_so_far_for_the_evidence(start: Start) -> None:
    async with start() as counter:
        await counter.press("f12", "t")
        await tap(counter, Tap(180.0))
        await counter.press("escape", "e")
        await counter.shows("書き出しました")
        _, figures = counter.fakes.technician.written[-1]
        assert figures is not None
        assert (figures.laid, figures.wanted, figures.is_done) == (1, 100, False)


async def test_the_number_is_chosen_before_the_first_tap(start: Start) -> None:
    async with start() as counter:
        await counter.press("f12", "t", "n")
        await counter.shows("0 / 200")
        await counter.press("n", "n")
        await counter.shows("0 / 10")
        await tap(counter, *[Tap(200.0)] * 3)
        await counter.press("n")
        await counter.shows("回数は、はじめる前に選びます", "3 / 10")
        await tap(counter, *[Tap(200.0)] * 8)
        await counter.shows("10 / 10", "終わりました")
        await counter.press("r")
        await counter.shows("0 / 10", "カードを置いてください")


async def test_no_card_of_the_test_reaches_the_reception(start: Start) -> None:
    async with start() as counter:
        await counter.press("f12", "t")
        await tap(counter, Tap(200.0))
        await counter.press("escape", "escape")
        await counter.shows("カードを置いて、そのままお待ちください")
        assert counter.fakes.desk.asked[-1] == ("lookup",)
        await counter.happens(LookedUp(found()))
        await counter.shows("受付できました")


async def test_readers_and_cards_are_shown_as_they_change(start: Start) -> None:
    fakes = Fakes()
    async with start(fakes) as counter:
        await counter.press("f12", "l")
        await counter.shows(
            "SONY FeliCa RC-S300/S", "カードあり、使用中", "ATR 3B888001 ** (9 bytes)"
        )
        fakes.technician.slots = SlotsNow(ReaderState.NO_SERVICE)
        await counter.shows("D-PCSC-STOPPED")
        fakes.technician.slots = SlotsNow(ReaderState.NO_READER)
        await counter.shows("D-READER-NONE")
        many = tuple(SlotSeen(f"Reader {n}", (SlotWord.MUTE,)) for n in range(9))
        fakes.technician.slots = SlotsNow(ReaderState.READY, many)
        await counter.shows("Reader 0", "返事のないカード", "ほかに 5 台")


async def test_nobody_looks_at_the_readers_when_the_view_is_closed(start: Start) -> None:
    fakes = Fakes()
    async with start(fakes) as counter:
        await counter.press("f12")
        await counter.shows("異常はありません")
        assert fakes.technician.looks == 0
        await counter.press("l")
        await counter.shows("いまの読取機とカード")
        await counter.until(lambda: fakes.technician.looks > 1)
        await counter.press("escape")
        await counter.shows("異常はありません")
        await counter.pilot.pause(0.3)
        before = fakes.technician.looks
        await counter.pilot.pause(0.5)
        assert fakes.technician.looks == before


async def test_a_trace_is_switched_on_shown_and_switched_off(start: Start) -> None:
    fakes = Fakes()
    async with start(fakes) as counter:
        await counter.press("f12", "l")
        await counter.shows("通信の記録：止まっています")
        await counter.press("a")
        await counter.shows("通信の記録：記録しています")
        fakes.technician.lines = ["+0.001 > 00200080 ** (5 bytes)", "+0.012 < 0 bytes, 9000"]
        await tap(counter, Tap(212.0))
        await counter.shows("+0.001 > 00200080 ** (5 bytes)", "読み取れました（212 ミリ秒）")
        await counter.press("a")
        await counter.shows("通信の記録：止まっています", "** (5 bytes)")


@pytest.mark.parametrize("state", READER_TROUBLE)
async def test_a_dead_reader_was_only_asked_for_a_card(start: Start, state: ReaderState) -> None:
    code = READER_TROUBLE[state]
    text = Catalog(Language.JAPANESE).code(code)
    fakes = Fakes()
    fakes.technician.slots = SlotsNow(state)
    async with start(fakes) as counter:
        await counter.happens(ReaderIs(state, ""))
        await counter.press("f12", "t")
        await counter.shows(f"{text.title}   {code.value}", "Esc で診断に戻ると")
        assert "カードを置いてください" not in counter.text
        await counter.happens(ReaderIs(ReaderState.READY, "Sony"))
        await counter.shows("カードを置いてください", "いつでも Esc でやめられます")
        await counter.press("escape", "l")
        await counter.shows(f"{text.title}   {code.value}", "Esc で診断に戻ると")


async def test_a_listed_reader_that_hangs_is_told_beside_its_row(start: Start) -> None:
    fakes = Fakes()
    fakes.technician.slots = SlotsNow(ReaderState.HUNG, (SlotSeen("Sony", (SlotWord.CARD,)),))
    async with start(fakes) as counter:
        await counter.press("f12", "l")
        await counter.shows("Sony", "D-READER-HUNG", "Esc で診断に戻ると")
