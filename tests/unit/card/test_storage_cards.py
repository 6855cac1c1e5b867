from collections.abc import Callable
from typing import Any

import pytest

from mykey_tui.card.jpki import JpkiApplet
from mykey_tui.card.storage import is_storage_card, read_uid
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import MalformedResponseError, StatusError, WrongCardError

Make = Callable[..., Any]
FELICA_ATR = bytes.fromhex("3B8F8001804F0CA00000030611003B0000000042")
MIFARE_ATR = bytes.fromhex("3B8F8001804F0CA000000306030001000000006A")
UNUSUAL_ATR = bytes.fromhex("3B8F8001804F0CA0000003060300F0000000009A")
MY_NUMBER_ATR = bytes.fromhex("3B888001000005E0B381A1007F")


@pytest.mark.parametrize("atr", [FELICA_ATR, MIFARE_ATR, UNUSUAL_ATR])
def test_a_point_card_is_told_by_its_atr(atr: bytes) -> None:
    assert is_storage_card(atr)


@pytest.mark.parametrize("atr", [MY_NUMBER_ATR, b"", bytes.fromhex("3BC5FF8131FB458073C6010000")])
def test_a_card_with_a_processor_is_no_point_card(atr: bytes) -> None:
    assert not is_storage_card(atr)


@pytest.mark.parametrize(
    "uid", ["0123456789ABCDEF", "04A1B2C3", "04112233445566", "08112233445566", "01" * 10]
)
def test_the_number_of_a_point_card_is_read(answering_card: Make, uid: str) -> None:
    card = answering_card(lambda command: bytes.fromhex(uid + "9000"), FELICA_ATR)
    assert read_uid(card) == bytes.fromhex(uid)
    assert [command.hex() for command in card.log] == ["ffca000000"]


def test_a_number_drawn_for_this_tap_is_refused(answering_card: Make) -> None:
    card = answering_card(lambda command: bytes.fromhex("081122339000"), MIFARE_ATR)
    with pytest.raises(WrongCardError) as caught:
        read_uid(card)
    assert caught.value.code is Code.SERVICE_CARD_RANDOM


def test_a_my_number_card_is_not_asked_for_a_number_of_the_moment(answering_card: Make) -> None:
    card = answering_card(lambda command: bytes.fromhex("112233449000"), MY_NUMBER_ATR)
    with pytest.raises(WrongCardError) as caught:
        read_uid(card)
    assert caught.value.code is Code.SERVICE_CARD_WRONG
    assert card.log == []


@pytest.mark.parametrize("answer", ["6A81", "6300"])
def test_a_reader_that_cannot_tell_the_number_says_so(answering_card: Make, answer: str) -> None:
    with pytest.raises(StatusError):
        read_uid(answering_card(lambda command: bytes.fromhex(answer), FELICA_ATR))


@pytest.mark.parametrize("answer", ["9000", "019000", "00" * 64 + "9000", "90", ""])
def test_a_number_of_no_known_length_is_malformed(answering_card: Make, answer: str) -> None:
    with pytest.raises(MalformedResponseError):
        read_uid(answering_card(lambda command: bytes.fromhex(answer), FELICA_ATR))


def test_a_point_card_is_never_sent_a_select(answering_card: Make) -> None:
    card = answering_card(lambda command: b"\x90\x00", FELICA_ATR)
    with pytest.raises(WrongCardError) as caught:
        JpkiApplet(card).select()
    assert caught.value.code is Code.CARD_IS_POINT_CARD
    assert card.log == []


@pytest.mark.parametrize(
    ("uid", "what"),
    [("01FE112233445566", "peer-to-peer"), ("02FE112233445566", "a phone's own choice")],
)
def test_a_phone_s_passing_idm_is_refused(answering_card: Make, uid: str, what: str) -> None:
    card = answering_card(lambda command: bytes.fromhex(uid + "9000"), FELICA_ATR)
    with pytest.raises(WrongCardError) as caught:
        read_uid(card)
    assert caught.value.code is Code.SERVICE_CARD_RANDOM, what


def test_the_same_beginning_in_another_length_is_a_number_like_any_other(
    answering_card: Make,
) -> None:
    card = answering_card(lambda command: bytes.fromhex("01FE11229000"), MIFARE_ATR)
    assert read_uid(card) == bytes.fromhex("01FE1122")


@pytest.mark.parametrize("uid", ["00" * 4, "FF" * 7, "00" * 8, "FF" * 10])
def test_a_number_of_one_byte_repeated_would_be_everybody_s(answering_card: Make, uid: str) -> None:
    with pytest.raises(MalformedResponseError):
        read_uid(answering_card(lambda command: bytes.fromhex(uid + "9000"), FELICA_ATR))
