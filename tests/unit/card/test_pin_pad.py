"""A reader's own keys (PC/SC part 10), with a scripted reader over the emulated card."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mykey_tui.card import allow_list
from mykey_tui.card.connection import CardConnection
from mykey_tui.card.jpki import JpkiApplet
from mykey_tui.card.pin_pad import find_pin_pad
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import (
    ForbiddenApduError,
    MalformedResponseError,
    PinError,
    PinNotGivenError,
    PinNotSentError,
    TransmissionError,
)
from mykey_tui.reader.card_file import CardFile, CardPin
from mykey_tui.reader.emulator import EmulatedReader
from mykey_tui.simulated.cards import make_card

VERIFY_CODE = 0x42330006
FEATURES = bytes.fromhex("0604423300060A0442330008")
AT = datetime(2026, 11, 22, tzinfo=UTC)
Fingers = Callable[[], bytes]


class ReaderWithKeys:
    """Puts what the resident types into the structure, as firmware does."""

    def __init__(self, connection: CardConnection, fingers: Fingers, features: bytes) -> None:
        self._connection, self._fingers, self._features = connection, fingers, features
        self.asked: list[tuple[int, bytes]] = []

    @property
    def atr(self) -> bytes:
        return self._connection.atr

    def transmit(self, command: bytes) -> bytes:
        return self._connection.transmit(command)

    def control(self, code: int, data: bytes) -> bytes:
        allow_list.check_control(code, data)
        self.asked.append((code, data))
        if code == allow_list.FEATURE_REQUEST:
            return self._features
        if code != VERIFY_CODE:
            raise TransmissionError("unknown control code")
        told = self._fingers()
        if len(told) == 2:
            return told  # the reader's own word: cancelled, too late
        length = int.from_bytes(data[15:19], "little")
        command = data[19:]
        assert len(command) == length
        return self._connection.transmit(command[:5] + told)


@pytest.fixture
def log() -> list[bytes]:
    return []


@contextmanager
def laid(
    card: CardFile, log: list[bytes], fingers: Fingers, features: bytes = FEATURES
) -> Iterator[tuple[ReaderWithKeys, JpkiApplet]]:
    reader = EmulatedReader(on_command=log.append)
    reader.insert(card)
    with reader.session() as connection:
        with_keys = ReaderWithKeys(connection, fingers, features)
        applet = JpkiApplet(with_keys)
        applet.select()
        yield with_keys, applet


def card_with(tries: int) -> CardFile:
    card = make_card("1C2410DF79DGEL07202002B", at=AT)
    return replace(card, pins={**card.pins, 0x0018: CardPin("1234", tries)})


def typing(digits: str) -> Fingers:
    return digits.encode


def verifies(log: list[bytes]) -> int:
    return sum(command.startswith(bytes.fromhex("0020008004")) for command in log)


def test_the_resident_types_on_the_reader_and_the_card_signs(log: list[bytes]) -> None:
    with laid(card_with(3), log, typing("1234")) as (reader, applet):
        pad = find_pin_pad(reader)
        assert pad is not None
        assert pad.verify_code == VERIFY_CODE
        applet.verify_on_reader(pad)
        assert len(applet.sign(bytes(51))) == 256
    assert verifies(log) == 1


def test_no_digit_passes_through_our_hands(log: list[bytes]) -> None:
    with laid(card_with(3), log, typing("1234")) as (reader, applet):
        pad = find_pin_pad(reader)
        assert pad is not None
        applet.verify_on_reader(pad)
    assert all(b"1234" not in data for _, data in reader.asked)


def test_a_wrong_pin_on_the_reader_says_what_is_left(log: list[bytes]) -> None:
    with laid(card_with(3), log, typing("0000")) as (reader, applet):
        pad = find_pin_pad(reader)
        assert pad is not None
        with pytest.raises(PinError) as caught:
            applet.verify_on_reader(pad)
    assert (caught.value.tries_left, verifies(log)) == (2, 1)


@pytest.mark.parametrize("word", ["6400", "6401", "6402", "6403"])
def test_giving_up_at_the_reader_is_no_wrong_pin(log: list[bytes], word: str) -> None:
    with laid(card_with(3), log, lambda: bytes.fromhex(word)) as (reader, applet):
        pad = find_pin_pad(reader)
        assert pad is not None
        with pytest.raises(PinNotGivenError) as caught:
            applet.verify_on_reader(pad)
    assert caught.value.code is Code.PIN_NEEDED
    assert verifies(log) == 0


@pytest.mark.parametrize("tries", [0, 1])
def test_the_last_try_is_kept_from_the_reader_s_keys_too(log: list[bytes], tries: int) -> None:
    with laid(card_with(tries), log, typing("1234")) as (reader, applet):
        pad = find_pin_pad(reader)
        assert pad is not None
        with pytest.raises(PinNotSentError):
            applet.verify_on_reader(pad)
    assert [code for code, _ in reader.asked] == [allow_list.FEATURE_REQUEST]


@pytest.mark.parametrize(
    "features", ["", "0A0442330008", "0604423300", "06054233000600", "00" * 7, "06" * 600]
)
def test_a_reader_without_the_feature_or_of_nonsense_has_no_keys(
    log: list[bytes], features: str
) -> None:
    with laid(card_with(3), log, typing("1234"), bytes.fromhex(features)) as (reader, _):
        assert find_pin_pad(reader) is None


def test_a_driver_that_cannot_talk_to_readers_has_no_keys(log: list[bytes]) -> None:
    reader = EmulatedReader(on_command=log.append)
    reader.insert(card_with(3))
    with reader.session() as connection:
        assert find_pin_pad(connection) is None


def test_a_reader_that_answers_with_data_is_not_believed(log: list[bytes]) -> None:
    with laid(card_with(3), log, typing("1234")) as (reader, applet):
        pad = find_pin_pad(reader)
        assert pad is not None
        reader.control = lambda code, data: b"secret\x90\x00"  # type: ignore[method-assign]
        with pytest.raises(MalformedResponseError):
            applet.verify_on_reader(pad)


def test_the_block_is_what_part_10_says() -> None:
    block = allow_list.PIN_BLOCK
    assert block[2:7].hex() == "8204000404"  # ASCII in bytes, four, no length, min 4 and max 4
    assert int.from_bytes(block[15:19], "little") == len(block[19:]) == 9
    assert block[19:].hex() == "0020008004ffffffff"


@pytest.mark.parametrize(
    ("code", "data"),
    [
        (allow_list.FEATURE_REQUEST, b"\x00"),
        (VERIFY_CODE, b""),
        (VERIFY_CODE, allow_list.PIN_BLOCK[:-1]),
        (VERIFY_CODE, allow_list.PIN_BLOCK + b"\x00"),
        (VERIFY_CODE, allow_list.PIN_BLOCK.replace(b"\x00\x20\x00\x80", b"\x00\x20\x00\x81")),
        (VERIFY_CODE, allow_list.PIN_BLOCK.replace(b"\x00\x20\x00\x80", b"\x00\x24\x00\x80")),
        (VERIFY_CODE, allow_list.PIN_BLOCK.replace(b"\xff\xff\xff\xff", b"1234")),
        (0x42000001, b""),
    ],
)
def test_no_other_message_reaches_a_reader(code: int, data: bytes) -> None:
    with pytest.raises(ForbiddenApduError) as caught:
        allow_list.check_control(code, data)
    assert "1234" not in str(caught.value)
    assert len(data) < 4 or data.hex() not in str(caught.value)
