"""診断 as a technician meets it: one key, findings while one watches, one next step."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len

from mykey_tui.card.connection import ReaderState
from mykey_tui.diagnostics.exits import CODE_EXITS
from mykey_tui.diagnostics.finding import Finding, State
from mykey_tui.diagnostics.layer import Layer
from mykey_tui.diagnostics.wording import words_of
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.flows.desk_events import (
    CardShown,
    CardTaken,
    CardWanted,
    LinkFinished,
    LookedUp,
    ReaderIs,
    ReadingStarted,
    ServiceCardSeen,
)
from mykey_tui.flows.outcomes import Linked, NotLinked, ServiceCardRead, Stopped
from mykey_tui.i18n.catalog import Catalog, Language
from mykey_tui.screens.doctor_view import Examined, command_rows, doctor_stage
from mykey_tui.screens.host import Face
from mykey_tui.screens.layout import STAGE_HEIGHT, STAGE_WIDTH, wrap
from mykey_tui.screens.profile import RICH
from tests.screens.conftest import CONSOLE, Start
from tests.screens.fakes import DETAIL, HEALTHY, STATUS, STOPPED, Fakes, fault, found, identified
from tests.screens.test_pictures_of_screens import NUMBER

FACTS = {
    "reader": "Sony RC-S300/S (054c:0dc8)",
    "usb_id": "054c:0dc8",
    "module": "pn533_usb",
    "distribution": "debian",
    "programs": "scdaemon",
    "reason": "EACCES",
    "version": "1.4.34",
    "milliseconds": "812",
    "seconds": "+412.0",
    "ms": "812",
    "count": "3",
    "date": "2026-11-22",
}


def sick() -> Fakes:
    fakes = Fakes()
    fakes.technician.findings = STOPPED
    fakes.counter.now = replace(STATUS, reader=ReaderState.NO_SERVICE, reader_name="")
    return fakes


async def test_a_dead_reader_service_is_named_with_the_command_that_mends_it(start: Start) -> None:
    fakes = sick()
    async with start(fakes) as counter:
        await counter.happens(ReaderIs(ReaderState.NO_SERVICE, ""))
        await counter.shows("読取機 停止（F12 診断）", "F12（または X）の診断で")
        await counter.press("f12")
        await counter.shows("異常   D-PCSC-STOPPED", "sudo systemctl enable --now pcscd.socket")
        await counter.shows("未検査 (D-PCSC-STOPPED)", "docs/failure-codes.md の D-PCSC-STOPPED")
        fakes.technician.findings = HEALTHY
        await counter.press("r")
        await counter.shows("異常はありません")
        await counter.press("escape")
        await counter.shows("受付")
        assert fakes.desk.asked[-1] == ("lookup",)


async def test_the_letter_does_what_the_function_key_does(start: Start) -> None:
    async with start(sick(), profile=CONSOLE, language=Language.ENGLISH) as counter:
        await counter.press("x")
        await counter.shows("FAULT   D-PCSC-STOPPED", "sudo systemctl enable --now pcscd.socket")
        assert counter.text.isascii()


async def test_findings_appear_one_by_one_and_the_screen_stays_alive(start: Start) -> None:
    fakes = Fakes()
    fakes.technician.holds_before = Layer.LINE
    async with start(fakes) as counter:
        await counter.press("f12")
        await counter.shows("調べています（５秒以内に終わります）", "libccid 1.5.2", "1204件")
        assert "応答 24" not in counter.text
        await counter.press("r")
        await counter.shows("調べています")
        assert fakes.technician.asked.count("examine") == 1, "one at a time"
        await counter.press("f9")
        await counter.shows("Examining", "1204 rows")
        fakes.technician.goes_on.set()
        await counter.shows("No fault found", "Answer in 24 ms")


async def test_leaving_while_it_runs_harms_nothing(start: Start) -> None:
    fakes = Fakes()
    fakes.technician.holds_before = Layer.DAEMON
    async with start(fakes) as counter:
        await counter.press("f12")
        await counter.shows("調べています")
        await counter.press("escape")
        await counter.shows("カードを置いて")
        fakes.technician.goes_on.set()
        await counter.happens(LookedUp(found()))
        await counter.shows("受付できました")


async def test_the_pointer_tells_more_about_each_layer(start: Start) -> None:
    async with start(sick()) as counter:
        await counter.press("f12")
        await counter.shows("> pcscd")
        await counter.press("up")
        await counter.shows("> ドライバー", "ドライバー   正常", "libccid 1.5.2")
        await counter.press(*["up"] * 5)
        await counter.shows("> USB", "読取機があります：Sony RC-S300/S (054c:0dc8)")
        await counter.press(*["down"] * 20)
        await counter.shows("> レジ連携", "レジ連携   正常")


async def test_f12_examines_again_where_one_is_already(start: Start) -> None:
    async with start(sick()) as counter:
        await counter.press("f12")
        await counter.shows("D-PCSC-STOPPED")
        await counter.press("f12")
        await counter.until(lambda: counter.fakes.technician.asked.count("examine") == 2)


async def test_the_doctor_comes_while_the_counter_cannot_start(start: Start) -> None:
    fakes = Fakes(start_error=StoreError(Code.STORE_NONE))
    async with start(fakes, ready=False) as counter:
        await counter.shows("K-NONE")
        await counter.press("f12")
        await counter.shows("異常はありません")
        await counter.press("e")
        await counter.shows("書き出しました")
        await counter.press("t")
        await counter.shows("100 回テスト")
        await counter.press("escape", "escape")
        await counter.shows("K-NONE")


async def test_the_evidence_key_writes_the_report_and_says_where(start: Start) -> None:
    fakes = sick()
    async with start(fakes) as counter:
        await counter.press("f12")
        await counter.shows("D-PCSC-STOPPED")
        await counter.press("e")
        await counter.shows("書き出しました（番号・氏名なし）：/home/counter/evidence.txt")
        report, figures = fakes.technician.written[-1]
        assert report is not None
        assert report.worst is not None
        assert (report.worst.code, figures) == (Code.READER_NO_SERVICE, None)
        fakes.technician.evidence_error = StoreError(Code.STORE_FULL)
        await counter.press("e")
        await counter.shows("K-FULL")


@pytest.mark.parametrize(
    ("key", "place"), [("f3", "未送信の登録はありません"), ("f4", "1C2410DF79DGEL")]
)
async def test_the_doctor_lies_over_the_place_it_was_called_from(
    start: Start, key: str, place: str
) -> None:
    async with start(sick()) as counter:
        await counter.press(key)
        await counter.happens(CardShown(DETAIL))
        await counter.shows(place)
        await counter.press("f12")
        await counter.shows("D-PCSC-STOPPED")
        await counter.press("escape")
        await counter.shows(place)


async def test_a_link_goes_on_after_the_doctor_where_it_was(start: Start) -> None:
    async with start(sick()) as counter:
        await counter.happens(LookedUp(NotLinked(identified())))
        await counter.press("enter")
        await counter.shows("手順２")
        await counter.press("f12")
        await counter.shows("D-PCSC-STOPPED")
        await counter.press("escape")
        await counter.shows("手順２", "1C2410DF79DGEL")
        assert counter.fakes.desk.asked[-1] == ("service-card",)
        await counter.happens(ServiceCardSeen(ServiceCardRead(NUMBER)))
        await counter.shows("2802121234   【読み取りました】")


async def test_a_link_that_waited_for_its_card_can_be_registered_again(start: Start) -> None:
    async with start(sick()) as counter:
        await counter.happens(LookedUp(NotLinked(identified())))
        await counter.press("enter")
        await counter.happens(ServiceCardSeen(ServiceCardRead(NUMBER)), CardTaken())
        await counter.press("enter")
        await counter.happens(CardWanted())
        await counter.press("f12")
        await counter.shows("D-PCSC-STOPPED")
        await counter.press("escape")
        await counter.shows("手順３", "2802121234")
        await counter.press("enter")
        assert counter.fakes.desk.asked.count(("commit-link",)) == 2


async def test_an_answer_that_comes_while_the_doctor_is_open_is_not_lost(start: Start) -> None:
    async with start(sick()) as counter:
        await counter.happens(LookedUp(NotLinked(identified())))
        await counter.press("enter")
        await counter.happens(ServiceCardSeen(ServiceCardRead(NUMBER)))
        await counter.press("enter", "f12")
        await counter.shows("D-PCSC-STOPPED")
        await counter.happens(LinkFinished(Linked(Code.LINK_QUEUED, NUMBER, 1)))
        await counter.press("escape")
        await counter.shows("S-QUEUED", "2802121234")
        assert counter.fakes.desk.asked[-1] == ("lookup",)


async def test_nobody_leaves_the_answer_of_a_card_that_is_being_read(start: Start) -> None:
    async with start(sick()) as counter:
        await counter.happens(ReadingStarted())
        await counter.press("f12")
        await counter.shows("読み取り")
        assert "examine" not in counter.fakes.technician.asked


async def test_a_failure_of_the_reader_points_to_the_doctor(start: Start) -> None:
    async with start() as counter:
        await counter.happens(LookedUp(Stopped(Code.READER_BUSY)))
        await counter.shows("D-READER-BUSY", "F12（または X）の診断で")
        await counter.happens(LookedUp(Stopped(Code.SUSPENDED)))
        await counter.shows("L-SUSP")
        assert "診断で" not in counter.text


@pytest.mark.parametrize("profile", [RICH, CONSOLE], ids=lambda profile: profile.render.value)
@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("code", CODE_EXITS, ids=lambda code: code.value)
def test_what_to_do_is_never_cut_off(code: Code, language: Language, profile: object) -> None:
    assert profile in (RICH, CONSOLE)
    face = Face(Catalog(language), RICH if profile is RICH else CONSOLE)
    findings = fault(Layer.DAEMON, code, **FACTS)
    examined = Examined({finding.layer: finding for finding in findings})
    stage = doctor_stage(examined, face)
    words = words_of(examined.found[Layer.DAEMON], face.catalog)
    told = [line.text.strip() for line in stage]
    assert len(stage) <= STAGE_HEIGHT
    assert all(cell_len(line.text) <= STAGE_WIDTH for line in stage), "too wide"
    for row in (*wrap(words.say), *wrap(words.next), *command_rows(words.command)):
        assert row.strip() in told


@pytest.mark.parametrize("layer", Layer, ids=lambda layer: layer.value)
def test_every_layer_has_its_place_and_can_be_pointed_at(layer: Layer) -> None:
    face = Face(Catalog(Language.ENGLISH), RICH)
    examined = Examined({f.layer: f for f in HEALTHY}, chosen=layer)
    name = face.text(f"doctor.layer.{layer.value}")
    rows = [line.text for line in doctor_stage(examined, face)]
    assert sum(f"> {name}" in row for row in rows[:8]) == 1
    assert rows[9].strip().startswith(name)


def test_the_rows_of_a_command_joined_are_the_command() -> None:
    for command in ("", "x", "sudo systemctl enable --now pcscd.socket", "a b " * 100, "y" * 300):
        rows = command_rows(command)
        assert "".join(rows) == command
        assert all(cell_len(row) <= 74 for row in rows)


def test_what_could_not_be_told_comes_before_a_note_and_after_a_fault() -> None:
    note = Finding(Layer.CARD, State.NOTE, Code.CARD_NOT_LAID)
    unknown = Finding(Layer.LINE, State.UNKNOWN, Code.LINE_DOWN)
    broken = Finding(Layer.HANDOVER, State.FAULT, Code.HANDOVER_FILE)
    for told, at in (
        ([note], Layer.CARD),
        ([note, unknown], Layer.LINE),
        ([note, unknown, broken], Layer.HANDOVER),
        ([], None),
    ):
        assert Examined({finding.layer: finding for finding in told}).at is at
