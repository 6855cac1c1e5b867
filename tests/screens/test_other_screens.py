"""Queue, card view, help, tray, tour, exit: their keys and their words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mykey_tui.domain.assurance import PinPolicy
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.flows.card_text import card_fields, card_lines
from mykey_tui.flows.desk_events import CardShown, CardTaken, CardWanted, LookedUp, ReadingStarted
from mykey_tui.flows.outcomes import CardDetail, QueueItem, QueueState, Stopped
from mykey_tui.flows.services import PinWays
from mykey_tui.i18n.catalog import Catalog, Language
from mykey_tui.screens import actions
from tests.screens.conftest import Start
from tests.screens.fakes import DETAIL, QUEUE, STATUS, FakeDemo, Fakes, found


def with_queue() -> Fakes:
    fakes = Fakes()
    fakes.counter.items = QUEUE
    return fakes


async def test_the_queue_shows_age_kind_masked_number_and_state_of_each_row(start: Start) -> None:
    async with start(with_queue()) as counter:
        await counter.press("f3")
        await counter.shows("2時間前", "登録", "******1234", "送信待ち", "解除", "******1200")
        await counter.shows("送信待ち 1   保留 1   競合 2   受付不可 1")
        assert counter.fakes.desk.asked[-1] == ("nothing",)


async def test_the_row_under_the_pointer_is_explained(start: Start) -> None:
    async with start(with_queue()) as counter:
        await counter.press("f3")
        await counter.shows("通信が戻ると、受け付けた順に自動で送ります")
        await counter.press("down", "down")
        await counter.shows("S-DUP", "Enter で内容を見て", "この行は、ほかの送信を止めません")
        await counter.press("down")
        await counter.shows("S-TAKEN", "会員番号を確かめてください")
        await counter.press("up", "up", "up", "up")
        await counter.shows("（1 / 5 行目）")


async def test_only_a_row_that_is_held_back_can_be_sent_again_by_hand(start: Start) -> None:
    async with start(with_queue()) as counter:
        await counter.press("f3")
        await counter.shows("2時間前")
        await counter.press("r")
        await counter.shows("もう一度送れるのは「保留」の行だけです")
        await counter.press("down", "r")
        await counter.shows("もう一度送る列に戻しました")
        assert counter.fakes.counter.retried == [2]


async def test_s_asks_for_a_round_at_once(start: Start) -> None:
    async with start(with_queue()) as counter:
        await counter.press("f3", "s")
        await counter.shows("送信をはじめました")
        assert counter.fakes.counter.synced == 1


async def test_an_empty_queue_says_so(start: Start) -> None:
    async with start() as counter:
        await counter.press("f3")
        await counter.shows("未送信の登録はありません")
        await counter.press("r")
        await counter.shows("未送信の登録はありません")


async def test_the_queue_follows_the_status_by_itself(start: Start) -> None:
    async with start(with_queue()) as counter:
        await counter.press("f3")
        await counter.shows("******1234")
        counter.fakes.counter.items = ()
        counter.fakes.counter.now = replace(STATUS, waiting=1)
        await counter.shows("未送信の登録はありません")


async def test_a_queue_longer_than_the_screen_scrolls_with_the_pointer(start: Start) -> None:
    fakes = Fakes()
    fakes.counter.items = [
        QueueItem(n, "link", f"****{n:04}", 60.0, QueueState.WAITING, None) for n in range(500)
    ]
    async with start(fakes) as counter:
        await counter.press("f3")
        await counter.shows("****0000")
        await counter.press(*["down"] * 20)
        await counter.shows("> 1分前", "****0020", "（21 / 500 行目）")
        assert "****0000" not in counter.text


async def test_a_card_laid_at_the_queue_is_sent_to_the_reception(start: Start) -> None:
    async with start() as counter:
        await counter.press("f3")
        await counter.happens(LookedUp(found()))
        await counter.shows("カードの読み取りは、受付の画面")


async def test_the_card_view_says_that_revocation_was_not_checked(start: Start) -> None:
    async with start() as counter:
        await counter.press("f4")
        await counter.happens(CardWanted())
        await counter.shows("確認するカードを置いてください")
        assert counter.fakes.desk.asked[-2:] == [("nothing",), ("show-card",)]
        await counter.happens(ReadingStarted(), CardShown(DETAIL))
        await counter.shows("1C2410DF79DGEL", "07202002B", "福島県 市区町村コード 07202", "JPKI")
        await counter.shows("2029-01-01 まで（あと 900 日）", "失効は確認していません")


async def test_the_next_card_is_shown_as_well_and_the_last_stays_till_then(start: Start) -> None:
    async with start() as counter:
        await counter.press("f4")
        await counter.happens(ReadingStarted(), CardShown(DETAIL), CardTaken(), CardWanted())
        await counter.shows("1C2410DF79DGEL")
        assert counter.fakes.desk.asked.count(("show-card",)) == 2
        await counter.happens(ReadingStarted(), CardShown(replace(DETAIL, random_string="B" * 14)))
        await counter.shows("B" * 14)


async def test_a_long_issuer_goes_on_in_a_second_row(start: Start) -> None:
    issuer = (
        "C=JP, O=JPKI, OU=JPKI for user authentication, "
        "OU=Japan Agency for Local Authority Information Systems"
    )
    async with start() as counter:
        await counter.press("f4")
        await counter.happens(CardShown(replace(DETAIL, issuer=issuer)))
        await counter.shows("C=JP", "Authority Information", "失効は確認していません")


async def test_a_card_that_failed_a_check_shows_it_in_the_card_view(start: Start) -> None:
    expired = replace(
        DETAIL, verdict=Code.CERTIFICATE_EXPIRED, not_after=datetime(2025, 1, 1, tzinfo=UTC)
    )
    async with start() as counter:
        await counter.press("f4")
        await counter.happens(CardShown(expired))
        await counter.shows("有効期限が切れています（2025-01-01）", "C-EXPIRED")


async def test_the_card_view_is_exported_once_there_is_a_card(start: Start) -> None:
    async with start() as counter:
        await counter.press("f4", "e")
        await counter.shows("先にカードを読み取ってください")
        await counter.happens(CardShown(DETAIL))
        await counter.press("e")
        await counter.shows("マイキーID入り", "/home/counter/card.txt")
        assert counter.fakes.counter.exported == [DETAIL]
        counter.fakes.counter.export_error = StoreError(Code.STORE_FULL)
        await counter.press("e")
        await counter.shows("K-FULL")


async def test_a_card_view_without_a_card_says_why(start: Start) -> None:
    async with start() as counter:
        await counter.press("f4")
        await counter.happens(ReadingStarted(), CardShown(Stopped(Code.CARD_NOT_JPKI)))
        await counter.shows("C-OTHER", "マイナンバーカードではないようです")


async def test_the_help_lists_the_keys_of_the_screen_below(start: Start) -> None:
    catalog = Catalog(Language.JAPANESE)
    async with start() as counter:
        await counter.press("f1")
        for action in (actions.LINK, actions.QUEUE, actions.CARD, actions.TEST, actions.LEAVE):
            await counter.shows(f"{action.shown} ({action.other})", catalog.text(action.help))
        await counter.press("escape", "f3", "1")
        await counter.shows(catalog.text(actions.RETRY.help))


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (PinPolicy.NEVER, "暗証番号は使いません"),
        (PinPolicy.ON_LINK, "暗証番号は登録と解除のときだけ、お客さまが入力します"),
        (PinPolicy.ALWAYS, "暗証番号は受付のたびに、お客さまが入力します"),
    ],
)
async def test_the_help_said_that_no_pin_is_asked_where_the_provider_asks_for_one(
    start: Start, policy: PinPolicy, said: str
) -> None:
    async with start(Fakes(demo=FakeDemo(), pin=PinWays(policy))) as counter:
        await counter.press("f1")
        await counter.shows(said, "L-SUSP")
        assert counter.text.count("暗証番号") == 1


async def test_the_help_of_a_counter_that_cannot_start_promises_nothing_of_a_pin(
    start: Start,
) -> None:
    fakes = Fakes(start_error=StoreError(Code.STORE_SETTINGS, "pin.policy"))
    async with start(fakes, ready=False) as counter:
        await counter.shows("K-SET")
        await counter.press("f1")
        await counter.shows("L-SUSP")
        assert "暗証番号" not in counter.text


async def test_a_card_closes_the_help_and_is_answered(start: Start) -> None:
    async with start() as counter:
        await counter.press("f1")
        await counter.happens(ReadingStarted(), LookedUp(found()))
        await counter.shows("【 受付できました 】", "2802121234")


async def test_one_key_opens_the_tray_and_one_lays_a_card(start: Start) -> None:
    async with start(Fakes(demo=FakeDemo())) as counter:
        await counter.press("f8")
        await counter.shows("1  登録済みのカード", "A  早く離れるカード")
        await counter.press("a")
        demo = counter.fakes.demo
        await counter.until(lambda: demo is not None and demo.laid == ["a"])
        await counter.shows("カードを置いて")
        await counter.press("8", "down", "enter")
        await counter.until(lambda: demo is not None and len(demo.laid) == 2)
        await counter.press("8")
        await counter.shows("いま置いてあります")
        await counter.press("backspace")
        await counter.until(lambda: demo is not None and demo.removed == 1)


async def test_the_tour_is_one_page(start: Start) -> None:
    async with start(Fakes(demo=FakeDemo())) as counter:
        await counter.press("f7")
        await counter.shows("ひとめぐり", "1. ", "7. F4 はカードの中身")
        await counter.press("enter")
        await counter.shows("カードを置いて")


async def test_ending_is_asked_first_and_escape_stays(start: Start) -> None:
    fakes = Fakes()
    fakes.counter.now = replace(STATUS, waiting=4, unsent=5)
    async with start(fakes) as counter:
        await counter.press("f10")
        await counter.shows("受付アプリを終わりますか", "未送信の 5件は、この端末にしかありません")
        await counter.shows("端末を初期化したり、データを消したりしないでください")
        await counter.press("escape")
        await counter.shows("カードを置いて")
        await counter.press("0", "y")
        await counter.until(lambda: not counter.app.is_running)
    assert counter.app.return_code == 0


@pytest.mark.parametrize("key", ["ctrl+c", "ctrl+q", "ctrl+d", "ctrl+z"])
async def test_control_keys_do_not_end_the_program(start: Start, key: str) -> None:
    async with start() as counter:
        await counter.press(key)
        await counter.shows("終わるときは、受付の画面で F10")
        assert counter.app.is_running


@pytest.mark.parametrize("key", ["f11", "z", "tab", "ctrl+p"])
async def test_a_dead_key_says_so(start: Start, key: str) -> None:
    async with start() as counter:
        await counter.press(key)
        await counter.shows("キーは、この画面では使いません")


@pytest.mark.parametrize("keys", [("f2",), ("f3",), ("f4",), ("f1",), ("f7",), ("f8",), ("f10",)])
async def test_escape_always_leads_back(start: Start, keys: tuple[str, ...]) -> None:
    async with start(Fakes(demo=FakeDemo())) as counter:
        await counter.press(*keys)
        await counter.until(lambda: len(counter.app.screen_stack) == 2)
        await counter.press("escape")
        await counter.shows("カードを置いて、そのままお待ちください")


@pytest.mark.parametrize(
    "action", [action for action in actions.ALL if action.keys[0].startswith("f")]
)
def test_every_function_key_has_a_digit_or_letter_beside_it(action: actions.Action) -> None:
    assert action.other


def certificate_of(verdict: Code | None) -> CardDetail:
    issuer = (
        "C=JP, O=JPKI, OU=JPKI for user authentication, "
        "OU=Japan Agency for Local Authority Information Systems"
    )
    return replace(DETAIL, issuer=issuer, verdict=verdict, days_left=-30 if verdict else 900)


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("verdict", [None, Code.CERTIFICATE_EXPIRED, Code.CERTIFICATE_FORGED])
async def test_the_exported_text_says_what_the_screen_says_and_no_more(
    start: Start, language: Language, verdict: Code | None
) -> None:
    detail = certificate_of(verdict)
    async with start(language=language) as counter:
        await counter.press("f4")
        await counter.happens(CardShown(detail))
        await counter.shows("1C2410DF79DGEL")
        shown = "".join("\n".join(counter.rows[2:20]).split())
    title, *fields, end = card_lines(detail, Catalog(language), simulated=False)
    exported = "".join((title, *(field.replace(": ", "", 1) for field in fields), end))
    assert "".join(exported.split()) == shown


def test_the_card_view_has_the_agreed_fields_and_no_other() -> None:
    names = [field.name for field in card_fields(DETAIL, Catalog(Language.ENGLISH))]
    assert names == [
        "Random string", "Reception terminal code", "Issuer", "Valid", "Verdict",
    ]  # fmt: skip


def test_a_code_of_no_prefecture_is_not_given_one() -> None:
    detail = replace(DETAIL, terminal_code="99999001A", municipality_code="99999")
    terminal = card_fields(detail, Catalog(Language.ENGLISH))[1].value
    assert terminal == "99999001A   no prefecture has this number"


@pytest.mark.parametrize(
    ("language", "terminal"),
    [
        (Language.JAPANESE, "07202002B   福島県会津若松市（市区町村コード 07202）"),
        (Language.ENGLISH, "07202002B   Fukushima, municipality 07202"),
    ],
)
def test_a_municipality_that_a_list_knows_is_named_in_japanese(
    language: Language, terminal: str
) -> None:
    detail = replace(DETAIL, municipality="会津若松市")
    assert card_fields(detail, Catalog(language))[1].value == terminal


async def test_capital_letters_do_what_the_key_row_prints(start: Start) -> None:
    async with start() as counter:
        await counter.press("X")
        await counter.shows("診断")
        await counter.press("B")
        await counter.shows("スキャナーの確認")
        await counter.press("escape", "escape", "f10")
        await counter.press("Y")
        await counter.until(
            lambda: counter.app.return_code is not None or not counter.app.is_running
        )
