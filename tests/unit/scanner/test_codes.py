"""What a scanner sends, cut into codes, whatever the pieces are in which it comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mykey_tui.scanner.codes import CODE_LENGTH_MAX, LOST, Codes


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\t"])
def test_each_usual_end_makes_one_code(end: str) -> None:
    assert Codes().feed(f"2802121234{end}A37859+B{end}") == ["2802121234", "A37859+B"]


@given(st.lists(st.integers(1, 6), max_size=20))
def test_pieces_make_no_difference(cuts: list[int]) -> None:
    codes, sent, got = Codes(), "2802121234\r\n490123456789\r\n", []
    for cut in [*cuts, len(sent)]:
        got += codes.feed(sent[:cut])
        sent = sent[cut:]
    assert got == ["2802121234", "490123456789"]
    assert not codes.is_open


def test_control_characters_around_a_code_are_dropped() -> None:
    assert Codes().feed("\x0228021\x03\r") == ["28021"]


@pytest.mark.parametrize("damage", ["\xb5", "\xff", "\x7f", "１", LOST])
def test_a_damaged_code_is_thrown_away_and_the_next_is_not(damage: str) -> None:
    codes = Codes()
    assert codes.feed(f"1234{damage}5678\r") == []
    assert codes.feed("28021\r") == ["28021"]


def test_a_blank_is_a_character_of_code_39_and_blanks_alone_are_no_code() -> None:
    assert Codes().feed("902999 \r   \r") == ["902999 "]


def test_a_code_that_is_too_long_is_thrown_away_and_the_next_is_not() -> None:
    codes = Codes()
    assert codes.feed("9" * CODE_LENGTH_MAX + "\r") == ["9" * CODE_LENGTH_MAX]
    assert codes.feed("9" * 100_000) == []
    assert codes.is_open
    assert codes.feed("9\r2802\r") == ["2802"]


def test_without_an_end_the_code_is_what_came_so_far() -> None:
    codes = Codes()
    assert codes.feed("2802") == []
    assert codes.end() == ["2802"]
    assert codes.end() == []
