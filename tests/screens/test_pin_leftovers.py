"""The PIN screen closes by itself in mid-typing: the rest of the PIN does nothing anywhere."""

from __future__ import annotations

import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.flows.desk_events import CardTaken, LookedUp, ReadingStarted
from mykey_tui.flows.outcomes import Stopped
from mykey_tui.flows.services import KeypadSign, PinWays
from mykey_tui.screens import pin as pin_screen
from mykey_tui.screens import pin_leftovers
from mykey_tui.screens.doctor import DoctorScreen
from mykey_tui.screens.pin import PinScreen
from mykey_tui.screens.queue import QueueScreen
from mykey_tui.screens.reception import ReceptionScreen
from tests.screens.conftest import Counter, Start
from tests.screens.fakes import FakeKeypad, Fakes, found
from tests.screens.test_pin_screen import ask, wanted

SHORT = 0.5


async def closes(counter: Counter) -> None:
    """Until the PIN screen is gone."""
    await counter.until(lambda: isinstance(counter.app.screen, ReceptionScreen))


async def slips(counter: Counter) -> None:
    await counter.happens(CardTaken())
    await closes(counter)


@pytest.mark.parametrize("keys", ["3", "6", "7351", "0\r", "\b3\r"])
async def test_the_rest_of_the_pin_is_neither_shown_nor_done(start: Start, keys: str) -> None:
    names = {"\r": "enter", "\b": "backspace"}
    async with start() as counter:
        await ask(counter)
        await counter.press("1")
        await slips(counter)
        before, asked = counter.rows, list(counter.fakes.desk.asked)
        for key in keys:
            await counter.press(names.get(key, key))
            assert counter.rows == before
        assert counter.app._exit is False
        assert counter.fakes.desk.asked == asked


async def test_too_slow_a_card_closes_it_in_the_same_way(start: Start) -> None:
    async with start() as counter:
        screen = await ask(counter)
        await counter.press("1")
        counter.app.soon(screen._too_slow)
        await counter.shows("C-SLOW")
        before = counter.rows
        await counter.press("3")
        assert counter.rows == before


async def test_nobody_typing_for_long_closes_it_in_the_same_way(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pin_screen, "QUIET_SECONDS", 0.3)
    async with start() as counter:
        await ask(counter)
        await closes(counter)
        await counter.press("3")
        assert isinstance(counter.app.screen, ReceptionScreen)


async def test_each_key_begins_the_wait_anew_and_then_keys_are_keys(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pin_leftovers, "LEFTOVER_SECONDS", SHORT)
    async with start() as counter:
        await ask(counter)
        await counter.press("1")
        await slips(counter)
        for _ in range(5):
            await counter.pilot.pause(SHORT / 2)
            await counter.press("3")
            assert isinstance(counter.app.screen, ReceptionScreen)
        await counter.until(lambda: counter.app._leftovers_ended is None)
        await counter.press("3")
        await counter.until(lambda: isinstance(counter.app.screen, QueueScreen))


async def test_other_keys_are_keys_at_once(start: Start) -> None:
    async with start() as counter:
        await ask(counter)
        await slips(counter)
        await counter.press("f3")
        await counter.until(lambda: isinstance(counter.app.screen, QueueScreen))


@pytest.mark.parametrize("how", ["given up", "answered"])
async def test_a_person_who_closes_it_or_has_the_answer_types_no_more(
    start: Start, how: str
) -> None:
    async with start() as counter:
        await ask(counter)
        if how == "given up":
            await counter.press("1", "escape")
        else:
            await counter.press(*"7351", "enter")
            await counter.happens(ReadingStarted(), LookedUp(found()))
        await closes(counter)
        await counter.press("3")
        await counter.until(lambda: isinstance(counter.app.screen, QueueScreen))


async def test_the_next_pin_is_taken_at_once(start: Start) -> None:
    async with start() as counter:
        await ask(counter)
        await counter.press("1")
        await slips(counter)
        await ask(counter)
        await counter.press(*"7351", "enter")
        assert counter.fakes.desk.pins == [("7351", False)]


# The resident's own keypad


async def test_the_keypad_is_kept_as_long_as_somebody_types_on_it(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pin_leftovers, "LEFTOVER_SECONDS", SHORT)
    keypad = FakeKeypad()
    async with start(Fakes(pin=PinWays(keypad=keypad))) as counter:
        screen = await ask(counter)
        keypad.press("1")
        await slips(counter)
        before = counter.rows
        for _ in range(4):
            await counter.pilot.pause(SHORT / 2)
            keypad.press("7")
            keypad.tell(KeypadSign.ENTER)
            assert keypad.stopped == 0
        await counter.pilot.pause()
        assert counter.rows == before
        assert (screen._entry.count, counter.fakes.desk.pins) == (0, [])
        await counter.until(lambda: keypad.stopped == 1)


async def test_a_late_sign_of_the_last_screen_takes_no_keypad_from_the_next(start: Start) -> None:
    keypad = FakeKeypad()
    async with start(Fakes(pin=PinWays(keypad=keypad))) as counter:
        await ask(counter)
        late = keypad.tell
        await slips(counter)
        await ask(counter)
        assert (keypad.started, keypad.stopped) == (2, 1)
        late(KeypadSign.TYPED)
        late(KeypadSign.GONE)
        await counter.pilot.pause()
        assert isinstance(counter.app.screen, PinScreen)
        assert counter.app._leftovers_ended is None
        assert keypad.stopped == 1


async def test_a_key_on_its_way_to_the_closed_screen_stays_out_of_its_entry(start: Start) -> None:
    keypad = FakeKeypad()
    async with start(Fakes(pin=PinWays(keypad=keypad))) as counter:
        screen = await ask(counter)
        keypad.press("12")
        await counter.press("escape")
        await closes(counter)
        assert keypad.stopped == 1
        keypad.press("34")
        assert screen._entry.count == 0


async def test_a_keypad_is_let_go_when_the_program_ends(start: Start) -> None:
    keypad = FakeKeypad()
    async with start(Fakes(pin=PinWays(keypad=keypad))) as counter:
        await ask(counter)
        await slips(counter)
        assert keypad.stopped == 0
    assert keypad.stopped == 1


# Over the doctor


async def over_the_doctor(counter: Counter) -> None:
    """The card was too slow, somebody examines the box, and then it asks for its PIN."""
    await counter.happens(ReadingStarted())
    reception = counter.app.counter_screen
    assert isinstance(reception, ReceptionScreen)
    counter.app.soon(reception._too_slow)
    await counter.shows("C-SLOW")
    await counter.press("x")
    await counter.until(lambda: isinstance(counter.app.screen, DoctorScreen))
    await counter.happens(wanted())


async def test_the_answer_to_a_pin_asked_over_the_doctor_is_the_reception_s(start: Start) -> None:
    async with start() as counter:
        await over_the_doctor(counter)
        await counter.until(lambda: isinstance(counter.app.screen, PinScreen))
        await counter.press(*"7351", "enter")
        await counter.happens(ReadingStarted(), LookedUp(found()))
        await counter.until(lambda: isinstance(counter.app.screen, DoctorScreen))
        await counter.press("escape")
        await counter.shows("受付できました")


async def test_a_system_that_takes_no_pin_says_so_at_the_reception(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(pin_screen, "PinScreen", refused)
    async with start() as counter:
        await over_the_doctor(counter)
        await counter.press("escape")
        await counter.shows(Code.KEYPAD_NONE.value)


async def test_another_answer_in_mid_typing_leaves_the_rest_nowhere(start: Start) -> None:
    async with start() as counter:
        await ask(counter)
        await counter.press("7")
        await counter.happens(ReadingStarted(), LookedUp(Stopped(Code.CARD_SWAPPED)))
        await closes(counter)
        await counter.press("3")
        assert isinstance(counter.app.screen, ReceptionScreen)


async def test_the_counter_is_alive_after_a_card_slipped_from_under_its_pin(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It froze: an attribute of ours hid the one that Textual closes screens by."""
    monkeypatch.setattr(pin_leftovers, "LEFTOVER_SECONDS", SHORT)
    async with start() as counter:
        for _ in range(2):
            await ask(counter)
            await counter.press("1")
            await slips(counter)
            await counter.pilot.pause(2 * SHORT)
            await counter.press("f3")
            await counter.until(lambda: isinstance(counter.app.screen, QueueScreen))
            await counter.press("escape")
            await counter.until(lambda: isinstance(counter.app.screen, ReceptionScreen))
