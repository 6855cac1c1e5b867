"""The examination as a whole: healthy boxes, things that hang, and what never gets out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from threading import Event
from typing import Any, NoReturn

import pytest

from mykey_tui.card.connection import ReaderEvent, ReaderState
from mykey_tui.diagnostics import examine as examination
from mykey_tui.diagnostics import probe
from mykey_tui.diagnostics.examine import examine, report
from mykey_tui.diagnostics.facts import LineFacts, ReaderFacts, Stage, StoreFacts
from mykey_tui.diagnostics.finding import HEALTHY, Finding, State
from mykey_tui.diagnostics.layer import Layer
from mykey_tui.diagnostics.sources import Sources
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ReaderError
from mykey_tui.reader.emulator import EmulatedReader
from tests.unit.diagnostics.box import Box, debian_12, ubuntu_with_polkit
from tests.unit.diagnostics.faults import CN, ENDS, NOW, USB_ERRORS, good_card
from tests.unit.diagnostics.others import OTHERS, Other
from tests.unit.diagnostics.readers import OverWire, in_state, with_card_that

Make = Callable[..., Sources]


def by_layer(sources: Sources) -> dict[Layer, Finding]:
    return {finding.layer: finding for finding in examine(sources)}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BOX", "JOURNAL", "READER", "COUNTER", "LINE"):
        monkeypatch.setattr(examination, f"{name}_SECONDS", 1.0)


def _serial_reader(box: Box) -> None:
    """A reader that is not on USB at all, as a virtual one is not."""
    box.pcscd()
    box.listen()


def _two_readers(box: Box) -> None:
    """An RC-S380 that was forgotten in the drawer's port, kernel driver and all."""
    debian_12(box)
    box.usb("054c:06c1", "RC-S380/S", ccid=False, driver="port100")
    box.modules("port100", "nfc")


def _polkit_asleep(box: Box) -> None:
    """polkit without any rule, on a session that is local: the service lets us in."""
    debian_12(box)
    box.polkit()


@pytest.mark.parametrize(
    "healthy", [debian_12, ubuntu_with_polkit, _serial_reader, _two_readers, _polkit_asleep]
)
def test_a_healthy_box_has_no_finding(
    healthy: Callable[[Box], None], box: Box, sources: Make
) -> None:
    healthy(box)
    found = report(sources(lambda: OverWire(good_card())))
    assert [finding.layer for finding in found.findings] == list(Layer)
    assert {finding.state for finding in found.findings} == {State.OK}
    assert found.worst is None
    assert found.exit_code == HEALTHY


def test_a_cable_that_was_pulled_an_hour_ago_is_no_fault_now(box: Box, sources: Make) -> None:
    debian_12(box)
    found = report(sources(lambda: OverWire(good_card()), journal=USB_ERRORS))
    assert found.exit_code == HEALTHY
    assert {finding.state for finding in found.findings} == {State.OK}


def test_the_machines_layers_are_told_while_the_card_is_still_being_read(
    box: Box, sources: Make
) -> None:
    debian_12(box)
    card_may_answer = Event()

    def slow(tell: Callable[[ReaderFacts], None]) -> None:
        facts = ReaderFacts(Stage.CARD, state=ReaderState.READY, reader="R", card_laid=True)
        tell(facts)
        card_may_answer.wait(10)
        tell(replace(facts, stage=Stage.DONE, ended=True))

    findings = examine(replace(sources(lambda: OverWire(None)), reader=slow))
    told = [next(findings) for _ in range(4)]
    assert not card_may_answer.is_set()
    assert {finding.state for finding in told} == {State.OK}
    card_may_answer.set()
    assert {finding.state for finding in findings} == {State.OK}


def test_a_service_that_dies_under_the_reading_is_named(box: Box, sources: Make) -> None:
    debian_12(box)
    gone = ReaderError(Code.READER_NO_SERVICE, "PC/SC 8010001E")
    found = report(sources(lambda: with_card_that(gone)))
    assert found.worst is not None
    assert (found.worst.layer, found.worst.code) == (Layer.READER, Code.READER_NO_SERVICE)


@pytest.mark.usefixtures("quick")
def test_waiting_behind_a_known_program_is_told_as_not_certain(box: Box, sources: Make) -> None:
    debian_12(box)
    box.process(99, "scdaemon")
    for_ever = Event()

    def queueing(tell: Callable[[ReaderFacts], None]) -> None:
        tell(ReaderFacts(Stage.CARD, state=ReaderState.READY, reader="R", card_laid=True))
        for_ever.wait(30)

    found = by_layer(replace(sources(lambda: OverWire(None)), reader=queueing))
    for_ever.set()
    busy = found[Layer.READER]
    assert (busy.state, busy.code) == (State.UNKNOWN, Code.READER_BUSY)
    assert busy.facts == {"programs": "scdaemon"}


def test_a_service_that_our_question_starts_is_waited_for(
    box: Box, sources: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small box looks through its USB for a second before it answers, and has no fault."""
    debian_12(box)
    monkeypatch.setattr(probe, "SERVICE_ANSWERS_SECONDS", 1.0)

    class Late(OverWire):
        def wait(self, timeout_seconds: float) -> ReaderEvent | None:
            if time.monotonic() < self.answers_at:
                time.sleep(min(timeout_seconds, 0.1))
                return None
            return super().wait(timeout_seconds)

        answers_at = time.monotonic() + 0.4

    found = report(sources(lambda: Late(good_card())))
    assert found.exit_code == HEALTHY


def test_an_nfc_module_that_takes_no_reader_is_not_accused(box: Box, sources: Make) -> None:
    """`nfc` alone is there for some other chip of the machine."""
    debian_12(box)
    box.modules("nfc", "pn533", "port100")
    found = by_layer(sources(lambda: in_state(ReaderState.NO_READER)))
    assert found[Layer.KERNEL].state is State.OK
    assert found[Layer.READER].code is Code.READER_UNSEEN


@pytest.mark.parametrize(
    ("version", "code"),
    [
        ("1.4.34", Code.CCID_OLD),
        ("", Code.CCID_OLD),
        ("1.4.35", Code.CCID_UNLISTED),
        ("1.10.0", Code.CCID_UNLISTED),
    ],
)
def test_a_driver_is_called_old_only_when_it_is(
    version: str, code: Code, box: Box, sources: Make
) -> None:
    debian_12(box)
    box.libccid(version, ["072f:2200"])
    found = by_layer(sources(lambda: in_state(ReaderState.NO_READER)))
    assert found[Layer.KERNEL].code is code


def test_an_emulated_reader_needs_nothing_of_the_machine(box: Box, sources: Make) -> None:
    reader = EmulatedReader()
    reader.insert(good_card())
    found = by_layer(sources(lambda: reader))
    machine = [found[layer] for layer in list(Layer)[:4]]
    assert {(finding.state, finding.because) for finding in machine} == {(State.SKIPPED, None)}
    assert {finding.state for finding in list(found.values())[4:]} == {State.OK}


def test_a_note_leaves_the_box_healthy(box: Box, sources: Make) -> None:
    debian_12(box)
    found = report(sources(lambda: OverWire(good_card()), journal=ENDS))
    assert found.findings[2].state is State.NOTE
    assert found.exit_code == HEALTHY


@pytest.mark.parametrize("case", OTHERS, ids=lambda case: case.rule.__name__)
def test_the_other_rules_speak_and_are_silent(case: Other) -> None:
    finding = case.rule(case.speaks)
    assert finding is not None
    assert (finding.code, finding.state) == (case.code, case.state)
    assert case.rule(case.silent) is None


def test_two_faults_are_both_named_where_neither_explains_the_other(
    box: Box, sources: Make
) -> None:
    """No cable and no line: two errands, and the lower one is done first."""
    box.pcscd()
    box.libccid()
    box.listen()
    made = sources(lambda: in_state(ReaderState.NO_READER), line=LineFacts(trouble=Code.LINE_DOWN))
    found = report(made)
    codes = {f.code for f in found.findings if f.state is State.FAULT}
    assert codes == {Code.USB_NONE, Code.LINE_DOWN}
    assert found.worst is not None
    assert found.worst.code is Code.USB_NONE
    assert found.findings[list(Layer).index(Layer.SERVER)].because is Code.LINE_DOWN


def test_a_counter_that_is_not_enrolled_is_examined_up_to_the_certificate(
    box: Box, sources: Make
) -> None:
    debian_12(box)
    made = replace(
        sources(lambda: OverWire(good_card())),
        store=lambda: StoreFacts(trouble=Code.STORE_NONE),
        line=lambda: LineFacts(enrolled=False),
    )
    found = by_layer(made)
    assert found[Layer.CERTIFICATE].state is State.OK
    assert (found[Layer.STORE].state, found[Layer.STORE].code) == (State.NOTE, Code.STORE_NONE)
    assert found[Layer.LINE].because is found[Layer.SERVER].because is Code.STORE_NONE


SENSES = ("box", "journal", "reader", "trust", "store", "line", "handover")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("sense", SENSES)
def test_a_sense_that_hangs_is_given_up_and_the_others_still_tell(
    sense: str, box: Box, sources: Make
) -> None:
    debian_12(box)
    for_ever = Event()

    def hang(*_: Any) -> NoReturn:
        for_ever.wait(30)
        raise AssertionError("nobody waits so long")

    made = replace(sources(lambda: OverWire(good_card())), **{sense: hang})
    begun = time.monotonic()
    found = by_layer(made)
    assert time.monotonic() - begun < 3.0
    for_ever.set()
    assert list(found) == list(Layer)
    unknown = {finding.layer for finding in found.values() if finding.state is State.UNKNOWN}
    assert (
        unknown
        == {
            "box": {Layer.USB, Layer.KERNEL},
            "journal": set(),  # evidence only: without it everything is judged all the same
            "reader": {Layer.DAEMON},
            "trust": {Layer.TRUST},
            "store": {Layer.STORE},
            "line": {Layer.LINE},
            "handover": {Layer.HANDOVER},
        }[sense]
    )
    assert all(finding.code is not None for finding in found.values() if finding.layer in unknown)
    assert not [finding for finding in found.values() if finding.state is State.FAULT]


@pytest.mark.parametrize("sense", SENSES)
def test_a_sense_that_fails_is_told_as_unknown_and_never_raises(
    sense: str, box: Box, sources: Make
) -> None:
    debian_12(box)

    def fail(*_: Any) -> NoReturn:
        raise LookupError("our bug")

    made = replace(sources(lambda: OverWire(good_card())), **{sense: fail})
    found = by_layer(made)
    reasons = {f.facts.get("reason") for f in found.values() if f.state is State.UNKNOWN}
    assert reasons == (set() if sense == "journal" else {"LookupError"})
    assert not [finding for finding in found.values() if finding.state is State.FAULT]


@pytest.mark.parametrize("stage", [Stage.APPLICATION, Stage.CERTIFICATE])
@pytest.mark.usefixtures("quick")
def test_a_card_that_hangs_is_named_and_everything_below_it_is_well(
    stage: Stage, box: Box, sources: Make
) -> None:
    debian_12(box)
    for_ever = Event()

    def hang(tell: Callable[[ReaderFacts], None]) -> None:
        tell(ReaderFacts(stage, state=ReaderState.READY, reader="R", card_laid=True))
        for_ever.wait(30)

    found = by_layer(replace(sources(lambda: OverWire(good_card())), reader=hang))
    for_ever.set()
    assert found[Layer.READER].state is State.OK
    assert (found[Layer.CARD].state, found[Layer.CARD].code) == (State.UNKNOWN, Code.CARD_SLOW)
    assert found[Layer.CERTIFICATE].because is Code.CARD_SLOW


def test_nothing_of_a_person_or_a_device_is_in_a_finding(box: Box, sources: Make) -> None:
    debian_12(box)
    box.usb("1234:abcd", "Till\x1b[2J reader")
    card = good_card()
    text = repr(report(sources(lambda: OverWire(card), journal=ENDS)))
    certificate = card.files[0x000A]
    for secret in (CN, CN[:14], CN[14:], "SERIAL0451", card.atr.hex(), certificate.hex()):
        assert secret.lower() not in text.lower()
    assert repr(certificate[:16]) not in text
    assert "\x1b" not in text and "\\x1b" not in text
    assert NOW.date().isoformat() not in text
