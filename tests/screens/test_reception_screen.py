"""受付: what a clerk and a resident see for every way in which a card can turn out."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from mykey_tui.card.connection import ReaderState
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.flows.desk_events import (
    CardForgotten,
    CardTaken,
    LinkFinished,
    LookedUp,
    ReaderIs,
    ReadingStarted,
)
from mykey_tui.flows.outcomes import HandOver, LineState, Linked, NotLinked, Stopped
from mykey_tui.i18n.catalog import Catalog, Language
from mykey_tui.screens import deadline as deadline_module
from mykey_tui.screens.layout import wrap
from tests.screens.conftest import CONSOLE, Start
from tests.screens.fakes import STATUS, FakeDemo, Fakes, found, identified

REFUSALS = [
    code
    for code in Code
    if code.value.startswith(("C-", "K-", "D-")) or code in (Code.SUSPENDED, Code.RENEWED, Code.BUG)
]


async def test_the_first_screen_asks_for_a_card_in_both_languages(start: Start) -> None:
    async with start() as counter:
        await counter.shows(
            "カードを置いて、そのままお待ちください", "Place your card on the reader"
        )
        assert ("lookup",) in counter.fakes.desk.asked


async def test_a_card_is_answered_with_the_number_and_what_the_till_got(start: Start) -> None:
    async with start() as counter:
        await counter.happens(ReadingStarted())
        await counter.shows("読み取っています")
        await counter.happens(LookedUp(found("ABCDEFGHI")))
        await counter.shows("【 受付できました 】", "A B C D E F G H I", "ABCDEFGHI")
        await counter.shows("レジへ送りました（ファイル）", "カードをお取りください")


async def test_the_answer_stays_until_enter_and_the_next_card_replaces_it(start: Start) -> None:
    async with start() as counter:
        await counter.happens(ReadingStarted(), LookedUp(found("2802121234")), CardTaken())
        await counter.shows("2802121234")
        assert "カードをお取りください" not in counter.text
        await counter.happens(ReadingStarted(), LookedUp(found("1111358665")))
        await counter.shows("1111358665")
        await counter.happens(CardTaken())
        await counter.press("enter")
        await counter.shows("カードを置いて、そのままお待ちください")
        assert "1111358665" not in counter.text


@pytest.mark.parametrize("language", list(Language))
async def test_a_refusal_says_what_its_code_what_now_and_that_nothing_was_sent(
    start: Start, language: Language
) -> None:
    catalog = Catalog(language)
    nothing = "レジには何も送っていません" if language is Language.JAPANESE else "Nothing was sent"
    async with start(language=language) as counter:
        for code in REFUSALS:
            text = catalog.code(code, {"date": "2025-01-01"})
            await counter.happens(
                ReadingStarted(), LookedUp(Stopped(code, {"date": "2025-01-01"})), CardTaken()
            )
            told = (*wrap(text.say), *wrap(text.next))
            await counter.shows(text.title, code.value, *told, nothing)


@pytest.mark.parametrize(
    "code",
    [
        Code.HANDOVER_OFF,
        Code.HANDOVER_AGAIN,
        Code.HANDOVER_FILE,
        Code.HANDOVER_COMMAND,
        Code.HANDOVER_TIMEOUT,
    ],
)
async def test_a_failed_hand_over_is_said_beside_the_number(start: Start, code: Code) -> None:
    text = Catalog(Language.JAPANESE).code(code)
    async with start() as counter:
        await counter.happens(ReadingStarted(), LookedUp(found(handover=HandOver(code))))
        await counter.shows("2802121234", text.title, code.value, text.next)
        assert "レジへ送りました" not in counter.text


async def test_a_card_that_is_not_linked_leads_to_step_two_with_enter(start: Start) -> None:
    async with start() as counter:
        await counter.happens(ReadingStarted(), LookedUp(NotLinked(identified())))
        await counter.shows("このサービスには未登録です", "L-NONE", "1C2410DF79DGEL")
        await counter.press("enter")
        await counter.shows("サービスID登録", "1C2410DF79DGEL   【読み取りました】")
        assert counter.fakes.desk.asked[-1] == ("service-card",)


async def test_a_forgotten_card_is_asked_back_and_no_more_when_it_is_taken(start: Start) -> None:
    async with start() as counter:
        await counter.happens(ReadingStarted(), LookedUp(found()), CardForgotten())
        await counter.shows("カードが置いたままです")
        await counter.happens(CardTaken())
        await counter.until(lambda: "カードが置いたままです" not in counter.text)
        await counter.shows("2802121234")


async def test_a_reading_that_never_ends_is_called_slow(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadline_module, "READING_DEADLINE_SECONDS", 0.1)
    async with start() as counter:
        await counter.happens(ReadingStarted())
        await counter.shows("C-SLOW", "レジには何も送っていません")


async def test_an_answer_in_time_is_not_overwritten_by_the_deadline(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadline_module, "READING_DEADLINE_SECONDS", 0.1)
    async with start() as counter:
        await counter.happens(ReadingStarted(), LookedUp(found()))
        await counter.pilot.pause(0.3)
        assert "2802121234" in counter.text


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (ReaderState.NO_READER, "D-READER-NONE"),
        (ReaderState.NO_SERVICE, "D-PCSC-STOPPED"),
        (ReaderState.DENIED, "D-PCSC-DENIED"),
        (ReaderState.HUNG, "D-READER-HUNG"),
    ],
)
async def test_a_reader_that_cannot_read_is_said_where_the_prompt_was(
    start: Start, state: ReaderState, code: str
) -> None:
    async with start() as counter:
        await counter.happens(ReaderIs(state, ""))
        await counter.shows(code)
        await counter.happens(ReaderIs(ReaderState.READY, "reader [CCID] 00"))
        await counter.shows("カードを置いて")


async def test_reader_trouble_does_not_wipe_an_answer_away(start: Start) -> None:
    async with start() as counter:
        await counter.happens(ReadingStarted(), LookedUp(found()), CardTaken())
        await counter.happens(ReaderIs(ReaderState.NO_READER, ""))
        await counter.shows("2802121234")


async def test_a_link_that_ends_after_its_screen_was_left_is_still_told(start: Start) -> None:
    async with start() as counter:
        await counter.happens(LinkFinished(Linked(Code.LINK_QUEUED, None, 1)))
        await counter.shows("S-QUEUED", "未送信 1件")


async def test_nobody_leaves_a_running_reading(start: Start) -> None:
    async with start() as counter:
        await counter.happens(ReadingStarted())
        await counter.press("f3")
        await counter.shows("読み取り中です")
        await counter.happens(LookedUp(found()))
        await counter.shows("2802121234")


async def test_few_days_left_and_a_provisional_link_are_said(start: Start) -> None:
    async with start() as counter:
        await counter.happens(LookedUp(found(days_left=20, provisional=True)))
        await counter.shows("あと 20 日", "まだ送信していません")


async def test_the_status_line_says_line_queue_age_and_reader_in_words(start: Start) -> None:
    async with start() as counter:
        await counter.shows("通信 正常 │ 未送信 0 │ 失効情報 12分前 │ 読取機 正常")
        counter.fakes.counter.now = replace(
            STATUS,
            line=LineState.DOWN,
            line_since_seconds=11520.0,
            waiting=4,
            oldest_seconds=7200.0,
        )
        await counter.shows("通信 なし 3時間12分", "未送信 4（最古 2時間）")


async def test_a_status_line_too_long_for_the_screen_drops_details_first(start: Start) -> None:
    async with start() as counter:
        counter.fakes.counter.now = replace(
            STATUS,
            line=LineState.DOWN,
            line_since_seconds=86000.0,
            waiting=500,
            oldest_seconds=86000.0,
            attention=12,
            revocation_age_seconds=80000.0,
            reader=ReaderState.DENIED,
        )
        await counter.shows(
            "通信 なし", "未送信 500", "要確認 12", "失効情報 22時間前", "読取機 権限なし"
        )


async def test_the_language_changes_at_run_time_and_the_answer_stays(start: Start) -> None:
    async with start() as counter:
        await counter.happens(LookedUp(found()))
        await counter.press("f9")
        await counter.shows("[OK] Found", "2802121234", "Sent to the till (file)", "F1 Help")
        await counter.press("9")
        await counter.shows("【 受付できました 】")


async def test_a_console_speaks_english_ascii_and_says_why(start: Start) -> None:
    async with start(profile=CONSOLE, language=Language.JAPANESE) as counter:
        await counter.shows("Place your card", "cannot draw Japanese")
        await counter.press("f9")
        await counter.shows("F1 says why")
        assert counter.text.isascii()


async def test_the_test_key_sends_the_marked_value_and_says_so(start: Start) -> None:
    async with start() as counter:
        await counter.press("f6")
        await counter.shows("引渡しテスト", "TEST-0000")
        counter.fakes.counter.handover = HandOver(Code.HANDOVER_FILE)
        await counter.press("6")
        await counter.shows("H-FILE", "引渡しのファイルを書き込めませんでした")


async def test_a_counter_that_cannot_start_says_its_code_and_enter_tries_again(
    start: Start,
) -> None:
    fakes = Fakes(start_error=StoreError(Code.STORE_KEY))
    async with start(fakes, ready=False) as counter:
        await counter.shows("K-KEY", "保存データを開けません")
        assert "K-KEY" in counter.rows[22]
        await counter.happens(ReaderIs(ReaderState.READY, "Sony"))
        await counter.shows("K-KEY │ 読取機 正常")
        fakes.start_error = None
        await counter.press("enter")
        await counter.shows("カードを置いて、そのままお待ちください")


async def test_the_reader_is_shown_and_a_card_is_answered_while_the_rest_still_loads(
    start: Start,
) -> None:
    fakes = Fakes(holds=threading.Event())
    async with start(fakes, ready=False) as counter:
        await counter.shows("準備しています")
        await counter.happens(ReaderIs(ReaderState.READY, "Sony"))
        await counter.shows("カードを置いて、そのままお待ちください", "準備中 │ 読取機 正常")
        await counter.happens(ReadingStarted(), LookedUp(found()))
        await counter.shows("2802121234", "準備中 │ 読取機 正常")
        fakes.holds.set()
        await counter.shows("2802121234", "未送信 0", "読取機 正常")


async def test_a_reader_that_is_not_there_is_said_while_the_rest_still_loads(start: Start) -> None:
    fakes = Fakes(holds=threading.Event())
    async with start(fakes, ready=False) as counter:
        await counter.happens(ReaderIs(ReaderState.NO_READER, ""))
        await counter.shows("D-READER-NONE", "準備中 │ 読取機 なし")
        fakes.holds.set()
        await counter.shows("D-READER-NONE", "未送信 0")


@pytest.mark.parametrize("key", ["f2", "f3", "f4", "f6"])
async def test_a_counter_that_was_never_enrolled_said_preparing_for_ever(
    start: Start, key: str
) -> None:
    async with start(Fakes(start_error=StoreError(Code.STORE_NONE)), ready=False) as counter:
        await counter.shows("【 端末の登録がまだです 】   K-NONE")
        await counter.press(key)
        await counter.shows("管理者へ：mykey enrol で端末を登録してください。 K-NONE")
        assert "準備中" not in counter.text
        await counter.press("f9", key)
        await counter.shows("For the administrator: run mykey enrol. K-NONE")


async def test_a_key_pressed_while_the_counter_loads_is_not_told_to_wait_once_it_failed(
    start: Start,
) -> None:
    fakes = Fakes(start_error=StoreError(Code.STORE_NONE))
    fakes.holds.clear()
    async with start(fakes, ready=False) as counter:
        await counter.shows("準備しています")
        await counter.press("f3")
        await counter.shows("準備中です。少しお待ちください。")
        fakes.holds.set()
        await counter.shows("K-NONE", "Enter")
        assert "準備中" not in counter.text


async def test_a_help_screen_opened_before_the_services_came_gets_their_status(
    start: Start,
) -> None:
    fakes = Fakes(holds=threading.Event())
    async with start(fakes, ready=False) as counter:
        await counter.press("f1")
        await counter.shows("準備中")
        fakes.holds.set()
        await counter.shows("未送信 0")
        assert "準備中" not in counter.rows[22]


async def test_a_card_laid_after_a_failed_start_does_not_hide_how_to_try_again(
    start: Start,
) -> None:
    fakes = Fakes(start_error=StoreError(Code.STORE_KEY))
    async with start(fakes, ready=False) as counter:
        await counter.shows("K-KEY")
        await counter.happens(ReadingStarted(), LookedUp(Stopped(Code.STORE_KEY)), CardTaken())
        await counter.shows("K-KEY", "Enter")
        fakes.start_error = None
        await counter.press("enter")
        await counter.shows("カードを置いて、そのままお待ちください")


@pytest.mark.parametrize("simulated", [True, False])
async def test_simulated_stands_on_the_screen_of_a_simulated_counter_alone(
    start: Start, simulated: bool
) -> None:
    fakes = Fakes()
    fakes.counter.now = replace(STATUS, simulated=simulated)
    async with start(fakes, simulated=simulated) as counter:
        assert ("SIMULATED" in counter.rows[0]) is simulated


async def test_a_larger_screen_keeps_the_stage_in_the_middle(start: Start) -> None:
    async with start(size=(120, 40)) as counter:
        await counter.happens(LookedUp(found()))
        await counter.shows("2802121234")
        row = next(row for row in counter.rows if "【 受付できました 】" in row)
        assert row.index("【") > 40
        assert len(counter.rows[1]) == 120


async def test_demo_keys_are_offered_in_a_demo_alone(start: Start) -> None:
    async with start() as counter:
        await counter.press("f8")
        await counter.shows("F8 キーは、この画面では使いません")
    async with start(Fakes(demo=FakeDemo())) as counter:
        await counter.press("f5")
        await counter.until(lambda: counter.fakes.demo is not None and counter.fakes.demo.cut)
        await counter.shows("通信復旧")
