from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mykey_tui.card.iso7816 import COMMAND_COUNT_MAX, CardSession
from mykey_tui.domain.errors import MalformedResponseError, StatusError, TransmissionError

Make = Callable[..., Any]
CONTENT = bytes(n * 7 % 256 for n in range(1000))


@given(
    content=st.binary(min_size=1, max_size=1500),
    at_once=st.integers(12, 256),
    style=st.sampled_from(["plain", "6Cxx", "6282"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_a_file_is_read_whole_whatever_the_card_returns_at_once(
    file_card: Make, content: bytes, at_once: int, style: str
) -> None:
    # 6282 says that the file has ended, so a card may say it at its end only.
    card = file_card(content, at_once=256 if style == "6282" else at_once, style=style)
    assert CardSession(card).read_binary(offset=0, length=len(content)) == content


def test_an_answer_in_two_parts_is_put_together_and_counted_as_it_came(file_card: Make) -> None:
    # This card hands out half of what waits, so each step goes on from what really came.
    card = file_card(CONTENT, style="61xx")
    assert CardSession(card).read_binary(offset=0, length=1000) == CONTENT


@pytest.mark.parametrize("style", ["plain", "6282"])
def test_a_file_that_ends_early_gives_what_it_has(file_card: Make, style: str) -> None:
    card = file_card(CONTENT[:300], style=style)
    assert CardSession(card).read_binary(offset=0, length=1000) == CONTENT[:300]


def test_a_thousand_bytes_take_four_commands(file_card: Make) -> None:
    card = file_card(CONTENT)
    CardSession(card).read_binary(offset=0, length=1000)
    assert len(card.reads) == 4


@pytest.mark.parametrize(("too_long", "chunk"), [(256, 0xE0), (0xE0, 0x80)])
def test_a_reader_that_fails_at_long_answers_is_asked_for_less(
    file_card: Make, too_long: int, chunk: int
) -> None:
    card = file_card(CONTENT, too_long=too_long)
    session = CardSession(card)
    assert session.read_binary(offset=0, length=1000) == CONTENT
    assert card.reads[-2][4] == chunk
    card.log.clear()
    session.read_binary(offset=0, length=1000)
    assert card.reads[0][4] == chunk, "what worked is remembered"


def test_a_transmission_error_is_met_with_shorter_answers_too(file_card: Make) -> None:
    card = file_card(CONTENT)
    inner = card.transmit

    def fragile(command: bytes) -> bytes:
        if command[1] == 0xB0 and (command[4] or 256) > 0x80:
            raise TransmissionError("message too long")
        return bytes(inner(command))

    card.transmit = fragile
    assert CardSession(card).read_binary(offset=0, length=1000) == CONTENT


def test_a_card_that_was_pulled_is_not_asked_again(answering_card: Make) -> None:
    def pulled(command: bytes) -> bytes:
        raise TransmissionError("gone", removed=True)

    card = answering_card(pulled)
    with pytest.raises(TransmissionError):
        CardSession(card).read_binary(offset=0, length=1000)
    assert len(card.log) == 1


@pytest.mark.parametrize("answer", [b"\x67\x00", b"\x69\x82", b"\x00\x00"])
def test_a_card_that_always_refuses_is_given_up(answering_card: Make, answer: bytes) -> None:
    card = answering_card(lambda command: answer)
    with pytest.raises(StatusError):
        CardSession(card).read_binary(offset=0, length=1000)
    assert len(card.log) <= 3


def test_a_card_that_says_yes_and_gives_nothing_does_not_spin(answering_card: Make) -> None:
    card = answering_card(lambda command: b"\x90\x00")
    assert CardSession(card).read_binary(offset=0, length=1000) == b""
    assert len(card.log) == 1


def test_a_card_that_gives_single_bytes_for_ever_is_given_up(answering_card: Make) -> None:
    card = answering_card(lambda command: b"x\x90\x00")
    with pytest.raises(MalformedResponseError):
        CardSession(card).read_binary(offset=0, length=0x7FFF)
    assert len(card.log) == COMMAND_COUNT_MAX


def test_a_card_that_spreads_each_byte_over_three_commands_is_given_up_as_soon(
    answering_card: Make,
) -> None:
    """Found by the fuzz: the READ BINARYs were counted, and what followed each of them was not."""

    def spreads(command: bytes) -> bytes:
        if command[1] == 0xC0:
            return b"x\x90\x00"
        return b"\x61\x01" if command[-1] == 1 else b"\x6c\x01"

    card = answering_card(spreads)
    with pytest.raises(MalformedResponseError):
        CardSession(card).read_binary(offset=0, length=0x7FFF)
    assert len(card.log) == COMMAND_COUNT_MAX


def test_the_largest_file_can_be_read_in_the_smallest_pieces(file_card: Make) -> None:
    content = bytes(n * 7 % 256 for n in range(0x7FFF))
    session = CardSession(file_card(content, too_long=0xE0))
    assert session.read_binary(offset=0, length=len(content)) == content


@pytest.mark.parametrize("answer", [b"\x61\x10", b"\x6c\x10", b"x\x61\x01", b"\x61\x00"])
def test_a_card_that_always_announces_more_is_given_up(answering_card: Make, answer: bytes) -> None:
    card = answering_card(lambda command: answer)
    with pytest.raises((MalformedResponseError, StatusError)):
        CardSession(card).read_binary(offset=0, length=1000)
    assert len(card.log) < 40


def test_more_than_was_asked_for_is_malformed(answering_card: Make) -> None:
    card = answering_card(lambda command: bytes(200) + b"\x90\x00")
    with pytest.raises(MalformedResponseError):
        CardSession(card).read_binary(offset=0, length=100)


def test_a_command_without_le_is_never_sent_twice(answering_card: Make) -> None:
    card = answering_card(lambda command: b"\x6c\x04")
    with pytest.raises(StatusError):
        CardSession(card).select_file(0x0018)
    assert len(card.log) == 1
