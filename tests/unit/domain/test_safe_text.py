"""Text from outside is harmless to a terminal, whatever it is."""

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mykey_tui.domain.text import safe

VECTORS = Path(__file__).parents[2] / "vectors" / "hostile-strings.json"
HOSTILE: list[str] = json.loads(VECTORS.read_text())


def assert_harmless(text: str, *, limit: int) -> None:
    text.encode()  # No lone surrogate is left.
    assert len(text) <= limit
    run = 0
    for character in text:
        category = unicodedata.category(character)
        assert category not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        run = run + 1 if category in {"Mn", "Me"} else 0
        assert run <= 2


def test_there_are_at_least_fifty_hostile_strings() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) >= 50


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_string_is_made_harmless(text: str) -> None:
    assert_harmless(safe(text), limit=128)


@given(st.text(st.characters(), max_size=700), st.integers(1, 128))
def test_any_text_is_made_harmless(text: str, limit: int) -> None:
    assert_harmless(safe(text, limit), limit=limit)


@given(st.text(st.characters(), max_size=300))
def test_making_it_harmless_twice_changes_nothing_more(text: str) -> None:
    assert safe(safe(text)) == safe(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2802121234", "2802121234"),
        ("○○商店街ポイントカード", "○○商店街ポイントカード"),
        ("A-α1-0001", "A-α1-0001"),
        ("が", "が"),  # ka and a combining mark, as some systems send it
        ("[bold]OK[/]", "[bold]OK[/]"),
        ("\x1b[31mX", "␦[31mX"),
        ("a\rb\nc", "a␦b␦c"),
        ("\u202e1234", "␦1234"),
        ("\ud800x", "?x"),
        ("A" + "\u0301" * 3, "A" + "\u0301" * 2),
        ("", ""),
    ],
)
def test_what_is_harmless_stays_and_the_rest_is_seen_to_be_replaced(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_an_ellipsis_ends_only_what_was_really_cut() -> None:
    assert safe("x" * 10, 10) == "x" * 10
    assert safe("x" * 11, 10) == "x" * 9 + "…"
    assert safe("x" * 10_000, 10) == "x" * 9 + "…"


def test_a_pile_of_marks_is_not_walked_to_its_end() -> None:
    assert len(safe("e" + "\u0301" * 1_000_000, 10)) <= 10
