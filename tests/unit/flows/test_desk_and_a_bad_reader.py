"""The desk over a service that hangs, dies and comes back: what the clerk is told, and the next tap."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from mykey_tui.card.connection import ReaderState
from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import ServiceId, SubjectCn
from mykey_tui.domain.tokens import default_token
from mykey_tui.flows import desk as desk_module
from mykey_tui.flows.desk import Desk
from mykey_tui.flows.desk_events import CardTaken, LinkFinished, LookedUp, ReaderIs, ReadingStarted
from mykey_tui.flows.outcomes import Found, NotLinked, Stopped
from mykey_tui.reader import card_session, looker, watch
from mykey_tui.reader.card_file import Fault, FaultName
from mykey_tui.reader.pcsc import PcscReader
from tests.unit.reader.scripted_service import ScriptedService

PAPER = "1C2410DF79DGEL07202002B"
NAME = "Reader 00 00"
SERVICE_ID = "ABCDEFGHI"
LATE_SECONDS = 0.5
ROUNDS = 60


@dataclass
class Counter:
    """A desk at work, over a scripted service, with one linked card."""

    desk: Desk
    service: ScriptedService
    bench: Any
    watcher: Any

    def lay(self, **how: Any) -> None:
        self.service.lay(NAME, replace(self.bench.card(), **how))

    def take(self) -> None:
        self.service.take(NAME)
        self.watcher.until(CardTaken)

    def answer(self) -> Any:
        return self.watcher.until(LookedUp).outcome

    def next_tap_works(self) -> None:
        before = len(self.bench.till.got)
        self.lay()
        outcome = self.answer()
        assert isinstance(outcome, Found), outcome
        assert self.bench.till.got[before:] == [SERVICE_ID], "handed over once"
        self.take()


@pytest.fixture
def counter(bench: Any, watcher: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter]:
    monkeypatch.setattr(looker, "BACK_OFF_SECONDS", 0.05)
    monkeypatch.setattr(watch, "BACK_OFF_SECONDS", 0.05)
    monkeypatch.setattr(card_session, "CALL_SECONDS", LATE_SECONDS)
    monkeypatch.setattr(card_session, "CONNECT_SECONDS", 0.1)
    service = ScriptedService(NAME)
    reader = PcscReader(service=service)
    bench.has_row(default_token(bench.provider_key, SubjectCn.parse(PAPER)), SERVICE_ID)
    desk = Desk(reader, replace(bench.visits, reader=reader), watcher, bench.clock)
    desk.expect_lookup()
    desk.start()
    yield Counter(desk, service, bench, watcher)
    service.come_back()
    desk.stop()


def test_a_hung_card_costs_one_answer_and_nothing_is_handed_over_when_it_wakes(
    counter: Counter,
) -> None:
    counter.service.hang("transmit")
    counter.lay()
    assert counter.answer() == Stopped(Code.CARD_SLOW)
    counter.service.come_back()
    time.sleep(LATE_SECONDS)
    assert counter.bench.till.got == [], "the late answer is nobody's"
    counter.take()
    counter.next_tap_works()
    assert counter.desk.reader_health.worker_given_up == 1
    assert counter.desk.reader_health.still_out == 0


def test_a_reader_that_stays_hung_is_said_at_each_tap_and_the_desk_goes_on(
    counter: Counter,
) -> None:
    counter.service.hang("transmit")
    counter.lay()
    assert counter.answer() == Stopped(Code.CARD_SLOW)
    counter.take()
    for _ in range(3):
        counter.lay()
        begun = time.monotonic()
        assert counter.answer() == Stopped(Code.READER_HUNG)
        assert time.monotonic() - begun < LATE_SECONDS
        counter.take()
    counter.service.come_back()
    time.sleep(0.1)
    counter.next_tap_works()


def test_a_link_whose_second_reading_hangs_is_not_stored_when_it_wakes(counter: Counter) -> None:
    counter.lay(files=counter.bench.card("SAMPLE0000000299999002A").files)
    outcome = counter.answer()
    assert isinstance(outcome, NotLinked)
    counter.service.hang("transmit")
    counter.desk.commit_link(outcome.card, ServiceId("2802121234"))
    assert counter.watcher.until(LinkFinished).outcome == Stopped(Code.CARD_SLOW)
    counter.service.come_back()
    time.sleep(LATE_SECONDS)
    assert counter.bench.store.queue() == []
    counter.take()
    counter.next_tap_works()


def test_while_a_card_hangs_the_screens_may_ask_for_anything_at_once(counter: Counter) -> None:
    counter.watcher.until(ReaderIs)
    counter.service.hang("transmit")
    counter.lay()
    counter.watcher.until(ReadingStarted)
    begun = time.monotonic()
    counter.desk.expect_nothing()
    counter.desk.expect_lookup()
    assert counter.desk.reader_state == (ReaderState.READY, NAME)
    assert counter.desk.reader_health.alive
    assert time.monotonic() - begun < LATE_SECONDS / 2
    assert counter.answer() == Stopped(Code.CARD_SLOW)


def test_another_program_in_a_transaction_is_named(counter: Counter) -> None:
    counter.service.hold(NAME, exclusive=False)
    counter.lay()
    assert counter.answer() == Stopped(Code.READER_BUSY)
    counter.take()
    counter.service.let_go(NAME)
    time.sleep(0.1)
    counter.next_tap_works()


def test_a_stop_while_a_card_hangs_ends_the_desk_all_the_same(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card_session, "CALL_SECONDS", 60.0)
    monkeypatch.setattr(desk_module, "STOP_SECONDS", 0.3)
    counter.service.hang("transmit")
    counter.lay()
    counter.watcher.until(ReadingStarted)
    begun = time.monotonic()
    counter.desk.stop()
    assert time.monotonic() - begun < 1.0


def test_what_kills_a_thread_does_not_kill_the_desk(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_module, "PAUSE_AFTER_BUG_SECONDS", 0.01)
    faults = iter([True])

    def break_once(call: str) -> None:
        if call == "connect" and next(faults, False):
            raise SystemError("a binding that breaks")

    counter.service.on_call = break_once
    counter.lay()
    assert counter.answer() == Stopped(Code.BUG)
    counter.take()
    counter.next_tap_works()

    def leave(**how: Any) -> Any:
        raise SystemExit(1)

    flows = counter.desk._flows  # nothing else can make a use case do this
    counter.desk._flows = _Leaving(flows, leave)  # same
    counter.lay()
    assert counter.answer() == Stopped(Code.BUG)
    counter.desk._flows = flows  # same
    counter.take()
    counter.next_tap_works()


def _stop_and_start(counter: Counter) -> None:
    counter.service.stop()
    counter.watcher.until(CardTaken)
    counter.service.start()


def _bounce(counter: Counter) -> None:
    counter.service.stop()
    counter.service.start()


def _starve(counter: Counter) -> None:
    """What a stopped process or a starved box looks like when it goes on."""
    reader: Any = counter.desk._reader
    reader._watch._looker.beat_at -= watch.BEAT_LATE_SECONDS + 1
    reader.interrupt()


@pytest.mark.parametrize("lose", [_stop_and_start, _bounce, _starve])
def test_a_card_that_nobody_touches_is_handed_over_once_whatever_the_service_does(
    counter: Counter, lose: Callable[[Counter], None]
) -> None:
    counter.lay()
    assert isinstance(counter.answer(), Found)
    for _ in range(2):
        lose(counter)
        outcome = counter.answer()
        assert isinstance(outcome, Found)
        assert outcome.handover.code is Code.HANDOVER_AGAIN
        assert counter.bench.till.got == [SERVICE_ID]
    counter.take()
    counter.bench.till.got.clear()
    counter.next_tap_works()


def test_a_card_whose_reading_failed_is_handed_over_when_the_service_is_back(
    counter: Counter,
) -> None:
    counter.service.hang("transmit")
    counter.lay()
    assert counter.answer() == Stopped(Code.CARD_SLOW)
    counter.service.come_back()
    _stop_and_start(counter)
    outcome = counter.answer()
    assert isinstance(outcome, Found), outcome
    assert counter.bench.till.got == [SERVICE_ID]


class _Leaving:
    def __init__(self, flows: Any, lookup: Callable[..., Any]) -> None:
        self._flows = flows
        self.lookup = lookup

    def __getattr__(self, name: str) -> Any:
        return getattr(self._flows, name)


def _restart(counter: Counter, _: random.Random) -> None:
    counter.service.stop()
    _until(counter, ReaderState.NO_SERVICE)
    counter.service.start()
    _until(counter, ReaderState.READY)


def _replug(counter: Counter, _: random.Random) -> None:
    counter.service.unplug(NAME)
    _until(counter, ReaderState.NO_READER)
    counter.service.plug(NAME)
    _until(counter, ReaderState.READY)


def _pull(counter: Counter, chance: random.Random) -> None:
    position = chance.randint(1, 8)
    counter.lay(fault=Fault(FaultName.REMOVED_DURING_READ, at=position))
    assert counter.answer() == Stopped(Code.CARD_REMOVED)
    counter.watcher.until(CardTaken)


def _hang(counter: Counter, chance: random.Random) -> None:
    call = chance.choice(["transmit", "connect", "begin"])
    counter.service.hang(call)
    counter.lay()
    assert isinstance(counter.answer(), Stopped)
    counter.service.come_back()
    counter.take()
    deadline = time.monotonic() + 3
    while counter.desk.reader_health.still_out:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _renew(counter: Counter, _: random.Random) -> None:
    before = counter.desk.reader_health.context_renewed
    counter.service.kill_contexts()
    deadline = time.monotonic() + 8
    while counter.desk.reader_health.context_renewed == before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _mute(counter: Counter, _: random.Random) -> None:
    counter.lay(fault=Fault(FaultName.MUTE))
    assert counter.answer() == Stopped(Code.CARD_MUTE)
    counter.take()


FAULTS = (_restart, _replug, _pull, _hang, _renew, _mute)


def _until(counter: Counter, state: ReaderState) -> None:
    while True:
        event = counter.watcher.until(ReaderIs)
        if event.state is state:
            return


@pytest.mark.parametrize("seed", range(1, 4))
def test_after_any_history_of_faults_the_next_tap_works(counter: Counter, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # a test's dice
    threads = threading.active_count()
    told = f"seed {seed}"
    for number in range(ROUNDS // 3):
        fault = chance.choice(FAULTS)
        told += f", {fault.__name__}"
        try:
            fault(counter, chance)
            counter.next_tap_works()
        except BaseException as error:
            error.add_note(f"{told} (round {number})")
            raise
    assert threading.active_count() <= threads + 2
    assert counter.service.held[0] <= 1
