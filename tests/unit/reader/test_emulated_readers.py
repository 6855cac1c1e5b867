import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep

import pytest

from mykey_tui.card.connection import (
    CardArrived,
    CardLeft,
    CardReader,
    ReaderChanged,
    ReaderEvent,
    ReaderState,
)
from mykey_tui.card.jpki import JpkiApplet, sha256_digest_info
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import (
    ForbiddenApduError,
    MalformedResponseError,
    ReaderError,
    StatusError,
    TransmissionError,
)
from mykey_tui.reader.card_file import CardFile, Fault, FaultName
from mykey_tui.reader.emulator import EmulatedReader, FileReader
from mykey_tui.reader.trace import timed_read


class Hands:
    """Lays and takes cards: by call for one kind of reader, by file for the other."""

    def __init__(self, reader: EmulatedReader, path: Path | None) -> None:
        self.reader = reader
        self._path = path

    def lay(self, card_file: CardFile) -> None:
        if self._path is None:
            self.reader.insert(card_file)
        else:
            card_file.save(self._path)

    def take(self) -> None:
        if self._path is None:
            self.reader.remove()
        else:
            self._path.unlink()

    def next_card_event(self) -> ReaderEvent:
        for _ in range(5):
            event = self.reader.wait(2.0)
            if event is not None and not isinstance(event, ReaderChanged):
                return event
        raise AssertionError("nothing happened")


@pytest.fixture(params=["calls", "file"])
def hands(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hands]:
    path = tmp_path / "card.json"
    if request.param == "calls":
        hands = Hands(EmulatedReader(), None)
    else:
        hands = Hands(FileReader(path), path)
    yield hands
    hands.reader.close()


def test_an_emulated_reader_is_a_card_reader(hands: Hands) -> None:
    reader: CardReader = hands.reader
    assert reader.simulated


def test_a_card_that_lies_there_at_the_start_is_reported_first(
    hands: Hands, card: CardFile
) -> None:
    hands.lay(card)
    assert hands.reader.wait(0) == CardArrived(hands.reader.name, card.atr)
    assert hands.reader.wait(0) == ReaderChanged(ReaderState.READY, hands.reader.name)
    assert hands.reader.wait(0) is None


def test_a_card_laid_and_taken_is_reported(hands: Hands, card: CardFile) -> None:
    assert hands.reader.wait(0) == ReaderChanged(ReaderState.READY, hands.reader.name)
    hands.lay(card)
    assert isinstance(hands.next_card_event(), CardArrived)
    hands.take()
    assert isinstance(hands.next_card_event(), CardLeft)


def test_another_card_laid_over_the_first_is_one_leaving_and_one_coming(
    hands: Hands, card: CardFile, other_card: CardFile
) -> None:
    hands.lay(card)
    hands.next_card_event()
    hands.lay(other_card)
    assert isinstance(hands.next_card_event(), CardLeft)
    assert isinstance(hands.next_card_event(), CardArrived)


def test_the_certificate_is_read(hands: Hands, card: CardFile) -> None:
    hands.lay(card)
    hands.next_card_event()
    with hands.reader.session() as connection:
        applet = JpkiApplet(connection)
        applet.select()
        assert applet.read_auth_certificate() == card.files[0x000A]


def test_a_read_is_counted_and_measured(hands: Hands, card: CardFile) -> None:
    hands.lay(replace(card, fault=Fault(FaultName.SLOW, seconds=0.01)))
    hands.next_card_event()
    measured = timed_read(hands.reader)
    assert measured.certificate_bytes == len(card.files[0x000A])
    assert measured.apdus == 3 + -(-(measured.certificate_bytes - 4) // 256)
    assert measured.session_milliseconds >= measured.milliseconds >= 10 * measured.apdus


def test_without_a_card_there_is_no_session(hands: Hands) -> None:
    with pytest.raises(TransmissionError) as caught, hands.reader.session():
        raise AssertionError("there was a session")
    assert caught.value.removed


def test_a_mute_card_is_told_from_a_removed_one(hands: Hands, card: CardFile) -> None:
    hands.lay(replace(card, fault=Fault(FaultName.MUTE)))
    assert hands.next_card_event() == CardArrived(hands.reader.name, b"")
    with pytest.raises(TransmissionError) as caught, hands.reader.session():
        raise AssertionError("there was a session")
    assert caught.value.code is Code.CARD_MUTE


def test_a_card_that_pulls_itself_is_reported_and_stays_away(hands: Hands, card: CardFile) -> None:
    hands.lay(replace(card, fault=Fault(FaultName.REMOVED_DURING_READ, at=4)))
    hands.next_card_event()
    with pytest.raises(TransmissionError) as caught:
        timed_read(hands.reader)
    assert caught.value.code is Code.CARD_REMOVED
    assert isinstance(hands.next_card_event(), CardLeft)
    assert hands.reader.wait(0.3) in (None, ReaderChanged(ReaderState.READY, hands.reader.name))


def test_a_card_taken_away_during_a_session_is_gone_for_that_session(
    hands: Hands, card: CardFile
) -> None:
    hands.lay(replace(card, fault=Fault(FaultName.SLOW, seconds=0.05)))
    hands.next_card_event()
    taker = threading.Timer(0.12, hands.take)
    taker.start()
    with pytest.raises(TransmissionError) as caught:
        for _ in range(10):
            timed_read(hands.reader)
    taker.join()
    assert caught.value.removed


def test_a_card_swapped_during_a_session_is_not_taken_for_the_first(
    hands: Hands, card: CardFile, other_card: CardFile
) -> None:
    hands.lay(card)
    hands.next_card_event()
    with hands.reader.session() as connection:
        applet = JpkiApplet(connection)
        applet.select()
        hands.lay(other_card)
        sleep(0.25)
        with pytest.raises(TransmissionError) as caught:
            applet.read_auth_certificate()
    assert caught.value.removed


def test_nobody_signs_after_us_with_our_pin(hands: Hands, card: CardFile) -> None:
    hands.lay(card)
    hands.next_card_event()
    with hands.reader.session() as connection:
        applet = JpkiApplet(connection)
        applet.select()
        applet.verify_pin("1234")
        applet.sign(sha256_digest_info(bytes(32)))
    with hands.reader.session() as connection:
        applet = JpkiApplet(connection)
        applet.select()
        with pytest.raises(StatusError):
            applet.sign(sha256_digest_info(bytes(32)))


def test_a_command_outside_of_the_list_never_reaches_the_card(
    card: CardFile, point_card: CardFile
) -> None:
    log: list[bytes] = []
    reader = EmulatedReader(on_command=log.append)
    for card_file, command in (
        (card, "00A4040C0AD3921000310001010408"),
        (card, "00A4020C020001"),
        (point_card, "00A4040C0AD392F000260100000001"),
    ):
        reader.insert(card_file)
        with reader.session() as connection, pytest.raises(ForbiddenApduError):
            connection.transmit(bytes.fromhex(command))
    assert log == []


def test_an_interrupted_wait_ends_soon_and_the_next_one_waits_again(hands: Hands) -> None:
    hands.reader.wait(0)
    threading.Timer(0.05, hands.reader.interrupt).start()
    begun = monotonic()
    assert hands.reader.wait(10) is None
    assert monotonic() - begun < 2
    begun = monotonic()
    assert hands.reader.wait(0.3) is None
    assert monotonic() - begun >= 0.3


@pytest.mark.parametrize(
    "spoil", [lambda p: p.write_bytes(b"{"), lambda p: p.mkdir(), lambda p: p.write_bytes(b"")]
)
def test_a_file_that_is_no_card_is_a_card_that_does_not_answer(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    path = tmp_path / "card.json"
    spoil(path)
    reader = FileReader(path)
    assert reader.wait(1) == CardArrived(reader.name, b"")
    with pytest.raises(TransmissionError) as caught, reader.session():
        raise AssertionError("there was a session")
    assert caught.value.code is Code.CARD_MUTE


def test_a_garbage_certificate_is_read_and_left_to_the_judge(hands: Hands, card: CardFile) -> None:
    hands.lay(replace(card, fault=Fault(FaultName.GARBAGE_CERTIFICATE)))
    hands.next_card_event()
    assert timed_read(hands.reader).certificate_bytes == 0x404


@pytest.mark.parametrize("fault", [FaultName.LYING_LENGTH, FaultName.ENDLESS_TLV])
def test_a_lying_card_ends_in_a_malformed_response(
    hands: Hands, card: CardFile, fault: FaultName
) -> None:
    hands.lay(replace(card, fault=Fault(fault)))
    hands.next_card_event()
    with pytest.raises(MalformedResponseError):
        timed_read(hands.reader)


def test_a_reader_that_is_unplugged_in_a_reading_says_so_and_comes_back_with_the_next_card(
    card: CardFile,
) -> None:
    reader = EmulatedReader()
    assert reader.wait(1) == ReaderChanged(ReaderState.READY, reader.name)
    reader.insert(replace(card, fault=Fault(FaultName.READER_LOST, at=4)))
    assert isinstance(reader.wait(1), CardArrived)
    with pytest.raises(ReaderError) as caught:
        timed_read(reader)
    assert caught.value.code is Code.READER_LOST
    assert reader.wait(1) == CardLeft(reader.name)
    assert reader.wait(1) == ReaderChanged(ReaderState.NO_READER, "")
    reader.insert(card)
    assert reader.wait(1) == ReaderChanged(ReaderState.READY, reader.name)
    assert isinstance(reader.wait(1), CardArrived)
    assert timed_read(reader).apdus > 0


def test_a_reader_that_another_program_holds_is_busy(card: CardFile) -> None:
    reader = EmulatedReader()
    reader.insert(replace(card, fault=Fault(FaultName.READER_BUSY)))
    with pytest.raises(ReaderError) as caught, reader.session():
        raise AssertionError("there was a session")
    assert caught.value.code is Code.READER_BUSY
