"""Reader states as words, and an answer to reset that tells the kind of card and no number."""

from __future__ import annotations

import random

import pytest

from mykey_tui.card.live import SlotSeen, SlotWord, atr_form, slot_seen


@pytest.mark.parametrize(
    ("atr", "form"),
    [
        ("3B888001000005E0B381A1007F", "3B888001 ** (9 bytes)"),
        ("3BDA13FF8131FB468012392F31C173C601C03B", "3BDA13FF8131FB46 ** (11 bytes)"),
        (
            "3B8F8001804F0CA00000030611003B0000000042",
            "3B8F8001804F0CA00000030611003B0000000042",
        ),
        ("3B8F8001804F0CA00000030611003B00000000420123456789", "3B8F8001 ** (21 bytes)"),
        ("3B00", "3B00 ** (0 bytes)"),
        ("3BFF", "** (2 bytes)"),
        ("3BF080808000", "3BF080808000 ** (0 bytes)"),
        ("3BF080808080", "** (6 bytes)"),
        ("3B", "** (1 bytes)"),
        ("", ""),
    ],
)
def test_the_bytes_that_may_hold_a_number_are_counted_only(atr: str, form: str) -> None:
    assert atr_form(bytes.fromhex(atr)) == form


def test_any_bytes_have_a_form_that_is_no_longer_than_they_are() -> None:
    made = random.Random(4)  # noqa: S311  # the same bytes at every run
    for _ in range(2000):
        atr = made.randbytes(made.randrange(40))
        shown = atr_form(atr).split(" ")[0]
        assert shown in ("", "**") or atr.hex().upper().startswith(shown), atr.hex()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (0x0010, (SlotWord.EMPTY,)),
        (0x00010022, (SlotWord.CARD,)),
        (0x0120, (SlotWord.CARD, SlotWord.IN_USE)),
        (0x00A0, (SlotWord.CARD, SlotWord.EXCLUSIVE)),
        (0x0220, (SlotWord.MUTE,)),
        (0x0008, (SlotWord.UNAVAILABLE,)),
        (0x0000, (SlotWord.EMPTY,)),
    ],
)
def test_a_state_is_told_in_words(state: int, words: tuple[SlotWord, ...]) -> None:
    assert slot_seen("Reader (SN123456) 00 00", state, b"") == SlotSeen("Reader", words)
