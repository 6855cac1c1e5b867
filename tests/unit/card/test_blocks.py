"""A member number in a readable block of a FeliCa card, asked for as three families of readers want."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mykey_tui.card import allow_list
from mykey_tui.card.blocks import NumberPlace, ReaderFamily, read_number
from mykey_tui.card.connection import CardConnection
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import (
    ForbiddenApduError,
    MalformedResponseError,
    StatusError,
    WrongCardError,
)
from mykey_tui.reader.card_file import CardFile
from mykey_tui.reader.emulator import EmulatedReader
from mykey_tui.simulated.foreign import driving_licence, felica_card, mifare_card

SERVICE = 0x010B
BLOCKS = b"2802121234\0\0\0\0\0\0" + b"XX0077310 \0\0\0\0\0\0"
IDM = "012e4cd8a3f10b22"
SENT = {
    ReaderFamily.SONY: ["ffca000000", "ffa40001020b01", "ffb0000000"],
    ReaderFamily.ACS: ["ffca000000", f"ff000000101006{IDM}010b01018000"],
    ReaderFamily.IDENTIV: ["ffca000000", "ff460101040b018000"],
}
FELICA_ATR = felica_card().atr
WRITES = [
    "ff000000201008" + IDM + "010b01018000" + "00" * 16,  # Write Without Encryption
    "ff000000101008" + IDM + "010b01018000",
    "ffd6000010" + "00" * 16,
    "ff00000010100a" + IDM + "010b01018000",
]
WITH_KEY = ["ffa40001020801", "ff460101040801" + "8000", f"ff000000101006{IDM}010801018000"]


def with_number(card: CardFile | None = None) -> CardFile:
    return replace(card or felica_card(), files={SERVICE: BLOCKS})


@contextmanager
def laid(card: CardFile, log: list[bytes]) -> Iterator[CardConnection]:
    reader = EmulatedReader(on_command=log.append)
    reader.insert(card)
    with reader.session() as connection:
        yield connection


def place(family: ReaderFamily, **where: int) -> NumberPlace:
    return NumberPlace(**{"family": family, "service": SERVICE, "block": 0, **where})  # type: ignore[arg-type]  # the test says where


@pytest.mark.parametrize("family", list(ReaderFamily))
def test_the_number_is_read_with_the_commands_of_this_family_and_no_other(
    family: ReaderFamily,
) -> None:
    log: list[bytes] = []
    with laid(with_number(), log) as connection:
        assert read_number(connection, place(family)) == "2802121234"
    assert [command.hex() for command in log] == SENT[family]


@pytest.mark.parametrize("family", list(ReaderFamily))
def test_a_number_in_the_middle_of_a_later_block(family: ReaderFamily) -> None:
    with laid(with_number(), []) as connection:
        assert read_number(connection, place(family, block=1, first=2, length=8)) == "0077310"


@pytest.mark.parametrize("family", list(ReaderFamily))
def test_a_card_without_this_service_gives_no_number(family: ReaderFamily) -> None:
    with laid(felica_card(), []) as connection, pytest.raises(StatusError):
        read_number(connection, place(family))


@pytest.mark.parametrize("family", list(ReaderFamily))
@pytest.mark.parametrize("content", [b"", b"\x1b[2J", "山田".encode(), b"12 34", b"12\0034"])
def test_a_block_that_holds_no_plain_text_is_no_number(
    family: ReaderFamily, content: bytes
) -> None:
    card = replace(felica_card(), files={SERVICE: content.ljust(16, b"\0")})
    with laid(card, []) as connection, pytest.raises(WrongCardError) as caught:
        read_number(connection, place(family))
    assert caught.value.code is Code.SERVICE_CARD_WRONG


@pytest.mark.parametrize("card", [mifare_card(), driving_licence()])
def test_a_card_of_another_kind_is_asked_for_no_block(card: CardFile) -> None:
    log: list[bytes] = []
    with laid(card, log) as connection, pytest.raises(WrongCardError):
        read_number(connection, place(ReaderFamily.SONY))
    assert log == []


def test_an_answer_of_another_card_is_not_believed() -> None:
    class Swapped:
        atr = FELICA_ATR

        def transmit(self, command: bytes) -> bytes:
            if command[1] == 0xCA:
                return bytes.fromhex(IDM) + b"\x90\x00"
            other = bytes.fromhex("1d07" + "0f" * 8 + "000001") + b"9" * 16
            return other + b"\x90\x00"

    with pytest.raises(MalformedResponseError):
        read_number(Swapped(), place(ReaderFamily.ACS))


@given(answer=st.binary(max_size=64), family=st.sampled_from(ReaderFamily))
def test_no_answer_of_a_reader_gets_further_than_an_error(
    answer: bytes, family: ReaderFamily
) -> None:
    class Hostile:
        atr = FELICA_ATR

        def transmit(self, command: bytes) -> bytes:
            if command[1] == 0xCA:
                return bytes.fromhex(IDM) + b"\x90\x00"
            return answer

    try:
        text = read_number(Hostile(), place(family))
    except (StatusError, MalformedResponseError, WrongCardError):
        return
    assert text.isascii()
    assert text.isprintable()


@pytest.mark.parametrize(
    "where",
    [
        {"service": 0x0108},
        {"service": 0x10000 + 1},
        {"service": -1},
        {"block": 256},
        {"block": -1},
        {"first": 16},
        {"first": -1},
        {"length": 0},
        {"first": 10, "length": 7},
    ],
)
def test_a_place_that_needs_a_key_or_is_outside_is_no_place(where: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"key|block"):
        place(ReaderFamily.SONY, **where)


@pytest.mark.parametrize("command", [*WRITES, *WITH_KEY, "ffb0010000", "ffb0000010", "ff46020104"])
def test_nothing_is_written_and_no_service_with_a_key_is_asked_for(command: str) -> None:
    with pytest.raises(ForbiddenApduError):
        allow_list.check(bytes.fromhex(command), storage=True)


@pytest.mark.parametrize("command", sorted({c for sent in SENT.values() for c in sent}))
def test_these_commands_reach_a_storage_card_alone(command: str) -> None:
    allow_list.check(bytes.fromhex(command), storage=True)
    with pytest.raises(ForbiddenApduError):
        allow_list.check(bytes.fromhex(command), storage=False)
