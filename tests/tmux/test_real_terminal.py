"""What a pilot cannot see: the real start, the real driver, the real keys, the real end."""

from __future__ import annotations

import re
import time

import pytest

from tests.tmux.conftest import Terminals

pytestmark = pytest.mark.tmux

PROMPT = "カードを置いて、そのままお待ちください"


def test_the_first_screen_appears_in_a_real_terminal(
    terminals: Terminals, fake_counter: list[str]
) -> None:
    terminal = terminals.start(fake_counter)
    text = terminal.shows(PROMPT, "通信 正常", "SIMULATED", "F1 ヘルプ")
    assert len(text.splitlines()) == 24


def test_typed_digits_are_typing_and_a_burst_is_a_scan(
    terminals: Terminals, fake_counter: list[str]
) -> None:
    terminal = terminals.start(fake_counter)
    terminal.shows(PROMPT, "通信 正常")
    terminal.scan("4901234567894")
    terminal.shows("バーコードは、登録（F2）の手順２で読み取ってください")
    terminal.press("F8")
    terminal.shows("登録済みのカード")
    terminal.type_slowly("2")
    terminal.shows("L-NONE")
    terminal.press("Enter")
    terminal.shows("手順２", "【待っています】")
    terminal.type_slowly("2802121234")
    terminal.press("Enter")
    terminal.shows("【もう一度入力】")
    terminal.scan("2802121234")
    terminal.shows("2802121234   【読み取りました】")


def test_a_scanned_code_was_sent_as_a_pin(terminals: Terminals, fake_counter: list[str]) -> None:
    terminal = terminals.start(fake_counter)
    terminal.shows(PROMPT, "通信 正常")
    terminal.press("F8")
    terminal.shows("登録済みのカード")
    terminal.type_slowly("5")
    terminal.shows("暗証番号の残り回数：3回")
    for code, answer in {
        "A7351B": "暗証番号は数字4桁です",
        "7351": "バーコードのような速さでした",
        "73-51": "暗証番号は数字4桁です",
        "4901234567894": "暗証番号は数字4桁です",
    }.items():
        terminal.scan(code)
        assert "残り回数：3回" in terminal.shows(answer)
        terminal.press("F9", "F9")  # Any key takes the words away, and the screen lives.
    terminal.type_slowly("7351")
    terminal.press("Enter")
    terminal.shows("【 受付できました 】", "2802121234")
    terminal.press("F3")
    terminal.shows("送信待ち")


def test_the_cursor_stands_behind_what_is_typed(
    terminals: Terminals, fake_counter: list[str]
) -> None:
    terminal = terminals.start(fake_counter)
    terminal.shows(PROMPT, "通信 正常")
    terminal.press("F8")
    terminal.shows("登録済みのカード")
    terminal.type_slowly("2")
    terminal.shows("L-NONE")
    terminal.press("Enter")
    terminal.shows("【待っています】")
    field = 25
    terminal.type_slowly("山田ﾀﾛｳα12")
    terminal.shows("山田ﾀﾛｳα12")
    time.sleep(0.3)
    place = terminal.tmux("display", "-p", "-t", "t", "#{cursor_x},#{cursor_y}").strip()
    behind = field + 10 + 1  # Textual puts the hidden cursor one cell further
    assert place == f"{behind},11"


def test_a_linux_console_gets_english_in_ascii_and_eight_colours(
    terminals: Terminals, fake_counter: list[str]
) -> None:
    terminal = terminals.start(fake_counter, term="linux")
    terminal.shows("Place your card on the reader", "cannot draw Japanese", "(or 1 2 3 4")
    terminal.type_slowly("8")
    terminal.shows("Linked card")
    terminal.type_slowly("1")
    text = terminal.shows("[OK] Found", "2 8 0 2 1 2 1 2 3 4")
    assert text.isascii()
    codes = {
        int(code)
        for run in re.findall(r"\x1b\[([\d;]*)m", terminal.colours)
        for code in run.split(";")
        if code
    }
    assert codes <= {0, 1, 7, 27, 22, 39, 49, *range(30, 38), *range(40, 48)}


def test_a_conflict_is_decided_with_keys_that_a_person_presses(
    terminals: Terminals, fake_counter: list[str]
) -> None:
    terminal = terminals.start(fake_counter)
    terminal.shows(PROMPT, "通信 正常")
    terminal.press("F3")
    terminal.shows("競合 2")
    terminal.press("Down", "Down", "Enter")
    terminal.shows("S-DUP", "******0077", "******1234", "K    残す", "C    置き換える")
    terminal.type_slowly("c")
    terminal.shows("******1234 をやめて、******0077 にします", "Y  はい")
    terminal.leave_with_escape()
    terminal.shows("K    残す")
    terminal.type_slowly("cy")
    terminal.shows("置き換えを受け付けました", "競合 1")


def test_a_conflict_can_be_read_and_decided_on_a_linux_console(
    terminals: Terminals, fake_counter: list[str]
) -> None:
    terminal = terminals.start(fake_counter, term="linux")
    terminal.shows("Place your card on the reader")
    terminal.type_slowly("3")
    terminal.shows("TO SEND")
    terminal.press("Down", "Down", "Enter")
    text = terminal.shows("S-DUP", "Already at the server", "K    Keep", "C    Replace")
    assert text.isascii()
    terminal.type_slowly("k")
    terminal.shows("Keep the server's?", "Y  Yes")
    terminal.type_slowly("y")
    terminal.shows("The server's row stays as it is")


@pytest.mark.parametrize(
    ("term", "asks", "takes"),
    [
        ("xterm-256color", "Enter  受け付ける", "受付できました"),
        ("linux", "Enter  Accept", "Found"),
    ],
)
def test_a_card_in_old_rows_is_handed_over_after_enter(
    terminals: Terminals, fake_counter: list[str], term: str, asks: str, takes: str
) -> None:
    terminal = terminals.start(fake_counter, term=term)
    terminal.shows("SIMULATED", "F8")
    terminal.press("F8")
    terminal.shows("C-EXPIRED")
    terminal.type_slowly("4")
    terminal.shows("L-OLD", asks)
    terminal.press("Enter")
    terminal.shows(takes)


def test_ending_is_asked_and_leaves_the_terminal_clean(
    terminals: Terminals, fake_counter: list[str]
) -> None:
    terminal = terminals.start(fake_counter)
    terminal.shows(PROMPT, "通信 正常")
    terminal.press("C-c", "C-q", "F10")
    terminal.shows("受付アプリを終わりますか")
    terminal.press("Enter")
    assert terminal.ended() == 0
    assert PROMPT not in terminal.text


def test_a_bug_ends_the_program_without_showing_what_it_knew(
    terminals: Terminals, fake_counter: list[str]
) -> None:
    terminal = terminals.start(fake_counter)
    terminal.shows(PROMPT, "通信 正常")
    terminal.press("F8")
    terminal.shows("登録済みのカード")
    terminal.type_slowly("9")
    assert terminal.ended() == 70
    text = terminal.shows("X-BUG", "思わぬ不具合が起きました", "Something unexpected happened")
    assert "1C2410DF79DGEL" not in text
    assert "Traceback" not in text
