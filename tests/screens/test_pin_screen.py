"""The PIN screen: boxes and no digits, one attempt for one press, and what empties it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from textual import events

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ReaderError
from mykey_tui.domain.ids import ServiceId
from mykey_tui.flows import pin_entry
from mykey_tui.flows.desk_events import (
    CardForgotten,
    CardTaken,
    DeskEvent,
    LinkFinished,
    LookedUp,
    ReadingStarted,
    ServiceCardSeen,
)
from mykey_tui.flows.outcomes import Linked, NotLinked, PinWanted, ServiceCardRead, Stopped
from mykey_tui.flows.pin_entry import PinGiven
from mykey_tui.flows.services import KeypadSign, PinWays
from mykey_tui.i18n.catalog import Language
from mykey_tui.screens import pin as pin_screen
from mykey_tui.screens.pin import PinScreen
from tests.screens.conftest import CONSOLE, Counter, Start
from tests.screens.fakes import FakeKeypad, Fakes, found, identified

FULL, EMPTY = "|  ###  |", "|       |"


def wanted(tries: int | None = 3, *, on_reader: bool = False) -> LookedUp:
    return LookedUp(PinWanted(identified(), tries, on_reader=on_reader))


def wrong(count: int) -> LookedUp:
    code = Code.PIN_WRONG if count else Code.PIN_BLOCKED
    return LookedUp(Stopped(code, {"count": str(count)}))


def boxes(counter: Counter) -> int:
    """How many boxes are full; two rows show each."""
    return counter.text.count(FULL) // 2


async def ask(counter: Counter, event: DeskEvent | None = None) -> PinScreen:
    await counter.happens(ReadingStarted(), event or wanted())
    await counter.until(lambda: isinstance(counter.app.screen, PinScreen))
    screen = counter.app.screen
    assert isinstance(screen, PinScreen)
    return screen


def nothing_is_left(counter: Counter, screen: PinScreen) -> bool:
    return screen._entry.count == 0 and screen not in counter.app.screen_stack


@pytest.mark.parametrize("language", list(Language))
async def test_the_tries_left_are_said_before_anybody_types(
    start: Start, language: Language
) -> None:
    words = {Language.JAPANESE: "暗証番号の残り回数：3回", Language.ENGLISH: "PIN tries left: 3"}
    async with start(language=language) as counter:
        await ask(counter)
        await counter.shows(words[language])
        assert boxes(counter) == 0
        assert counter.fakes.desk.pins == []


async def test_digits_are_boxes_and_are_never_shown(start: Start) -> None:
    async with start() as counter:
        await ask(counter)
        for full in range(1, 5):
            await counter.press("7")
            await counter.until(lambda full=full: boxes(counter) == full)  # type: ignore[misc]  # the loop's own
            assert "7" not in re.sub(r"2号レジ", "", counter.text.replace("1204", ""))
        picture = counter.app.export_screenshot()
        assert "7777" not in picture
        assert counter.fakes.desk.pins == []


async def test_enter_sends_it_once_and_a_second_enter_sends_nothing(start: Start) -> None:
    async with start() as counter:
        screen = await ask(counter)
        await counter.press("7", "3", "5", "1", "enter", "enter", "enter")
        assert counter.fakes.desk.pins == [("7351", False)]
        assert screen._entry.count == 0
        await counter.happens(ReadingStarted(), LookedUp(found()))
        await counter.shows("受付できました")
        assert nothing_is_left(counter, screen)
        assert counter.fakes.desk.pins == [("7351", False)]


@pytest.mark.parametrize("digits", ["", "7", "735"])
async def test_enter_before_the_fourth_digit_sends_nothing(start: Start, digits: str) -> None:
    async with start() as counter:
        await ask(counter)
        await counter.press(*digits, "enter")
        await counter.shows("暗証番号は数字4桁です")
        assert counter.fakes.desk.pins == []


async def test_a_digit_can_be_put_right_also_one_too_many(start: Start) -> None:
    async with start() as counter:
        await ask(counter)
        await counter.press(*"7359", "backspace", *"14", "backspace", "enter")
        assert counter.fakes.desk.pins == [("7351", False)]


@pytest.mark.parametrize("number", ["4912345678904", "735199"], ids=["barcode", "signature PIN"])
async def test_a_longer_number_costs_no_try_and_is_forgotten(start: Start, number: str) -> None:
    async with start() as counter:
        screen = await ask(counter)
        await counter.pilot.press(*number, "enter")
        await counter.shows("暗証番号は数字4桁です")
        assert (boxes(counter), screen._entry.count) == (0, 0)
        assert counter.fakes.desk.pins == []
        await counter.press(*"7351", "enter")
        assert counter.fakes.desk.pins == [("7351", False)]


CODES = ["A7351", "73B51", "7351C", "7-3-5-1", "7 351", "735１"]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("slowly", [True, False])
async def test_a_code_with_four_digits_in_it_was_sent_as_a_pin(
    start: Start, code: str, slowly: bool
) -> None:
    async with start() as counter:
        screen = await ask(counter)
        for character in code:
            counter.app.post_message(events.Key(character, character))
            await counter.pilot.pause(0.06 if slowly else 0)
        await counter.press("enter")
        await counter.shows("暗証番号は数字4桁です")
        assert (boxes(counter), screen._entry.count) == (0, 0)
        assert counter.fakes.desk.pins == []
        await counter.press(*"7351", "enter")
        assert counter.fakes.desk.pins == [("7351", False)]


async def test_four_digits_as_fast_as_a_scanner_s_are_no_pin(start: Start) -> None:
    async with start() as counter:
        await ask(counter)
        keys = [events.Key(digit, digit) for digit in "7351"]
        for key in keys:
            counter.app.post_message(key)
        await counter.until(lambda: boxes(counter) == 4)
        await counter.press("enter")
        await counter.shows("バーコードのような速さでした")
        assert boxes(counter) == 0
        assert counter.fakes.desk.pins == []
        await counter.press(*"7351", "enter")
        assert counter.fakes.desk.pins == [("7351", False)]


async def test_a_letter_by_mistake_is_said_and_taken_back(start: Start) -> None:
    async with start() as counter:
        await ask(counter)
        await counter.press(*"73", "q")
        await counter.shows("暗証番号は数字4桁です")
        await counter.press("backspace", *"51", "enter")
        assert counter.fakes.desk.pins == [("7351", False)]


async def test_keys_typed_before_the_screen_are_no_digits_of_the_pin(start: Start) -> None:
    async with start() as counter:
        counter.app.use_scan_gap(0.2)
        counter.app.post_message(events.Key("7", "7"))
        screen = await ask(counter)
        counter.app.post_message(events.Key("3", "3"))
        await counter.pilot.pause(0.4)
        await counter.press("5", "1")
        assert bytes(screen._entry._digits) == b"351"


async def test_keys_held_when_the_screen_opens_do_not_come_later(start: Start) -> None:
    async with start() as counter:
        counter.app.use_scan_gap(0.2)
        counter.app.post_message(events.Key("7", "7"))
        screen = await ask(counter)
        await counter.pilot.pause(0.4)
        assert screen._entry.count == 0


async def test_a_wrong_pin_says_what_is_left_and_the_boxes_are_empty(start: Start) -> None:
    async with start() as counter:
        await ask(counter)
        await counter.press(*"0000", "enter")
        await counter.happens(ReadingStarted(), wrong(2))
        await counter.shows("C-PINWRONG", "暗証番号の残り回数：2回")
        assert boxes(counter) == 0
        await counter.press("enter")
        assert counter.fakes.desk.pins == [("0000", False)]
        await counter.press(*"7351", "enter")
        assert counter.fakes.desk.pins == [("0000", False), ("7351", False)]


@pytest.mark.parametrize("tries", [1, None])
async def test_the_last_try_wants_a_word_typed_on_purpose(start: Start, tries: int | None) -> None:
    async with start() as counter:
        await ask(counter, wanted(tries))
        await counter.shows("LAST")
        await counter.press(*"7351", "enter")
        assert counter.fakes.desk.pins == []
        await counter.press(*"lst", "enter", *"last", "enter")
        await counter.until(lambda: EMPTY in counter.text)
        assert boxes(counter) == 0
        await counter.press(*"7351", "enter")
        assert counter.fakes.desk.pins == [("7351", True)]


async def test_the_word_counts_for_one_attempt_only(start: Start) -> None:
    async with start() as counter:
        await ask(counter, wanted(1))
        await counter.press(*"last", "enter", *"0000", "enter")
        await counter.happens(LookedUp(Stopped(Code.PIN_LAST, {"count": "1"})))
        await counter.press(*"7351", "enter")
        assert counter.fakes.desk.pins == [("0000", True)]


@pytest.mark.parametrize("how", ["at once", "after a wrong one"])
async def test_a_locked_pin_shows_the_slip_and_writes_it_out(start: Start, how: str) -> None:
    async with start() as counter:
        await ask(counter, wanted(0) if how == "at once" else wanted(2))
        if how != "at once":
            await counter.press(*"0000", "enter")
            await counter.happens(ReadingStarted(), wrong(0))
        await counter.shows("C-PINLOCK", "市区町村の窓口")
        sent = list(counter.fakes.desk.pins)
        await counter.press(*"7351")
        await counter.press("e")
        await counter.shows("pin-slip.txt")
        (slip,) = counter.fakes.counter.slips
        assert "市区町村の窓口" in slip
        assert not re.search(r"1C2410|07202|2802|7351", slip)
        await counter.happens(CardTaken())
        assert "市区町村の窓口" in counter.text
        await counter.press("enter")
        await counter.shows("C-PINLOCK")
        assert counter.fakes.desk.pins == sent


async def test_a_card_taken_while_typing_empties_it_and_is_no_wrong_pin(start: Start) -> None:
    async with start() as counter:
        screen = await ask(counter)
        await counter.press(*"735")
        await counter.happens(CardTaken())
        await counter.shows("C-REMOVED")
        assert nothing_is_left(counter, screen)
        assert counter.fakes.desk.pins == []


async def test_a_card_that_waits_for_its_pin_is_not_called_forgotten(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[bool] = []
    async with start() as counter:
        monkeypatch.setattr(counter.app, "bell", lambda: rung.append(True))
        await ask(counter)
        await counter.happens(CardForgotten())
        assert "Enter で送ります" in counter.text
        assert rung == []
        await counter.press("escape")
        await counter.shows("カードをお取りください")


async def test_the_language_changes_with_its_function_key_and_with_no_digit(start: Start) -> None:
    async with start() as counter:
        await ask(counter, wanted(1))
        await counter.press(*"9191")
        assert "LAST と入力し" in counter.text
        await counter.press("f9")
        await counter.shows("PIN tries left: 1")
        await counter.press(*"last", "enter", "9")
        await counter.until(lambda: boxes(counter) == 1)
        assert "PIN tries left: 1" in counter.text


async def test_escape_gives_up_and_empties_it(start: Start) -> None:
    async with start() as counter:
        screen = await ask(counter)
        await counter.press(*"7351", "escape")
        await counter.shows("C-PIN")
        assert nothing_is_left(counter, screen)
        assert counter.fakes.desk.pins == []


async def test_nobody_typing_ends_it(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pin_screen, "QUIET_SECONDS", 0.3)
    async with start() as counter:
        screen = await ask(counter)
        await counter.press("7")
        await counter.shows("C-PIN")
        assert nothing_is_left(counter, screen)


async def test_what_is_sent_is_waited_for(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pin_screen, "QUIET_SECONDS", 2.0)
    async with start() as counter:
        screen = await ask(counter)
        await counter.press(*"7351", "enter", "escape")
        await counter.pilot.pause(2.5)
        assert screen in counter.app.screen_stack


# The resident's own keypad


async def test_the_keypad_is_taken_and_the_staff_s_keys_are_not(start: Start) -> None:
    keypad = FakeKeypad()
    async with start(Fakes(pin=PinWays(keypad=keypad))) as counter:
        await ask(counter)
        await counter.press(*"9999")
        await counter.shows("テンキーを使ってください")
        assert boxes(counter) == 0
        keypad.press("7351")
        await counter.until(lambda: boxes(counter) == 4)
        keypad.tell(KeypadSign.ENTER)
        keypad.tell(KeypadSign.ENTER)
        await counter.until(lambda: bool(counter.fakes.desk.pins))
        await counter.happens(LookedUp(found()))
        assert counter.fakes.desk.pins == [("7351", False)]
        assert (keypad.started, keypad.stopped) == (1, 1)


async def test_a_longer_number_on_the_keypad_costs_no_try(start: Start) -> None:
    keypad = FakeKeypad()
    async with start(Fakes(pin=PinWays(keypad=keypad))) as counter:
        screen = await ask(counter)
        keypad.press("735199")
        keypad.tell(KeypadSign.ENTER)
        await counter.shows("暗証番号は数字4桁です")
        assert (boxes(counter), screen._entry.count) == (0, 0)
        assert counter.fakes.desk.pins == []


async def test_keys_after_enter_do_not_change_what_was_sent(start: Start) -> None:
    keypad = FakeKeypad()
    fakes = Fakes(pin=PinWays(keypad=keypad))
    kept: list[PinGiven] = []
    fakes.desk.lookup_with_pin = lambda card, given: kept.append(given)  # type: ignore[method-assign]  # a slow card thread
    async with start(fakes) as counter:
        await ask(counter)
        keypad.press("7351")
        keypad.tell(KeypadSign.ENTER)
        await counter.until(lambda: bool(kept))
        assert keypad.entry is not None
        keypad.entry.erase()
        keypad.press("99")
        (given,) = kept
        assert given.entry is not None
        assert given.entry.take() == "7351"


async def test_a_slip_that_nobody_closes_goes_after_a_while(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pin_screen, "QUIET_SECONDS", 0.3)
    async with start() as counter:
        screen = await ask(counter, wanted(0))
        await counter.until(lambda: screen not in counter.app.screen_stack)
        await counter.shows("C-PINLOCK")


@pytest.mark.parametrize(
    ("sign", "code"), [(KeypadSign.CANCEL, "C-PIN"), (KeypadSign.GONE, "D-KEYPAD")]
)
async def test_a_keypad_that_gives_up_ends_it(start: Start, sign: KeypadSign, code: str) -> None:
    keypad = FakeKeypad()
    async with start(Fakes(pin=PinWays(keypad=keypad))) as counter:
        screen = await ask(counter)
        keypad.press("73")
        keypad.tell(sign)
        await counter.shows(code)
        assert nothing_is_left(counter, screen)


@pytest.mark.parametrize(
    "ways", [PinWays(), PinWays(keypad=FakeKeypad(ReaderError(Code.KEYPAD_NONE)))]
)
async def test_with_nothing_to_type_on_the_visit_ends(start: Start, ways: PinWays) -> None:
    async with start(Fakes(pin=ways)) as counter:
        await counter.happens(ReadingStarted(), wanted())
        await counter.shows("D-KEYPAD")
        assert counter.fakes.desk.pins == []


async def test_a_system_that_would_keep_a_core_takes_no_pin(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(pin_entry, "forbid_core_dumps", refused)
    async with start() as counter:
        await counter.happens(ReadingStarted(), wanted())
        await counter.shows("D-KEYPAD")


async def test_digits_sent_by_the_keypad_before_the_word_are_no_pin(start: Start) -> None:
    keypad = FakeKeypad()
    async with start(Fakes(pin=PinWays(keypad=keypad))) as counter:
        screen = await ask(counter, wanted(1))
        keypad.press("73")
        await counter.press(*"last", "enter")
        await counter.until(lambda: EMPTY in counter.text)
        assert (boxes(counter), screen._entry.count) == (0, 0)


async def test_a_reader_with_keys_begins_with_enter(start: Start) -> None:
    async with start(Fakes(pin=PinWays())) as counter:
        await ask(counter, wanted(on_reader=True))
        await counter.shows("カードリーダー")
        await counter.press(*"7351", "enter", "enter")
        assert counter.fakes.desk.pins == [(None, False)]


# Over the link screen, on a console, and before the answer


async def test_step_three_of_linking_asks_and_goes_on(start: Start) -> None:
    async with start() as counter:
        await counter.happens(ReadingStarted(), LookedUp(NotLinked(identified())))
        await counter.press("enter")
        await counter.happens(ServiceCardSeen(ServiceCardRead(ServiceId("2802121234"))))
        await counter.happens(CardTaken())
        await counter.press("enter")
        screen = await ask(counter, LinkFinished(PinWanted(identified(), 3)))
        await counter.press(*"7351", "enter")
        assert counter.fakes.desk.pins == [("7351", False)]
        done = Linked(Code.LINKED, ServiceId("2802121234"), 0)
        await counter.happens(ReadingStarted(), LinkFinished(done))
        await counter.shows("S-OK")
        assert nothing_is_left(counter, screen)


async def test_it_fits_a_linux_console_in_ascii(start: Start) -> None:
    async with start(profile=CONSOLE, language=Language.ENGLISH) as counter:
        await ask(counter)
        await counter.press("7")
        await counter.until(lambda: boxes(counter) == 1)
        assert counter.text.isascii()
        assert len(counter.rows) == 24
        assert max(map(len, counter.rows)) <= 80


async def test_leaving_the_screen_for_another_card_s_answer_empties_it(start: Start) -> None:
    async with start() as counter:
        screen = await ask(counter)
        await counter.press(*"73")
        await counter.happens(ReadingStarted(), LookedUp(Stopped(Code.CARD_SWAPPED)))
        await counter.shows("C-SWAP")
        assert nothing_is_left(counter, screen)


KEY_LOG = """
import asyncio, os, sys
from mykey_tui.screens.profile import RICH, prepare_environment
if sys.argv[1] == "ours":
    prepare_environment(os.environ, RICH)
from textual.app import App
class Plain(App):
    pass
async def main():
    app = Plain()
    async with app.run_test() as pilot:
        await pilot.press(*"7351")
asyncio.run(main())
"""


@pytest.mark.parametrize("who", ["anybody's", "ours"])
def test_the_digits_are_in_no_log_of_the_screen_library(tmp_path: Path, who: str) -> None:
    """Teeth: the same keys in a program that does not switch that log off are in it."""
    log = tmp_path / "textual.log"
    environment = {**os.environ, "TEXTUAL_LOG": str(log), "TEXTUAL": "debug"}
    subprocess.run([sys.executable, "-c", KEY_LOG, who], env=environment, check=True, timeout=60)
    told = log.read_text("utf-8") if log.exists() else ""
    assert ("key='7'" in told) is (who == "anybody's")
