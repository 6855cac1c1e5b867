"""The doctor's port over a running desk: examination, evidence file, tapes of what passed."""

from __future__ import annotations

import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mykey_tui.card.connection import ReaderState
from mykey_tui.card.live import SlotsNow
from mykey_tui.composition.hands import Hands
from mykey_tui.composition.running import RunningCounter
from mykey_tui.composition.technician import Technician
from mykey_tui.diagnostics.finding import Report, State
from mykey_tui.diagnostics.layer import Layer
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.flows.desk_events import DeskEvent, LookedUp, ReaderIs, TapDone
from mykey_tui.flows.soak import Soak, Tap
from mykey_tui.reader.emulator import EmulatedReader
from mykey_tui.reader.pcsc import PcscReader
from mykey_tui.settings import Settings
from mykey_tui.simulated.cards import make_card
from tests.unit.diagnostics.box import Box, debian_12
from tests.unit.flows.conftest import NOW
from tests.unit.reader.scripted_service import ScriptedService

CN = "1C2410DF79DGEL07202002B"
Until = Callable[[type[DeskEvent]], Any]


@pytest.fixture
def reader() -> EmulatedReader:
    return EmulatedReader()


@pytest.fixture
def running(tmp_path: Path, reader: EmulatedReader, watcher: Any) -> Iterator[RunningCounter]:
    """A counter that was never enrolled: its reader is watched all the same."""
    counter = RunningCounter(Settings(home=tmp_path / "home"), Hands(reader=reader))
    with pytest.raises(StoreError):
        counter.build(watcher)
    yield counter
    counter.close()


@pytest.fixture
def technician(running: RunningCounter, tmp_path: Path) -> Technician:
    box = Box(tmp_path / "root")
    technician = running.technician
    assert technician is not None
    technician.root = box.root
    return technician


def examined(technician: Technician) -> Report:
    return Report(tuple(technician.examine()), 1.0)


def test_a_counter_that_was_never_enrolled_is_examined(
    technician: Technician, watcher: Any
) -> None:
    watcher.until(ReaderIs)
    found = {finding.layer: finding for finding in examined(technician).findings}
    assert found[Layer.STORE].code is Code.STORE_NONE
    assert found[Layer.READER].state is State.OK
    assert found[Layer.USB].state is State.SKIPPED, "there is no cable to a virtual reader"
    assert len(found) == len(Layer)


def test_a_reader_that_hangs_in_the_running_program_is_named(
    tmp_path: Path, watcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mykey_tui.reader.card_session.CALL_SECONDS", 0.5)
    service = ScriptedService("Reader 00 00")
    hands = Hands(reader=PcscReader(service=service))
    counter = RunningCounter(Settings(home=tmp_path / "home"), hands)
    try:
        with pytest.raises(StoreError):
            counter.build(watcher)
        technician = counter.technician
        assert technician is not None
        technician.root = Box(tmp_path / "root").root
        technician.desk.expect_taps()
        service.hang("transmit")
        service.lay("Reader 00 00", make_card(CN, at=NOW))
        while watcher.until(ReaderIs).state is not ReaderState.HUNG:
            pass
        found = {finding.layer: finding for finding in examined(technician).findings}
        assert found[Layer.READER].code is Code.READER_HUNG
    finally:
        service.come_back()
        counter.close()


def test_the_card_on_the_running_reader_is_the_one_examined(
    technician: Technician, reader: EmulatedReader, watcher: Any
) -> None:
    watcher.until(ReaderIs)
    technician.expect_nothing()
    reader.insert(make_card(CN, at=NOW))
    deadline = time.monotonic() + 5
    while not technician.desk.card_lies:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    found = {finding.layer: finding for finding in examined(technician).findings}
    assert found[Layer.CARD].state is State.OK
    assert found[Layer.APPLICATION].state is State.OK


def test_the_evidence_is_one_private_file_without_the_card_that_was_read(
    technician: Technician, reader: EmulatedReader, watcher: Any, tmp_path: Path
) -> None:
    watcher.until(ReaderIs)
    technician.set_trace(on=True)
    technician.expect_taps()
    reader.insert(make_card(CN, at=NOW))
    assert watcher.until(TapDone).tap.code is None
    soak = Soak(10)
    soak.add(Tap(212.0))
    path = technician.write_evidence(examined(technician), soak.figures)
    again = technician.write_evidence(None, None)
    assert path == again == tmp_path / "home" / "evidence.txt"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    technician.write_evidence(examined(technician), soak.figures)
    text = path.read_text()
    for secret in (CN, CN[:14], CN.encode().hex(), "SERIAL0451", str(tmp_path)):
        assert secret not in text
    for told in ("card laid", "ready", "00a4040c", "store: note  K-NONE", "1/1 (100.0 %)"):
        assert told in text
    assert list(path.parent.glob("evidence*")) == [path]


def test_a_trace_shows_what_passed_only_while_it_is_on(
    technician: Technician, reader: EmulatedReader, watcher: Any
) -> None:
    watcher.until(ReaderIs)
    technician.expect_taps()
    reader.insert(make_card(CN, at=NOW))
    watcher.until(TapDone)
    assert not technician.trace().lines
    technician.set_trace(on=True)
    reader.insert(make_card(CN, at=NOW))
    watcher.until(TapDone)
    told = technician.trace()
    assert told.is_on
    assert any("00a4040c" in line for line in told.lines)
    technician.set_trace(on=False)
    assert not technician.trace().is_on


def test_a_card_laid_for_a_tap_is_not_looked_up(
    technician: Technician, reader: EmulatedReader, watcher: Any
) -> None:
    watcher.until(ReaderIs)
    technician.expect_taps()
    reader.insert(make_card(CN, at=NOW))
    watcher.until(TapDone)
    assert watcher.nothing_more()
    technician.desk.expect_lookup()
    reader.insert(make_card(CN, at=NOW))
    assert watcher.until(LookedUp).outcome.code is Code.STORE_NONE


def test_the_reader_in_test_is_named_with_its_software(
    technician: Technician, watcher: Any
) -> None:
    watcher.until(ReaderIs)
    tested = technician.reader_in_test()
    assert tested.name == "Virtual reader SIMULATED", "no row for the list of real readers"
    assert tested.usb_id == ""
    assert any(part.startswith("mykey-tui ") for part in tested.software)
    assert len(tested.month) == len("2026-11")


def test_a_line_cut_by_hand_is_what_the_doctor_sees(
    running: RunningCounter, technician: Technician
) -> None:
    running.hands = technician.hands = Hands(reader=EmulatedReader(), probe=lambda: False)
    line = technician._line_as_it_is_here(lambda: pytest.fail("asked round the cut"))
    assert line().trouble is Code.LINE_DOWN


def test_a_service_that_hangs_does_not_keep_the_evidence(
    technician: Technician, monkeypatch: pytest.MonkeyPatch
) -> None:
    comes_back = threading.Event()

    class HangingLooker:
        def look(self, seconds: float) -> SlotsNow:
            comes_back.wait(20)
            return SlotsNow(ReaderState.READY)

    monkeypatch.setattr(Technician, "_make_looker", lambda self: HangingLooker())
    begun = time.monotonic()
    text = technician.write_evidence(None, None).read_text()
    comes_back.set()
    assert time.monotonic() - begun < 5
    assert "Readers and cards now\n  not known" in text


def test_a_service_that_hangs_costs_one_thread_however_often_one_looks(
    technician: Technician, monkeypatch: pytest.MonkeyPatch
) -> None:
    comes_back, looks = threading.Event(), []

    class HangingLooker:
        def look(self, seconds: float) -> SlotsNow:
            looks.append(seconds)
            comes_back.wait(20)
            return SlotsNow(ReaderState.READY)

    monkeypatch.setattr(Technician, "_make_looker", lambda self: HangingLooker())
    hanging = threading.Thread(target=technician.look, args=(1.0,))
    hanging.start()
    while not looks:
        time.sleep(0.01)
    assert technician.look(0.1) == SlotsNow(ReaderState.STARTING)
    assert len(looks) == 1
    comes_back.set()
    hanging.join(5)
    assert technician.look(0.1).state is ReaderState.READY


def test_a_service_that_hangs_costs_the_evidence_one_thread_however_often_it_is_written(
    technician: Technician, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mykey_tui.composition.technician.LOOK_SECONDS", 0.3)
    comes_back, looks = threading.Event(), []

    class HangingLooker:
        def look(self, seconds: float) -> SlotsNow:
            looks.append(seconds)
            comes_back.wait(20)
            return SlotsNow(ReaderState.READY)

    monkeypatch.setattr(Technician, "_make_looker", lambda self: HangingLooker())
    for _ in range(3):
        technician.write_evidence(None, None)
    comes_back.set()
    assert len(looks) == 1


def test_files_that_hang_do_not_keep_the_evidence(
    technician: Technician, watcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher.until(ReaderIs)
    monkeypatch.setattr("mykey_tui.composition.technician.LOOK_SECONDS", 0.3)
    monkeypatch.setattr(EmulatedReader, "simulated", False)
    comes_back = threading.Event()

    def hang(root: Path) -> None:
        comes_back.wait(20)
        raise OSError("gone")

    monkeypatch.setattr("mykey_tui.diagnostics.box.read_box", hang)
    monkeypatch.setattr("mykey_tui.composition.machine.read_box", hang)
    begun = time.monotonic()
    tested = technician.reader_in_test()
    text = technician.write_evidence(None, None).read_text()
    seconds = time.monotonic() - begun
    comes_back.set()
    assert seconds < 5
    assert (bool(tested.name), tested.software) == (True, ()), "its name needs no file"
    assert "Readers on USB\n  not known" in text


def test_a_frozen_service_costs_the_examination_one_thread_however_often_it_is_begun(
    tmp_path: Path, watcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mykey_tui.diagnostics.probe.SERVICE_ANSWERS_SECONDS", 0.2)
    monkeypatch.delenv("PCSCLITE_CSOCK_NAME", raising=False)  # the socket is the box's own
    service = ScriptedService("Reader 00 00")
    service.hang("establish", times=100)
    others = watching_threads()  # another test's may still be on its way out
    monkeypatch.setattr(
        "mykey_tui.composition.doctor.make_reader", lambda choice: PcscReader(service=service)
    )
    counter = RunningCounter(
        Settings(home=tmp_path / "home"), Hands(reader=PcscReader(service=service))
    )
    box = Box(tmp_path / "root")
    try:
        with pytest.raises(StoreError):
            counter.build(watcher)
        technician = counter.technician
        assert technician is not None
        debian_12(box)
        technician.root = box.root
        for _ in range(4):
            found = {finding.layer: finding for finding in examined(technician).findings}
            assert found[Layer.DAEMON].code is Code.PCSC_HANGS
        ours = watching_threads() - others
        assert len(ours) <= 2, "the running program's and one of the doctor's"
        service.come_back()
        deadline = time.monotonic() + 5
        while len(watching_threads() - others) > 1:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        found = {finding.layer: finding for finding in examined(technician).findings}
        assert found[Layer.DAEMON].state is State.OK
    finally:
        box.close()
        service.come_back()
        counter.close()


def watching_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "card-watch"}
