from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest

from mykey_tui.reader.card_file import CardFile, CardFileError, CardPin, Fault, FaultName
from mykey_tui.reader.emulated_card import CardPulledError, EmulatedCard

CONVERSATIONS = Path(__file__).parents[2] / "vectors" / "apdu"
SELECT_JPKI = bytes.fromhex("00A4040C0AD392F000260100000001")


def steps(path: Path) -> Iterator[tuple[int, str, str]]:
    """Line number, command (empty for a reset), expected answer."""
    command = ""
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        mark, _, text = line.partition(" ")
        if mark == ">":
            command = text
        elif mark == "<":
            yield number, command, text
        elif mark == "!":
            yield number, "", ""


def test_the_emulated_card_is_as_strict_as_the_plastic_one(card: CardFile) -> None:
    files = {
        **card.files,
        0x000A: b"\x30\x82\x03\xe4" + bytes(996),
        0x0006: b"JPKIAPICCTOKEN2".ljust(160),
    }
    emulated = EmulatedCard(replace(card, files=files))
    asked = 0
    for number, command, expected in steps(CONVERSATIONS / "jpki.txt"):
        if not command:
            emulated.reset()
            continue
        asked += 1
        answer = emulated.transmit(bytes.fromhex(command)).hex().upper()
        if expected.startswith("."):
            assert answer.endswith(expected.strip(".")), f"line {number}: {command}"
        else:
            assert answer == expected, f"line {number}: {command}"
    assert asked > 40


def test_the_last_bytes_of_a_file_come_as_a_short_answer(card: CardFile) -> None:
    emulated = EmulatedCard(replace(card, files={0x000A: bytes(300)}))
    emulated.transmit(SELECT_JPKI)
    emulated.transmit(bytes.fromhex("00A4020C02000A"))
    assert emulated.transmit(bytes.fromhex("00B0010000")) == bytes(44) + b"\x90\x00"


def test_a_point_card_answers_its_number_only(point_card: CardFile) -> None:
    emulated = EmulatedCard(point_card)
    assert emulated.transmit(bytes.fromhex("FFCA000000")).hex() == "0123456789abcdef9000"
    assert emulated.transmit(bytes.fromhex("FFCA010000")).hex() == "6a81"
    assert emulated.transmit(SELECT_JPKI).hex() == "6300"


def test_a_card_without_a_number_has_another_one_after_each_reset(card: CardFile) -> None:
    emulated = EmulatedCard(card)
    first = emulated.transmit(bytes.fromhex("FFCA000000"))
    emulated.reset()
    assert emulated.transmit(bytes.fromhex("FFCA000000")) != first


def test_tries_outlive_a_reset_and_nothing_else_does(card: CardFile) -> None:
    emulated = EmulatedCard(replace(card, pins={0x0018: CardPin("1234", 3)}))
    select_pin = bytes.fromhex("00A4020C020018")
    for _ in range(2):
        emulated.transmit(SELECT_JPKI)
        emulated.transmit(select_pin)
        emulated.transmit(bytes.fromhex("00200080") + b"\x040000")
        emulated.power_off()
    assert emulated.transmit(select_pin).hex() == "6a82"
    emulated.transmit(SELECT_JPKI)
    emulated.transmit(select_pin)
    assert emulated.transmit(bytes.fromhex("00200080")).hex() == "63c1"


def test_a_slow_card_takes_its_time_for_each_command(card: CardFile) -> None:
    emulated = EmulatedCard(replace(card, fault=Fault(FaultName.SLOW, seconds=0.05)))
    begun = monotonic()
    for _ in range(4):
        emulated.transmit(SELECT_JPKI)
    assert monotonic() - begun >= 0.2


def test_a_hanging_card_can_be_pulled(card: CardFile) -> None:
    emulated = EmulatedCard(replace(card, fault=Fault(FaultName.HANG, at=1, seconds=60)))
    emulated.take_away()
    with pytest.raises(CardPulledError):
        emulated.transmit(SELECT_JPKI)


@pytest.mark.parametrize("key", ["", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_card_with_an_unusable_key_is_refused(card: CardFile, key: str) -> None:
    with pytest.raises(CardFileError):
        EmulatedCard(replace(card, auth_key=key))
