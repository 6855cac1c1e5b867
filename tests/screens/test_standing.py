"""What the whole counter suffers from: one row under the head, on every screen, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.flows.desk_events import CardTaken, LookedUp, ReadingStarted
from mykey_tui.flows.outcomes import (
    LineState,
    Loading,
    NotLoaded,
    Status,
    Stopped,
    Unconfirmed,
)
from mykey_tui.flows.standing import STANDING, STUCK_DOWN_SECONDS, STUCK_UP_SECONDS, standing_code
from mykey_tui.i18n.catalog import Catalog, Language
from mykey_tui.screens.profile import RICH, RenderProfile
from tests.screens.conftest import CONSOLE, Start
from tests.screens.fakes import STATUS, Fakes, found, identified

HOUR = 3600.0
VALUES = {"hours": "30", "count": "4", "rows": "0"}
OLD = Unconfirmed(identified(), Code.ROWS_OLD, VALUES)


def having(**more: object) -> Fakes:
    fakes = Fakes()
    fakes.counter.now = replace(STATUS, **more)  # type: ignore[arg-type]  # the test says what
    return fakes


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, None),
        ({"line": LineState.DOWN, "line_code": Code.LINE_DOWN}, None),
        ({"line_code": Code.SERVER_BUSY}, None),
        ({"line_code": Code.STORE_BUSY}, None),
        ({"line_code": Code.SERVER_BROKEN}, Code.SERVER_BROKEN),
        ({"line_code": Code.SERVER_NEWER}, Code.SERVER_NEWER),
        ({"line_code": Code.STORE_FULL}, Code.STORE_FULL),
        ({"line_code": Code.SERVER_COPIED}, Code.SERVER_COPIED),
        ({"line_code": Code.SERVER_DIGEST}, Code.SERVER_DIGEST),
        ({"oldest_seconds": STUCK_UP_SECONDS}, None),
        ({"oldest_seconds": STUCK_UP_SECONDS + 1}, Code.QUEUE_STUCK),
        ({"line": LineState.DOWN, "oldest_seconds": STUCK_DOWN_SECONDS}, None),
        ({"line": LineState.DOWN, "oldest_seconds": STUCK_DOWN_SECONDS + 1}, Code.QUEUE_STUCK),
        ({"age_code": Code.ROWS_OLD}, Code.ROWS_OLD),
        ({"age_code": Code.ROWS_OLD, "line_code": Code.SERVER_BROKEN}, Code.SERVER_BROKEN),
        ({"age_code": Code.ROWS_STALE, "line_code": Code.SERVER_BROKEN}, Code.ROWS_STALE),
    ],
)
def test_the_gravest_thing_is_said_and_what_mends_itself_is_not(
    more: dict[str, object], code: Code | None
) -> None:
    assert standing_code(replace(STATUS, **more)) is code  # type: ignore[arg-type]


def status_with(code: Code) -> Status:
    """A status whose standing code is `code`."""
    many = replace(STATUS, revocation_age_seconds=99 * HOUR, waiting=12345, unsent=12345)
    if code is Code.QUEUE_STUCK:
        return replace(many, oldest_seconds=99 * 24 * HOUR)
    if code.value.startswith("L-"):
        return replace(many, age_code=code)
    return replace(many, line_code=code)


@pytest.mark.parametrize("profile", [RICH, CONSOLE], ids=lambda profile: profile.render.value)
@pytest.mark.parametrize("language", list(Language))
async def test_every_banner_fits_its_row_and_names_its_code(
    start: Start, language: Language, profile: RenderProfile
) -> None:
    fakes = Fakes()
    async with start(fakes, language=language, profile=profile) as counter:
        for code in sorted(STANDING, key=lambda code: code.value):
            counter.app.post_message(counter.app.StatusIs(status_with(code)))
            await counter.shows(f" {code.value}  ")
            whole = Catalog(counter.app.face.catalog.language).text(
                f"banner.{code.value}", age="99", count=12345
            )
            assert cell_len(counter.rows[1]) < 80, counter.rows[1]
            assert counter.rows[1].endswith(whole[-6:])


async def test_the_banner_is_on_every_screen_and_goes_when_it_is_over(start: Start) -> None:
    fakes = having(line=LineState.BROKEN, line_code=Code.SERVER_BROKEN)
    async with start(fakes) as counter:
        for keys in ((), ("f2",), ("escape", "f3"), ("escape", "f4"), ("escape", "f1")):
            await counter.press(*keys)
            await counter.shows("N-SERVER", "受付と登録は続きます。管理者に連絡")
        fakes.counter.now = STATUS
        await counter.until(lambda: set(counter.rows[1]) == {"─"})


async def test_nobody_is_sent_to_the_queue_who_is_looking_at_it(start: Start) -> None:
    stuck = having(waiting=1, unsent=2, oldest_seconds=2 * HOUR)
    async with start(stuck) as counter:
        await counter.shows("送信が止まっています（2件、最古 2時間）。F3 で確かめてください")
        await counter.press("f3")
        await counter.shows("送信が止まっています（2件、最古 2時間）。続くときは管理者に連絡")
        assert "F3" not in counter.rows[1]
        await counter.press("escape")
        await counter.shows("F3 で確かめてください")


@pytest.mark.parametrize("language", list(Language))
def test_the_sentence_beside_the_queue_fits_its_row(language: Language) -> None:
    words = Catalog(language).text("banner.S-STUCK.here", age="99 days", count=12345)
    assert cell_len(f" S-STUCK  {words}") < 80, words


async def test_old_rows_are_accepted_once_for_each_card_with_enter(start: Start) -> None:
    async with start(having(age_code=Code.ROWS_OLD, revocation_age_seconds=30 * HOUR)) as counter:
        await counter.shows("失効情報が古くなっています（30時間前）", "失効情報 30時間前")
        await counter.happens(ReadingStarted(), LookedUp(OLD), CardTaken())
        await counter.shows("L-OLD", "30時間届いていない", "Enter  受け付ける")
        await counter.shows("まだレジには何も送っていません")
        assert ("confirm-lookup",) not in counter.fakes.desk.asked
        await counter.press("enter")
        await counter.shows("レジへ送っています")
        await counter.press("enter", "escape")
        assert counter.fakes.desk.asked.count(("confirm-lookup",)) == 1
        await counter.happens(LookedUp(found()))
        await counter.shows("【 受付できました 】", "2802121234")


@pytest.mark.parametrize("key", ["escape", "f3"])
async def test_without_enter_nothing_is_handed_over(start: Start, key: str) -> None:
    async with start() as counter:
        await counter.happens(LookedUp(OLD))
        await counter.shows("Enter  受け付ける")
        await counter.press(key)
        assert ("confirm-lookup",) not in counter.fakes.desk.asked


async def test_the_next_card_takes_the_place_of_one_that_was_not_confirmed(start: Start) -> None:
    async with start() as counter:
        await counter.happens(LookedUp(OLD))
        await counter.shows("Enter  受け付ける")
        await counter.happens(ReadingStarted(), LookedUp(Stopped(Code.SUSPENDED)), CardTaken())
        await counter.press("enter")
        await counter.shows("カードを置いて")
        assert ("confirm-lookup",) not in counter.fakes.desk.asked


async def test_while_the_first_rows_come_their_number_is_said_and_not_not_linked(
    start: Start,
) -> None:
    fakes = having(age_code=Code.ROWS_LOADING, loading=Loading(45_000, 45), rows=0)
    async with start(fakes) as counter:
        await counter.shows("登録内容を読み込んでいます（45,000件、45％）")
        loading = LookedUp(NotLoaded(identified(), VALUES))
        await counter.happens(ReadingStarted(), loading, CardTaken())
        await counter.shows("L-LOAD", "登録だけなら、F2", "レジには何も送っていません")
        assert "L-NONE" not in counter.text
        await counter.press("enter")
        await counter.shows("カードを置いて")


async def test_a_card_may_be_linked_while_the_first_rows_come_and_the_doubt_is_said(
    start: Start,
) -> None:
    fakes = having(age_code=Code.ROWS_LOADING, loading=Loading(45_000, 45), rows=0)
    async with start(fakes) as counter:
        await counter.press("f2")
        await counter.happens(LookedUp(NotLoaded(identified(), VALUES)))
        await counter.shows("【待っています】", "二重の登録かどうかは、送信のときに分かります")


async def test_a_linked_card_in_old_rows_is_not_linked_again(start: Start) -> None:
    async with start() as counter:
        await counter.press("f2")
        await counter.happens(LookedUp(OLD))
        await counter.shows("既にサービスID登録済み", "S-DUP")


async def test_loading_anew_stops_nobody(start: Start) -> None:
    async with start(having(loading=Loading(900, 9))) as counter:
        await counter.shows("登録内容を読み直しています（900件、9％）。受付は続けられます")
        await counter.happens(LookedUp(found()))
        await counter.shows("【 受付できました 】")


async def test_a_retired_counter_says_so_and_asks_nothing_more(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start() as counter:
        await counter.press("f3")

        def ended() -> Status:
            raise ServerError(Code.SERVER_RETIRED)

        monkeypatch.setattr(counter.fakes.counter, "status", ended)
        await counter.shows("N-RETIRED", "この端末は廃止されました", "鍵とデータを消しました")
        assert counter.app.services is None
        await counter.happens(ReadingStarted(), LookedUp(found()))
        await counter.shows("N-RETIRED")
