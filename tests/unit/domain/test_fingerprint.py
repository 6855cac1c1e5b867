"""What two people compare by voice: six words of a counter's key, the pin of a server's CA."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mykey_tui.domain.errors import MalformedIdError
from mykey_tui.domain.fingerprint import WORDS, parse_pin, pin_of, words_of


def test_there_is_one_plain_word_for_every_byte() -> None:
    assert len(set(WORDS)) == len(WORDS) == 256
    assert all(word.isascii() and word.islower() and 3 <= len(word) <= 8 for word in WORDS)


def test_the_words_of_a_key_never_change() -> None:
    assert words_of(bytes(32)) == "mame nori donguri negi usagi mame"
    assert pin_of(b"certificate") == "XR59S-QBQJK-WJF19-07ARP"


@given(st.binary(min_size=32, max_size=32), st.integers(0, 255))
def test_another_key_has_other_words(key: bytes, bit: int) -> None:
    other = (int.from_bytes(key, "big") ^ (1 << bit)).to_bytes(32, "big")
    assert words_of(key) != words_of(other)
    assert len(words_of(key).split()) == 6


@given(st.binary(max_size=64))
def test_a_pin_is_read_as_it_was_written_down(der: bytes) -> None:
    pin = pin_of(der)
    assert parse_pin(pin) == pin
    typed = pin.lower().replace("-", " ").replace("1", "l").replace("0", "o")
    assert parse_pin(typed) == pin


@pytest.mark.parametrize("text", ["", "A", "U" * 20, "0" * 19, "0" * 21, "é" * 20, "0" * 10_000])
def test_what_is_no_pin_is_refused(text: str) -> None:
    with pytest.raises(MalformedIdError):
        parse_pin(text)
