"""The PC/SC driver over a scripted service: everything it must come back from by itself."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic, process_time, sleep, thread_time

import pytest

from mykey_tui.card.connection import CardArrived, CardLeft, ReaderChanged, ReaderState
from mykey_tui.card.jpki import JpkiApplet, sha256_digest_info
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ReaderError, TransmissionError
from mykey_tui.reader import card_session, looker, watch, winscard
from mykey_tui.reader.card_file import CardFile, Fault, FaultName
from mykey_tui.reader.pcsc import PcscReader
from tests.pcscd.looking import next_event, next_state, read
from tests.unit.reader.scripted_service import ScriptedService

LATE_SECONDS = 0.5
"""What counts as hanging in these tests; the product waits some seconds."""
UNPLUGGED = 20


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looker, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(looker, "BACK_OFF_SECONDS", 0.05)
    monkeypatch.setattr(watch, "BACK_OFF_SECONDS", 0.05)
    monkeypatch.setattr(watch, "BEAT_LATE_SECONDS", 0.2 + LATE_SECONDS)
    monkeypatch.setattr(card_session, "CALL_SECONDS", LATE_SECONDS)
    monkeypatch.setattr(card_session, "END_SECONDS", LATE_SECONDS)
    monkeypatch.setattr(card_session, "CONNECT_SECONDS", 0.1)
    monkeypatch.setattr(card_session, "CONNECT_PAUSE_SECONDS", 0.02)


@contextmanager
def driver(service: ScriptedService, name: str | None = None) -> Iterator[PcscReader]:
    """A driver over this service; when it is closed nothing of it may be left anywhere."""
    before = {thread.ident for thread in threading.enumerate()}
    reader = PcscReader(name, service=service)
    try:
        yield reader
    finally:
        reader.close()
        service.come_back()
    eventually(lambda: service.held == (0, 0))
    eventually(lambda: {thread.ident for thread in threading.enumerate()} <= before)


def eventually(holds: Callable[[], bool], seconds: float = 3.0) -> None:
    deadline = monotonic() + seconds
    while not holds():
        assert monotonic() < deadline, "it never came true"
        sleep(0.01)


def refusal(reader: PcscReader) -> Code:
    """The code with which a session is refused, or breaks off."""
    with pytest.raises((ReaderError, TransmissionError)) as caught:
        read(reader)
    assert isinstance(caught.value, ReaderError | TransmissionError)
    return caught.value.code


def reads_next_card(
    service: ScriptedService, reader: PcscReader, name: str, card: CardFile
) -> None:
    """The proof of every recovery: a card that is laid now is read, byte for byte."""
    service.lay(name, card)
    assert next_event(reader, CardArrived).reader == name
    assert read(reader) == card.files[0x000A]


# The service ---------------------------------------------------------------------------------


def test_a_service_that_is_absent_at_the_start_is_found_when_it_comes(card: CardFile) -> None:
    service = ScriptedService("A")
    service.stop()
    with driver(service) as reader:
        assert reader.wait(0) == ReaderChanged(ReaderState.NO_SERVICE, "")
        assert refusal(reader) is Code.READER_NO_SERVICE
        assert reader.health().service_lost == 0, "what never was there cannot be lost"
        service.start()
        next_state(reader, ReaderState.READY)
        reads_next_card(service, reader, "A", card)


def test_a_service_that_stops_and_starts_is_survived_and_counted(card: CardFile) -> None:
    service = ScriptedService("A")
    with driver(service) as reader:
        reads_next_card(service, reader, "A", card)
        for restart in range(1, 4):
            service.stop()
            next_state(reader, ReaderState.NO_SERVICE)
            service.start()
            assert next_event(reader, CardArrived).reader == "A"
            assert read(reader) == card.files[0x000A]
            assert reader.health().service_lost == restart
            assert reader.health().context_renewed == restart


def test_a_service_that_turns_us_away_is_told_from_one_that_is_not_there(card: CardFile) -> None:
    service = ScriptedService("A")
    service.denied = True
    with driver(service) as reader:
        assert reader.wait(0) == ReaderChanged(ReaderState.DENIED, "")
        assert refusal(reader) is Code.READER_DENIED
        service.denied = False
        next_state(reader, ReaderState.READY)
        reads_next_card(service, reader, "A", card)


def test_a_restart_too_quick_to_be_seen_costs_no_tap(card: CardFile) -> None:
    service = ScriptedService("A")
    with driver(service) as reader:
        next_state(reader, ReaderState.READY)
        service.stop()
        service.start()
        reads_next_card(service, reader, "A", card)


def test_a_context_that_died_alone_is_replaced_without_a_word_to_the_clerk(card: CardFile) -> None:
    service = ScriptedService("A")
    with driver(service) as reader:
        next_state(reader, ReaderState.READY)
        service.kill_contexts()
        eventually(lambda: reader.health().context_renewed == 1)
        assert reader.wait(0.3) is None
        assert reader.health().service_lost == 0
        reads_next_card(service, reader, "A", card)


def test_a_context_that_is_dead_and_says_yes_is_not_trusted_for_ever(
    card: CardFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looker, "RENEW_SECONDS", 0.3)
    service = ScriptedService("A")
    with driver(service) as reader:
        next_state(reader, ReaderState.READY)
        service.deafen_contexts()
        reads_next_card(service, reader, "A", card)


def test_a_renewed_context_reads_no_card_a_second_time(
    card: CardFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looker, "RENEW_SECONDS", 0.05)
    service = ScriptedService("A")
    with driver(service) as reader:
        next_state(reader, ReaderState.READY)
        service.lay("A", card)
        next_event(reader, CardArrived)
        assert reader.wait(1.0) is None
        assert reader.health().context_renewed == 0, "a change of guard is no recovery"


def test_a_service_that_dies_in_the_middle_of_a_read_is_named(card: CardFile) -> None:
    service = ScriptedService("A")
    with driver(service) as reader:
        service.lay("A", card)
        next_event(reader, CardArrived)
        with pytest.raises(TransmissionError) as caught, reader.session() as connection:
            service.stop()
            JpkiApplet(connection).select()
        assert caught.value.code is Code.READER_NO_SERVICE
        assert refusal(reader) is Code.READER_NO_SERVICE
        service.start()
        next_state(reader, ReaderState.READY)


# Readers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("plug_and_play", [True, False])
def test_a_reader_is_unplugged_and_plugged_in_again(card: CardFile, plug_and_play: bool) -> None:
    service = ScriptedService("A", plug_and_play=plug_and_play)
    with driver(service) as reader:
        next_state(reader, ReaderState.READY)
        for lost in range(1, UNPLUGGED + 1):
            service.unplug("A")
            next_state(reader, ReaderState.NO_READER)
            assert refusal(reader) is Code.READER_NONE
            service.plug("A", card if lost % 2 else None)
            next_state(reader, ReaderState.READY)
            assert reader.health().reader_lost == lost
        reads_next_card(service, reader, "A", card)


def test_a_reader_is_unplugged_with_a_card_on_it_and_comes_back_with_it(card: CardFile) -> None:
    service = ScriptedService("A")
    with driver(service) as reader:
        reads_next_card(service, reader, "A", card)
        service.unplug("A")
        assert next_event(reader, CardLeft) == CardLeft("A")
        next_state(reader, ReaderState.NO_READER)
        service.plug("A", card)
        assert next_event(reader, CardArrived).reader == "A"
        assert read(reader) == card.files[0x000A]


def test_a_reader_unplugged_in_the_middle_of_a_read_is_named(card: CardFile) -> None:
    service = ScriptedService("A")
    with driver(service) as reader:
        service.lay("A", card)
        next_event(reader, CardArrived)
        with pytest.raises(TransmissionError) as caught, reader.session() as connection:
            service.unplug("A")
            JpkiApplet(connection).select()
        assert caught.value.code is Code.READER_LOST
        next_event(reader, CardLeft)
        service.plug("A")
        next_state(reader, ReaderState.READY)
        reads_next_card(service, reader, "A", card)


def test_a_reader_absent_at_the_start_is_found(card: CardFile) -> None:
    service = ScriptedService()
    with driver(service) as reader:
        assert reader.wait(0) == ReaderChanged(ReaderState.NO_READER, "")
        service.plug("A")
        next_state(reader, ReaderState.READY)
        reads_next_card(service, reader, "A", card)


def test_a_reader_with_another_name_after_the_replug_is_the_reader(card: CardFile) -> None:
    service = ScriptedService("Reader 00 00")
    with driver(service) as reader:
        reads_next_card(service, reader, "Reader 00 00", card)
        service.unplug("Reader 00 00")
        service.plug("Reader 01 00")
        next_event(reader, CardLeft)
        next_state(reader, ReaderState.READY)
        assert reader.health().readers == ("Reader 01 00",)
        reads_next_card(service, reader, "Reader 01 00", card)


def test_twenty_readers_are_sixteen_and_each_of_them_reads(card: CardFile) -> None:
    names = [f"Reader {number:02}" for number in range(20)]
    service = ScriptedService(*names)
    with driver(service) as reader:
        next_state(reader, ReaderState.READY)
        assert reader.health().readers == tuple(names[:16])
        for name in names[:16]:
            reads_next_card(service, reader, name, card)
            service.take(name)
            assert next_event(reader, CardLeft) == CardLeft(name)


def test_one_of_three_readers_goes_and_the_others_read_on(
    card: CardFile, other_card: CardFile
) -> None:
    service = ScriptedService("A", "B", "C")
    with driver(service) as reader:
        reads_next_card(service, reader, "A", card)
        reads_next_card(service, reader, "B", other_card)
        service.unplug("B")
        assert next_event(reader, CardLeft) == CardLeft("B")
        assert read(reader) == card.files[0x000A], "the card on A lies there still"
        service.unplug("A")
        assert next_event(reader, ReaderChanged) == ReaderChanged(ReaderState.READY, "C")
        reads_next_card(service, reader, "C", other_card)


def test_readers_of_another_name_are_left_alone(card: CardFile) -> None:
    service = ScriptedService("Sony 00", "ACS 00")
    with driver(service, "sony") as reader:
        next_state(reader, ReaderState.READY)
        service.lay("ACS 00", card)
        assert reader.wait(0.3) is None
        reads_next_card(service, reader, "Sony 00", card)


# Cards ---------------------------------------------------------------------------------------


def test_a_card_present_at_the_start_is_reported_first(card: CardFile) -> None:
    service = ScriptedService("A")
    service.lay("A", card)
    with driver(service) as reader:
        assert reader.wait(0) == CardArrived("A", card.atr)
        assert reader.wait(0) == ReaderChanged(ReaderState.READY, "A")
        assert read(reader) == card.files[0x000A]


def test_a_card_pulled_at_each_command_is_removed_and_the_next_tap_works(card: CardFile) -> None:
    commands = 3 + -(-(len(card.files[0x000A]) - 4) // 256)
    service = ScriptedService("A")
    with driver(service) as reader:
        for position in range(1, commands + 1):
            fault = Fault(FaultName.REMOVED_DURING_READ, at=position)
            service.lay("A", replace(card, fault=fault))
            next_event(reader, CardArrived)
            assert refusal(reader) is Code.CARD_REMOVED, f"at command {position}"
            next_event(reader, CardLeft)
        reads_next_card(service, reader, "A", card)


def test_a_card_swapped_faster_than_anybody_looks_is_another_card(
    card: CardFile, other_card: CardFile
) -> None:
    service = ScriptedService("A")
    with driver(service) as reader:
        reads_next_card(service, reader, "A", card)
        service.lay("A", other_card)
        assert next_event(reader, CardLeft) == CardLeft("A")
        assert next_event(reader, CardArrived).reader == "A"
        assert read(reader) == other_card.files[0x000A]


def test_a_card_swapped_in_the_middle_of_a_read_never_answers_for_the_first(
    card: CardFile, other_card: CardFile
) -> None:
    service = ScriptedService("A")
    with driver(service) as reader:
        service.lay("A", card)
        next_event(reader, CardArrived)
        with pytest.raises(TransmissionError) as caught, reader.session() as connection:
            applet = JpkiApplet(connection)
            applet.select()
            service.lay("A", other_card)
            applet.read_auth_certificate()
        assert caught.value.code is Code.CARD_REMOVED
        next_event(reader, CardArrived)
        assert read(reader) == other_card.files[0x000A]


def test_a_mute_card_or_two_cards_in_the_field_are_named_and_the_next_tap_works(
    card: CardFile,
) -> None:
    # Two cards in one field answer together, which no reader understands: the service says mute.
    service = ScriptedService("A")
    with driver(service) as reader:
        service.lay("A", replace(card, fault=Fault(FaultName.MUTE)))
        assert next_event(reader, CardArrived) == CardArrived("A", b"")
        assert refusal(reader) is Code.CARD_MUTE
        service.take("A")
        next_event(reader, CardLeft)
        reads_next_card(service, reader, "A", card)


def test_a_reader_held_by_another_program_is_busy_until_it_lets_go(card: CardFile) -> None:
    service = ScriptedService("A")
    with driver(service) as reader:
        service.lay("A", card)
        next_event(reader, CardArrived)
        service.hold("A", exclusive=True)
        assert refusal(reader) is Code.READER_BUSY
        service.let_go("A")
        assert read(reader) == card.files[0x000A]
        assert reader.health().worker_given_up == 0


# What hangs ----------------------------------------------------------------------------------


def test_a_command_that_hangs_is_given_up_and_the_reader_refused_until_it_comes_back(
    card: CardFile,
) -> None:
    service = ScriptedService("A", "B")
    with driver(service) as reader:
        service.lay("A", card)
        next_event(reader, CardArrived)
        service.hang("transmit")
        begun = monotonic()
        assert refusal(reader) is Code.CARD_SLOW
        assert monotonic() - begun < 3 * LATE_SECONDS
        for _ in range(50):
            assert refusal(reader) is Code.READER_HUNG
        assert service.hung == 1, "however often a card is laid, one thread is spent"
        assert reader.health().worker_given_up == reader.health().still_out == 1
        reads_next_card(service, reader, "B", card)  # The other reader is not concerned.
        service.take("B")
        service.come_back()
        eventually(lambda: reader.health().still_out == 0)
        assert reader.health().worker_given_up == 1
        assert read(reader) == card.files[0x000A]


def test_a_reader_that_hangs_is_said_before_the_next_card_and_taken_back_by_itself(
    card: CardFile,
) -> None:
    service = ScriptedService("A", "B")
    with driver(service) as reader:
        for name in ("A", "B"):
            service.lay(name, card)
            next_event(reader, CardArrived)
            service.hang("transmit", times=2)
            assert refusal(reader) is Code.CARD_SLOW
            told = next_event(reader, ReaderChanged)
            while told == ReaderChanged(ReaderState.READY, "A"):  # From the start.
                told = next_event(reader, ReaderChanged)
            expected = ReaderState.READY if name == "A" else ReaderState.HUNG
            assert told.state is expected, "while one reader is free, cards can be read"
        service.come_back()
        next_state(reader, ReaderState.READY)
        eventually(lambda: reader.health().still_out == 0)
        assert read(reader) == card.files[0x000A]


def test_a_late_answer_is_thrown_away_and_its_thread_lets_go_of_everything(
    card: CardFile, caplog: pytest.LogCaptureFixture
) -> None:
    service = ScriptedService("A")
    with driver(service) as reader, caplog.at_level(logging.DEBUG):
        service.lay("A", card)
        next_event(reader, CardArrived)
        service.hang("transmit")
        with pytest.raises(TransmissionError) as first, reader.session() as connection:
            JpkiApplet(connection).select()
        with pytest.raises(TransmissionError) as second:
            connection.transmit(bytes.fromhex("00A4020C02000A"))
        assert first.value.code is second.value.code is Code.CARD_SLOW
        assert service.held[1] == 1
        service.come_back()
        eventually(lambda: service.held[1] == 0)
        assert service.endings == [winscard.UNPOWER], "the card begins anew for the next program"
        assert read(reader) == card.files[0x000A]
    assert caplog.text == ""


def test_a_pin_whose_command_hangs_is_forgotten_by_the_card_when_it_comes_back(
    card: CardFile,
) -> None:
    service = ScriptedService("A")
    with driver(service) as reader:
        service.lay("A", card)
        next_event(reader, CardArrived)
        with pytest.raises(TransmissionError), reader.session() as connection:
            applet = JpkiApplet(connection)
            applet.select()
            applet.verify_pin("1234")
            service.hang("transmit")
            applet.sign(sha256_digest_info(bytes(32)))
        service.come_back()
        eventually(lambda: service.endings == [winscard.RESET])


def test_a_transaction_of_another_program_is_waited_for_and_then_named(card: CardFile) -> None:
    service = ScriptedService("A")
    with driver(service) as reader:
        service.lay("A", card)
        next_event(reader, CardArrived)
        service.hold("A", exclusive=False)
        for _ in range(20):
            assert refusal(reader) is Code.READER_BUSY
        assert service.hung == 1
        service.let_go("A")
        eventually(lambda: reader.health().still_out == 0)
        assert service.endings == [winscard.LEAVE_CARD], "the other program's card is left alone"
        assert read(reader) == card.files[0x000A]


@pytest.mark.parametrize(
    ("call", "code"),
    [("establish", Code.READER_NO_SERVICE), ("connect", Code.READER_HUNG)],
)
def test_connecting_that_hangs_is_given_up(card: CardFile, call: str, code: Code) -> None:
    service = ScriptedService("A")
    with driver(service) as reader:
        service.lay("A", card)
        next_event(reader, CardArrived)
        service.hang(call)
        assert refusal(reader) is code
        assert refusal(reader) is code
        service.come_back()
        eventually(lambda: reader.health().still_out == 0)
        assert read(reader) == card.files[0x000A]


def test_letting_go_that_hangs_holds_nobody_up(card: CardFile) -> None:
    service = ScriptedService("A")
    with driver(service) as reader:
        service.lay("A", card)
        next_event(reader, CardArrived)
        service.hang("end")
        begun = monotonic()
        assert read(reader) == card.files[0x000A], "what was read was read"
        assert monotonic() - begun < 3 * LATE_SECONDS
        assert refusal(reader) is Code.READER_HUNG
        service.come_back()
        eventually(lambda: reader.health().still_out == 0)
        assert read(reader) == card.files[0x000A]


def test_no_more_than_four_readers_may_hang_before_all_are_refused(card: CardFile) -> None:
    names = [f"Reader {number}" for number in range(6)]
    service = ScriptedService(*names)
    with driver(service) as reader:
        next_state(reader, ReaderState.READY)
        codes = []
        service.hang("transmit", times=99)
        for name in names:
            service.lay(name, card)
            next_event(reader, CardArrived)
            codes.append(refusal(reader))
        assert codes == [Code.CARD_SLOW] * 4 + [Code.READER_HUNG] * 2
        assert service.hung == 4
        service.come_back()
        eventually(lambda: reader.health().still_out == 0)
        assert read(reader) == card.files[0x000A]


def test_a_watcher_that_hangs_is_noticed_and_replaced(card: CardFile) -> None:
    service = ScriptedService("A")
    with driver(service) as reader:
        next_state(reader, ReaderState.READY)
        assert reader.health().alive
        service.hang("changes")
        eventually(lambda: service.hung == 1)
        sleep(0.2 + LATE_SECONDS)
        assert not reader.health().alive
        next_state(reader, ReaderState.NO_SERVICE)
        next_state(reader, ReaderState.READY)
        health = reader.health()
        assert (health.alive, health.watcher_replaced, health.still_out) == (True, 1, 1)
        reads_next_card(service, reader, "A", card)
        service.come_back()
        eventually(lambda: reader.health().still_out == 0)
        service.take("A")
        next_event(reader, CardLeft)
        assert reader.wait(0.3) is None, "what the old watcher says counts for nothing"


def test_of_a_service_that_hangs_altogether_only_a_few_threads_wait(card: CardFile) -> None:
    service = ScriptedService("A")
    with driver(service) as reader:
        next_state(reader, ReaderState.READY)
        for call in ("changes", "readers", "establish", "cancel"):
            service.hang(call, times=99)
        next_state(reader, ReaderState.NO_SERVICE)
        spent = thread_time()
        assert reader.wait(3.0) is None
        assert thread_time() - spent < 0.1
        assert service.hung <= 1 + watch.OUT_MAX
        begun = monotonic()
        assert refusal(reader) is Code.READER_NO_SERVICE
        assert monotonic() - begun < 2 * watch.FIRST_LOOK_SECONDS
        service.come_back()
        next_state(reader, ReaderState.READY)
        reads_next_card(service, reader, "A", card)


def test_a_watcher_that_dies_is_noticed_and_replaced(
    card: CardFile, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    service = ScriptedService("A")
    faults = iter([True])

    def break_once(call: str) -> None:
        if call == "readers" and next(faults, False):
            raise SystemError("a binding that breaks")

    with driver(service) as reader:
        next_state(reader, ReaderState.READY)
        service.on_call = break_once
        next_state(reader, ReaderState.NO_SERVICE)
        next_state(reader, ReaderState.READY)
        assert reader.health().watcher_replaced == 1
        reads_next_card(service, reader, "A", card)
    assert "SystemError" in caplog.text
    assert capfd.readouterr() == ("", ""), "a traceback would be painted over the screen"


def test_closing_a_driver_whose_service_hangs_takes_little_time() -> None:
    service = ScriptedService("A")
    with driver(service) as reader:
        next_state(reader, ReaderState.READY)
        for call in ("changes", "cancel", "release"):
            service.hang(call, times=99)
        eventually(lambda: service.hung > 0)
        begun = monotonic()
        reader.close()
        assert monotonic() - begun < 2.0


def test_without_a_deadline_a_hung_command_would_hold_the_card_thread(
    card: CardFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card_session, "CALL_SECONDS", 60.0)
    service = ScriptedService("A")
    with driver(service) as reader:
        service.lay("A", card)
        next_event(reader, CardArrived)
        service.hang("transmit")
        thread = threading.Thread(target=read, args=(reader,))
        thread.start()
        thread.join(4 * LATE_SECONDS)
        assert thread.is_alive(), "this is what the deadline is for"
        service.come_back()
        thread.join(3)
        assert not thread.is_alive()


def test_without_the_heartbeat_a_hung_watcher_would_see_no_card_for_ever(
    card: CardFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "BEAT_LATE_SECONDS", 60.0)
    service = ScriptedService("A")
    with driver(service) as reader:
        next_state(reader, ReaderState.READY)
        service.hang("changes")
        eventually(lambda: service.hung == 1)
        service.lay("A", card)
        assert reader.wait(4 * LATE_SECONDS) is None, "this is what the heartbeat is for"


# The heartbeat -------------------------------------------------------------------------------


def test_the_heart_beats_while_nothing_happens() -> None:
    service = ScriptedService("A")
    with driver(service) as reader:
        assert reader.health().beat_seconds is None
        assert not reader.health().alive
        next_state(reader, ReaderState.READY)
        for _ in range(5):
            sleep(0.15)
            beat = reader.health().beat_seconds
            assert beat is not None
            assert beat < 0.2 + LATE_SECONDS
            assert reader.health().alive


def test_a_service_that_reports_changes_without_end_cannot_make_the_watcher_spin(
    card: CardFile,
) -> None:
    looks: list[str] = []
    service = ScriptedService("A")
    with driver(service) as reader:
        next_state(reader, ReaderState.READY)
        service.on_call = lambda call: looks.append(call) if call == "changes" else None
        states = service._states  # the fake's own
        service._states = lambda known: [  # type: ignore[method-assign]  # as above
            (name, state | 0x0002, atr) for name, state, atr in states(known)
        ]
        sleep(0.5)
        assert 5 < len(looks) < 0.5 / looker.SPURIOUS_PAUSE_SECONDS + 5
        reads_next_card(service, reader, "A", card)


def test_contexts_that_die_again_and_again_cannot_make_the_watcher_spin() -> None:
    made: list[str] = []
    service = ScriptedService("A")

    def spoil(call: str) -> None:
        if call == "establish":
            made.append(call)
        if call == "changes":
            service.kill_contexts_after_the_first_word()

    service.on_call = spoil
    with driver(service) as reader:
        spent = process_time()
        deadline = monotonic() + 1.0
        while (left := deadline - monotonic()) > 0:
            reader.wait(left)
        assert process_time() - spent < 0.5
        assert 2 < len(made) < 1.0 / looker.BACK_OFF_SECONDS + 3


def test_a_wait_is_interrupted_from_another_thread_at_once() -> None:
    service = ScriptedService("A")
    with driver(service) as reader:
        next_state(reader, ReaderState.READY)
        threading.Timer(0.05, reader.interrupt).start()
        begun = monotonic()
        assert reader.wait(30) is None
        assert monotonic() - begun < 1.0
