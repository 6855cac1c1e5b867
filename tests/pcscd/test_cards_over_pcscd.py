import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic, process_time, sleep
from typing import Any

import pytest

from mykey_tui.card.connection import CardArrived, CardLeft, CardReader, ReaderState
from mykey_tui.card.jpki import JpkiApplet, sha256_digest_info
from mykey_tui.card.storage import read_uid
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import (
    CardError,
    ForbiddenApduError,
    MalformedResponseError,
    ReaderError,
    StatusError,
    TransmissionError,
    WrongCardError,
)
from mykey_tui.reader.card_file import CardFile, CardKind, Fault, FaultName
from mykey_tui.reader.pcsc import PcscReader
from mykey_tui.reader.trace import timed_read
from tests.pcscd.looking import next_event, next_state, read
from tests.pcscd.private_pcscd import SLOTS, PrivatePcscd

pytestmark = pytest.mark.pcscd
Lay = Callable[..., Any]

LICENCE = CardFile(
    kind=CardKind.ISO, name="licence", atr=bytes.fromhex("3B888001000000009181C10018")
)
POINT_CARD = CardFile(
    kind=CardKind.STORAGE,
    name="FeliCa",
    atr=bytes.fromhex("3B8F8001804F0CA00000030611003B0000000042"),
    uid=bytes.fromhex("0123456789ABCDEF"),
)


def test_a_pcsc_reader_is_a_card_reader(reader: PcscReader) -> None:
    as_seen_from_above: CardReader = reader
    assert not as_seen_from_above.simulated


def test_a_card_is_read_byte_for_byte_and_in_the_fewest_commands(
    reader: PcscReader, lay: Lay, card: CardFile
) -> None:
    with lay(card) as log:
        arrived = next_event(reader, CardArrived)
        assert arrived == CardArrived(SLOTS[0][1], card.atr)
        assert read(reader) == card.files[0x000A]
    rest = len(card.files[0x000A]) - 4
    assert len(log) == 3 + -(-rest // 256)


def test_a_slow_card_costs_its_own_time_and_little_more(
    reader: PcscReader, lay: Lay, card: CardFile
) -> None:
    with lay(replace(card, fault=Fault(FaultName.SLOW, seconds=0.02))):
        next_event(reader, CardArrived)
        measured = min((timed_read(reader) for _ in range(3)), key=lambda m: m.milliseconds)
    # A delayed acknowledgement between pcscd and the emulated card would add 40 ms per command.
    assert measured.milliseconds < 1.5 * 20 * measured.apdus


def test_a_card_that_lies_there_at_the_start_is_reported_first(
    reader: PcscReader, lay: Lay, card: CardFile
) -> None:
    with lay(card):
        next_event(reader, CardArrived)
        late = PcscReader()
        try:
            assert late.wait(1) == CardArrived(SLOTS[0][1], card.atr)
            next_state(late, ReaderState.READY)
        finally:
            late.close()


def test_cards_coming_and_going_are_reported_each_time(
    reader: PcscReader, lay: Lay, card: CardFile, other_card: CardFile
) -> None:
    for laid in (card, other_card):
        with lay(laid):
            next_event(reader, CardArrived)
            assert read(reader) == laid.files[0x000A]
        next_event(reader, CardLeft)


def test_a_card_pulled_at_any_command_says_removed_and_never_gives_a_certificate(
    lay: Lay, card: CardFile
) -> None:
    commands = 3 + -(-(len(card.files[0x000A]) - 4) // 256)
    for position in range(1, commands + 1):
        slot = position % 2
        reader = PcscReader(SLOTS[slot][1])
        fault = Fault(FaultName.REMOVED_DURING_READ, at=position)
        try:
            with lay(replace(card, fault=fault), slot):
                next_event(reader, CardArrived)
                with pytest.raises(TransmissionError) as caught:
                    read(reader)
                assert caught.value.code is Code.CARD_REMOVED, f"at command {position}"
                next_event(reader, CardLeft)
        finally:
            reader.close()


def test_after_a_pulled_card_the_next_one_is_read(
    reader: PcscReader, lay: Lay, card: CardFile, other_card: CardFile
) -> None:
    with lay(replace(card, fault=Fault(FaultName.REMOVED_DURING_READ, at=5))):
        next_event(reader, CardArrived)
        with pytest.raises(TransmissionError):
            read(reader)
        next_event(reader, CardLeft)
    with lay(other_card):
        next_event(reader, CardArrived)
        assert read(reader) == other_card.files[0x000A]


def test_a_session_without_a_card_says_that_none_is_there(reader: PcscReader) -> None:
    next_state(reader, ReaderState.READY)
    with pytest.raises(TransmissionError) as caught, reader.session():
        raise AssertionError("there was a session")
    assert caught.value.removed


def test_a_driving_licence_is_told_from_a_my_number_card(reader: PcscReader, lay: Lay) -> None:
    with lay(LICENCE):
        next_event(reader, CardArrived)
        with pytest.raises(WrongCardError) as caught:
            read(reader)
    assert caught.value.code is Code.CARD_NOT_JPKI


def test_a_point_card_is_asked_for_its_number_and_nothing_else(
    reader: PcscReader, lay: Lay
) -> None:
    with lay(POINT_CARD) as log:
        next_event(reader, CardArrived)
        with pytest.raises(WrongCardError) as caught:
            read(reader)
        with reader.session() as connection:
            assert read_uid(connection) == POINT_CARD.uid
    assert caught.value.code is Code.CARD_IS_POINT_CARD
    assert [command.hex() for command in log] == ["ffca000000"]


def test_a_mute_card_is_named(reader: PcscReader, lay: Lay, card: CardFile) -> None:
    with lay(replace(card, fault=Fault(FaultName.MUTE))):
        next_event(reader, CardArrived)
        with pytest.raises(TransmissionError) as caught, reader.session():
            raise AssertionError("there was a session")
    assert caught.value.code is Code.CARD_MUTE


@pytest.mark.parametrize("fault", [FaultName.LYING_LENGTH, FaultName.ENDLESS_TLV])
def test_a_lying_card_ends_in_a_card_error(
    reader: PcscReader, lay: Lay, card: CardFile, fault: FaultName
) -> None:
    with lay(replace(card, fault=Fault(fault))):
        next_event(reader, CardArrived)
        with pytest.raises(MalformedResponseError):
            read(reader)


def test_no_forbidden_command_reaches_the_card(
    reader: PcscReader, lay: Lay, card: CardFile
) -> None:
    with lay(card) as log:
        next_event(reader, CardArrived)
        with reader.session() as connection, pytest.raises(ForbiddenApduError):
            connection.transmit(bytes.fromhex("00A4040C0AD3921000310001010408"))
    assert log == []


def test_nobody_signs_after_us_with_our_pin(reader: PcscReader, lay: Lay, card: CardFile) -> None:
    digest_info = sha256_digest_info(bytes(32))
    with lay(card):
        next_event(reader, CardArrived)
        with reader.session() as connection:
            applet = JpkiApplet(connection)
            applet.select()
            applet.verify_pin("1234")
            assert len(applet.sign(digest_info)) == 256
        other_program = PcscReader()
        try:
            with other_program.session() as connection:
                applet = JpkiApplet(connection)
                applet.select()
                with pytest.raises(StatusError) as caught:
                    applet.sign(digest_info)
        finally:
            other_program.close()
        assert caught.value.status_word == 0x6982
        # The reset at the end is no new card.
        news = [reader.wait(0.3) for _ in range(2)]
        assert not any(isinstance(event, CardArrived | CardLeft) for event in news)


def test_two_cards_at_once_are_kept_apart_and_the_newest_counts(
    reader: PcscReader, lay: Lay, card: CardFile, other_card: CardFile
) -> None:
    first, second = (PcscReader(name) for _, name in SLOTS)
    try:
        with lay(card, 0):
            assert next_event(reader, CardArrived).reader == SLOTS[0][1]
            with lay(other_card, 1):
                assert next_event(reader, CardArrived).reader == SLOTS[1][1]
                next_event(first, CardArrived)
                next_event(second, CardArrived)
                assert read(first) == card.files[0x000A]
                assert read(second) == other_card.files[0x000A]
                assert read(reader) == other_card.files[0x000A]
            assert next_event(reader, CardLeft).reader == SLOTS[1][1]
            assert read(reader) == card.files[0x000A]
    finally:
        first.close()
        second.close()


@contextmanager
def another_program_holds(name: str) -> Iterator[None]:
    program = f"""
from smartcard import scard
_, context = scard.SCardEstablishContext(0)
result, handle, _ = scard.SCardConnect(context, {name!r}, scard.SCARD_SHARE_EXCLUSIVE, 3)
print(result, flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "0\n"
        yield
        process.stdin.write("\n")
        process.stdin.flush()


def test_a_reader_that_another_program_holds_is_named_and_read_afterwards(
    reader: PcscReader, lay: Lay, card: CardFile
) -> None:
    with lay(card):
        next_event(reader, CardArrived)
        with another_program_holds(SLOTS[0][1]):
            with pytest.raises(ReaderError) as caught:
                read(reader)
            assert caught.value.code is Code.READER_BUSY
        assert read(reader) == card.files[0x000A]


def test_another_program_waits_until_our_read_is_done(
    reader: PcscReader, lay: Lay, card: CardFile
) -> None:
    program = f"""
from smartcard import scard
_, context = scard.SCardEstablishContext(0)
_, handle, protocol = scard.SCardConnect(context, {SLOTS[0][1]!r}, scard.SCARD_SHARE_SHARED, 3)
print("connected", flush=True)
input()
scard.SCardTransmit(handle, protocol, list(bytes.fromhex("00A4020C020006")))
"""
    with lay(card) as log:
        next_event(reader, CardArrived)
        with subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "connected\n"
            with reader.session() as connection:
                JpkiApplet(connection).select()
                connection.transmit(bytes.fromhex("00A4020C02000A"))
                assert other.stdin is not None
                other.stdin.write("\n")
                other.stdin.flush()
                sleep(0.3)  # The other program now selects another file, and has to wait.
                head = connection.transmit(bytes.fromhex("00B0000004"))
            assert head[:4] == card.files[0x000A][:4]
            other.wait(5)
    assert [command.hex() for command in log[-2:]] == ["00b0000004", "00a4020c020006"]


def test_a_wait_is_interrupted_from_another_thread(reader: PcscReader) -> None:
    next_state(reader, ReaderState.READY)
    threading.Timer(0.1, reader.interrupt).start()
    begun = monotonic()
    assert reader.wait(30) is None
    assert monotonic() - begun < 2


def test_waiting_costs_next_to_nothing(reader: PcscReader) -> None:
    next_state(reader, ReaderState.READY)
    spent = process_time()
    assert reader.wait(2) is None
    assert process_time() - spent < 0.1


def test_the_next_tap_works_after_each_restart_of_the_service(
    pcscd: PrivatePcscd,
    reader: PcscReader,
    lay: Lay,
    card: CardFile,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with lay(card):
        next_event(reader, CardArrived)
        for kill in (False, True, False, True):
            pcscd.stop(kill=kill)
            next_event(reader, CardLeft)
            next_state(reader, ReaderState.NO_SERVICE)
            pcscd.start()
            next_event(reader, CardArrived)
            assert read(reader) == card.files[0x000A]
            next_state(reader, ReaderState.READY)
    assert capfd.readouterr().err == "", "a traceback would destroy the screen"


def test_a_service_that_dies_in_the_middle_of_a_read_is_named(
    pcscd: PrivatePcscd, reader: PcscReader, lay: Lay, card: CardFile
) -> None:
    with lay(card):
        next_event(reader, CardArrived)
        with pytest.raises(CardError) as caught, reader.session() as connection:
            applet = JpkiApplet(connection)
            applet.select()
            pcscd.stop(kill=True)
            applet.read_auth_certificate()
        assert caught.value.code is Code.READER_NO_SERVICE
        with pytest.raises(ReaderError) as without, reader.session():
            raise AssertionError("there was a session")
        assert without.value.code is Code.READER_NO_SERVICE
        pcscd.start()
        next_state(reader, ReaderState.NO_SERVICE)
        next_event(reader, CardArrived)
        assert read(reader) == card.files[0x000A]


def test_while_the_service_is_away_the_driver_does_not_spin(
    pcscd: PrivatePcscd, reader: PcscReader
) -> None:
    next_state(reader, ReaderState.READY)
    pcscd.stop()
    try:
        next_state(reader, ReaderState.NO_SERVICE)
        spent = process_time()
        assert reader.wait(2.5) is None
        assert process_time() - spent < 0.1
    finally:
        pcscd.start()
    next_state(reader, ReaderState.READY)


def test_a_reader_that_vanishes_and_comes_back_is_told(
    pcscd: PrivatePcscd, reader: PcscReader
) -> None:
    next_state(reader, ReaderState.READY)
    pcscd.stop()
    pcscd.start(readers=False)
    try:
        next_state(reader, ReaderState.NO_READER)
        with pytest.raises(ReaderError) as caught, reader.session():
            raise AssertionError("there was a session")
        assert caught.value.code is Code.READER_NONE
        begun = process_time()
        sleep(0.01)
        assert reader.wait(1.5) is None
        assert process_time() - begun < 0.1
    finally:
        pcscd.stop()
        pcscd.start()
    next_state(reader, ReaderState.READY)


def test_readers_of_another_name_are_left_alone(
    pcscd: PrivatePcscd, lay: Lay, card: CardFile
) -> None:
    reader = PcscReader("pcd 00 01")
    try:
        with lay(card, 0):
            next_state(reader, ReaderState.READY)
            assert reader.wait(0.8) is None
    finally:
        reader.close()
