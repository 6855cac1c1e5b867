"""サービスID登録: the three steps, each way of giving the number, and every way it can end."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual import events

from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import ServiceId
from mykey_tui.flows.desk_events import (
    CardForgotten,
    CardTaken,
    CardWanted,
    LinkFinished,
    LookedUp,
    ReadingStarted,
    Scanned,
    ScannerIs,
    ServiceCardSeen,
)
from mykey_tui.flows.outcomes import LineState, Linked, NotLinked, ServiceCardRead, Stopped
from mykey_tui.i18n.catalog import Catalog, Language
from tests.screens.conftest import Counter, Start
from tests.screens.fakes import STATUS, Fakes, found, identified

NUMBER = "2802121234"
CARD = identified()


async def at_step_two(counter: Counter) -> None:
    await counter.happens(ReadingStarted(), LookedUp(NotLinked(CARD)), CardTaken())
    await counter.press("enter")
    await counter.shows("手順２", "1C2410DF79DGEL")


async def at_step_three(counter: Counter) -> None:
    await at_step_two(counter)
    await counter.happens(
        ReadingStarted(), ServiceCardSeen(ServiceCardRead(ServiceId(NUMBER))), CardTaken()
    )
    await counter.shows(f"サービスID   {NUMBER}")


async def test_the_three_steps_stand_there_in_the_words_of_the_concept_paper(start: Start) -> None:
    async with start() as counter:
        await counter.press("f2")
        await counter.shows("手順１")
        words = counter.text.replace("\n", "").replace(" ", "")
        assert (
            "あなたのマイキーIDを読み取ります。【読取】ボタンを押して、"
            "マイナンバーカードをICカードリーダライタにかざしてください。" in words
        )
        assert (
            "登録するあなたのサービスIDを読み取ります。【読取】ボタンを押して、"
            "サービスの利用カードをリーダライタにかざしてください。" in words
        )
        assert "あなたのサービスID登録をしますので、【登録】ボタンを押してください。" in words


async def test_step_one_reads_without_telling_the_till(start: Start) -> None:
    async with start() as counter:
        await counter.press("f2")
        await counter.shows("手順１")
        assert counter.fakes.desk.asked[-1:] == [("lookup", "without hand-over")]
        await counter.happens(ReadingStarted())
        await counter.shows("【読み取っています】")
        await counter.happens(LookedUp(NotLinked(CARD)))
        await counter.shows("1C2410DF79DGEL   【読み取りました】")
        assert counter.fakes.desk.asked[-1] == ("service-card",)


async def test_two_taps_and_two_enters_link_a_card(start: Start) -> None:
    async with start() as counter:
        await at_step_three(counter)
        await counter.press("enter")
        assert counter.fakes.desk.committed == [(CARD, ServiceId(NUMBER))]
        await counter.happens(CardWanted())
        await counter.shows("マイナンバーカードをもう一度置いてください")
        await counter.happens(ReadingStarted())
        assert "もう一度置いてください" not in counter.text
        await counter.happens(LinkFinished(Linked(Code.LINKED, ServiceId(NUMBER), 0)))
        await counter.shows("正常に登録されました。", "S-OK", NUMBER, "カードをお取りください")
        await counter.happens(CardTaken())
        await counter.until(lambda: "カードをお取りください" not in counter.text)
        await counter.press("enter")
        await counter.shows("カードを置いて、そのままお待ちください")
        assert counter.fakes.desk.asked[-1] == ("lookup",)


async def test_typing_the_number_twice_alike_reaches_step_three(start: Start) -> None:
    async with start() as counter:
        await at_step_two(counter)
        await counter.press(*NUMBER, "enter")
        await counter.shows("【もう一度入力】")
        await counter.press(*NUMBER, "enter")
        await counter.shows(f"{NUMBER}   【読み取りました】", "【登録】 Enter")


async def test_two_different_typings_begin_again(start: Start) -> None:
    async with start() as counter:
        await at_step_two(counter)
        await counter.press(*NUMBER, "enter", *"2802121235", "enter")
        await counter.shows("S-DIFF", "【待っています】")
        await counter.press("enter")
        assert not counter.fakes.desk.committed


async def test_a_scan_is_the_number_at_once(start: Start) -> None:
    async with start() as counter:
        await at_step_two(counter)
        for character in NUMBER:
            counter.app.post_message(events.Key(character, character))
        counter.app.post_message(events.Key("enter", "\r"))
        await counter.shows(f"{NUMBER}   【読み取りました】")


async def test_a_scan_on_the_reception_is_no_key_press(start: Start) -> None:
    async with start() as counter:
        for character in "2345678":
            counter.app.post_message(events.Key(character, character))
        counter.app.post_message(events.Key("enter", "\r"))
        await counter.shows("バーコードは、登録（F2）の手順２で読み取ってください")
        assert counter.rows[0].startswith(" 受付")


@pytest.mark.parametrize(
    ("typed", "code", "words"),
    [
        ("28021", "S-FMT", "6文字目"),
        ("28021A1234", "S-FMT", "6文字目"),
        ("123456789018", "S-MYNO", ""),
    ],
)
async def test_a_wrong_number_is_refused_with_its_code_and_place(
    start: Start, typed: str, code: str, words: str
) -> None:
    async with start() as counter:
        await at_step_two(counter)
        await counter.press(*typed, "enter")
        await counter.shows(code, words)
        assert "【もう一度入力】" not in counter.text


async def test_pasted_text_is_cleaned_and_is_no_scan(start: Start) -> None:
    async with start() as counter:
        await at_step_two(counter)
        counter.app.post_message(events.Paste("28\x1b[2J\u202e021\nSECOND"))
        await counter.shows("28␦[2J␦021")
        assert "SECOND" not in counter.text


async def test_a_card_that_is_no_member_card_says_so_and_step_two_goes_on(start: Start) -> None:
    async with start() as counter:
        await at_step_two(counter)
        await counter.happens(ServiceCardSeen(Stopped(Code.SERVICE_CARD_RANDOM)))
        await counter.shows("S-RANDOM", "【待っています】")
        await counter.happens(ServiceCardSeen(ServiceCardRead(ServiceId(NUMBER))))
        await counter.shows(f"{NUMBER}   【読み取りました】")


async def test_a_person_who_is_linked_already_hears_it_in_the_papers_words(start: Start) -> None:
    async with start() as counter:
        await counter.press("f2")
        await counter.shows("手順１")
        await counter.happens(ReadingStarted(), LookedUp(found("1111358665")))
        await counter.shows("既にサービスID登録済み", "S-DUP", "末尾：65", "何も登録していません")
        assert "1111358665" not in counter.text


@pytest.mark.parametrize(
    "code", [Code.LINK_DUPLICATE, Code.SERVICE_ID_TAKEN, Code.NOT_REGISTERED, Code.SUSPENDED]
)
async def test_a_final_refusal_stays_and_enter_leads_back(start: Start, code: Code) -> None:
    text = Catalog(Language.JAPANESE).code(code)
    async with start() as counter:
        await at_step_three(counter)
        await counter.press("enter")
        await counter.happens(LinkFinished(Stopped(code)))
        await counter.shows(text.title, code.value, text.say, "何も登録していません")
        await counter.press("enter")
        await counter.shows("カードを置いて、そのままお待ちください")


@pytest.mark.parametrize("code", [Code.CARD_SWAPPED, Code.CARD_REMOVED, Code.STORE_FULL])
async def test_what_may_go_well_next_time_can_be_tried_again(start: Start, code: Code) -> None:
    async with start() as counter:
        await at_step_three(counter)
        await counter.happens(CardTaken())
        await counter.press("enter")
        await counter.happens(LinkFinished(Stopped(code)))
        await counter.shows(code.value, "カードを置き直すか、Enter で手順３に戻ります")
        await counter.press("enter")
        await counter.shows(f"{NUMBER}   【読み取りました】")
        await counter.press("enter")
        assert len(counter.fakes.desk.committed) == 2


async def test_laying_the_right_card_after_a_wrong_one_goes_on_by_itself(start: Start) -> None:
    async with start() as counter:
        await at_step_three(counter)
        await counter.happens(CardTaken())
        await counter.press("enter")
        await counter.happens(CardWanted(), ReadingStarted())
        await counter.happens(LinkFinished(Stopped(Code.CARD_SWAPPED)))
        await counter.shows("C-SWAP")
        assert len(counter.fakes.desk.committed) == 1
        await counter.happens(CardTaken(), CardWanted())
        assert len(counter.fakes.desk.committed) == 2
        await counter.shows("C-SWAP")
        await counter.happens(ReadingStarted())
        await counter.shows("【登録しています】")
        await counter.happens(LinkFinished(Linked(Code.LINKED, ServiceId(NUMBER), 0)))
        await counter.shows("S-OK")


async def test_a_store_that_fails_at_once_is_not_asked_again_by_itself(start: Start) -> None:
    async with start() as counter:
        await at_step_three(counter)
        await counter.happens(CardTaken())
        await counter.press("enter")
        await counter.happens(LinkFinished(Stopped(Code.STORE_BUSY)))
        await counter.shows("K-BUSY")
        assert len(counter.fakes.desk.committed) == 1


async def test_a_member_card_still_lying_there_is_asked_back_before_step_three(
    start: Start,
) -> None:
    async with start() as counter:
        await at_step_two(counter)
        await counter.happens(ReadingStarted(), ServiceCardSeen(ServiceCardRead(ServiceId(NUMBER))))
        await counter.press("enter")
        await counter.shows("会員カードを取り、マイナンバーカードを置いてください")
        assert not counter.fakes.desk.committed
        await counter.happens(CardTaken())
        assert len(counter.fakes.desk.committed) == 1
        await counter.happens(CardWanted())
        await counter.shows("マイナンバーカードをもう一度置いてください")


async def test_after_the_last_word_the_next_card_is_answered_at_the_reception(
    start: Start,
) -> None:
    async with start() as counter:
        await at_step_three(counter)
        await counter.happens(CardTaken())
        await counter.press("enter")
        await counter.happens(LinkFinished(Linked(Code.LINKED, ServiceId(NUMBER), 0)))
        await counter.shows("S-OK")
        assert counter.fakes.desk.asked[-1] == ("lookup",)
        await counter.happens(ReadingStarted(), LookedUp(found("1111358665")))
        await counter.shows("【 受付できました 】", "1111358665")


async def test_a_card_taken_while_another_screen_is_open_is_not_asked_back_later(
    start: Start,
) -> None:
    async with start() as counter:
        await counter.happens(ReadingStarted(), LookedUp(NotLinked(CARD)))
        await counter.press("enter")
        await counter.shows("手順２")
        await counter.happens(CardTaken())
        await counter.press("escape")
        await counter.shows("カードを置いて、そのままお待ちください")


async def test_without_a_line_the_screen_says_what_becomes_of_the_link(start: Start) -> None:
    fakes = Fakes()
    fakes.counter.now = replace(STATUS, line=LineState.DOWN, waiting=4)
    async with start(fakes) as counter:
        await at_step_two(counter)
        await counter.shows("通信がないため", "通信が戻ると送信します（未送信 4件）")
        await counter.happens(ServiceCardSeen(ServiceCardRead(ServiceId(NUMBER))))
        await counter.press("enter")
        await counter.happens(LinkFinished(Linked(Code.LINK_QUEUED, ServiceId(NUMBER), 5)))
        await counter.shows("S-QUEUED", "未送信 5件", "通信が戻ると送信します")


async def test_r_reads_a_wrong_number_again(start: Start) -> None:
    async with start() as counter:
        await at_step_three(counter)
        await counter.press("r")
        await counter.shows("【待っています】")
        assert counter.fakes.desk.asked[-1] == ("service-card",)


async def test_escape_at_every_step_leads_back_to_the_reception(start: Start) -> None:
    async with start() as counter:
        await counter.press("f2")
        await counter.shows("手順１")
        await counter.press("escape")
        await at_step_two(counter)
        await counter.press("escape")
        await at_step_three(counter)
        await counter.press("escape")
        await counter.shows("カードを置いて、そのままお待ちください")
        assert counter.fakes.desk.asked[-1] == ("lookup",)
        assert not counter.fakes.desk.committed


async def test_enter_while_storing_says_why_it_is_dead(start: Start) -> None:
    async with start() as counter:
        await at_step_three(counter)
        await counter.press("enter", "enter", "enter")
        await counter.shows("登録しています。そのままお待ちください")
        assert len(counter.fakes.desk.committed) == 1


async def test_a_card_left_lying_is_asked_back_here_too(start: Start) -> None:
    async with start() as counter:
        await counter.press("f2")
        await counter.happens(ReadingStarted(), LookedUp(NotLinked(CARD)), CardForgotten())
        await counter.shows("カードが置いたままです")


async def test_the_language_key_works_while_a_number_is_typed(start: Start) -> None:
    async with start() as counter:
        await at_step_two(counter)
        await counter.press(*"280", "f9")
        await counter.shows("Service ID", "280", "press [Register]")


async def test_a_card_left_lying_does_not_hide_which_card_step_three_needs(start: Start) -> None:
    async with start() as counter:
        await counter.press("f2")
        await counter.happens(ReadingStarted(), LookedUp(NotLinked(CARD)), CardTaken())
        await counter.happens(ReadingStarted(), ServiceCardSeen(ServiceCardRead(ServiceId(NUMBER))))
        await counter.happens(CardForgotten())
        await counter.shows("カードが置いたままです")
        await counter.press("enter")
        await counter.shows("会員カードを取り、マイナンバーカードを置いてください。")
        assert "カードが置いたままです" not in counter.text
        await counter.happens(CardTaken(), CardWanted())
        await counter.shows("お客さまのマイナンバーカードが必要です")


async def test_a_scanner_on_its_own_port_gives_the_number_in_step_two_alone(start: Start) -> None:
    async with start() as counter:
        await counter.happens(Scanned(NUMBER))
        assert NUMBER not in counter.text
        await at_step_two(counter)
        await counter.happens(Scanned(NUMBER))
        await counter.shows(f"サービスID   {NUMBER}")


async def test_a_scanner_that_is_not_there_is_said_where_it_is_needed(start: Start) -> None:
    async with start() as counter:
        await counter.happens(ScannerIs(present=False))
        assert "D-SCANNER" not in counter.text
        await at_step_two(counter)
        await counter.shows("D-SCANNER", "ケーブルを差し直してください")
        await counter.happens(ScannerIs(present=True))
        await counter.until(lambda: "D-SCANNER" not in counter.text)
