"""The evidence sheet may be mailed: identifiers planted in every source do not come out of it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from mykey_tui.card.connection import ReaderHealth, ReaderState
from mykey_tui.card.live import slot_seen
from mykey_tui.diagnostics.finding import Finding, Report, State
from mykey_tui.diagnostics.layer import Layer
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import ServiceId
from mykey_tui.flows import evidence as evidence_module
from mykey_tui.flows import soak as soak_module
from mykey_tui.flows.desk_events import CardTaken, LookedUp, ReaderIs, ReadingStarted, TapDone
from mykey_tui.flows.evidence import NOT_KNOWN, Evidence, evidence_text
from mykey_tui.flows.happenings import HappeningBook
from mykey_tui.flows.outcomes import Found, HandOver, LineState, Stopped
from mykey_tui.flows.redaction import redacted
from mykey_tui.flows.soak import ReaderInTest, Soak, Tap
from mykey_tui.reader.trace import describe
from mykey_tui.reader.tracing import TraceBook

MY_KEY_IDS = ("1C2410DF79DGEL", "ABCDEFGHIJKLMN", "00000000000000")
CNS = tuple(my_key_id + "07202002B" for my_key_id in MY_KEY_IDS)
SERVICE_IDS = ("2802121234", "12345678", "0312-3456-7890")
UIDS = ("0123456789abcdef", "04A2B3C4D5E680", "01 23 45 67 89 AB CD EF", "04:a2:b3:c4")
SERIALS = ("09A00795", "SN2048X1234", "55041234567890")
PEOPLE = ("/home/tanaka", "/home/tanaka/mykey/counter.db")
PLANTED = (*MY_KEY_IDS, *CNS, *SERVICE_IDS, *UIDS, *SERIALS)
PIN = "4711"
MS = {"card": 181.4, "lookup": 0.2}


def everything(planted: str) -> Evidence:
    """A sheet in whose every source `planted` stands, as far as its type can hold it."""
    desk = HappeningBook(SystemClock())
    for event in (
        ReaderIs(ReaderState.READY, f"Reader ({planted}) 00 00"),
        ReadingStarted(),
        LookedUp(
            Found(ServiceId(planted), HandOver(Code.HANDED_OVER, planted), 900, milliseconds=MS)
        ),
        LookedUp(Stopped(Code.CARD_MUTE, {"detail": planted})),
        TapDone(Tap(code=Code.CARD_REMOVED)),
        CardTaken(),
    ):
        desk.note_desk(event)
    desk.note_line(LineState.DOWN, Code.LINE_DOWN)
    trace = TraceBook()
    trace.switch_on()
    body = planted.encode()
    trace.note("> " + describe(b"\x00\x20\x00\x80" + bytes([len(body)]) + body))
    trace.note("> " + describe(b"\xff\x00\x00\x00" + bytes([len(body)]) + body))
    trace.note("< 8 bytes, 9000")
    soak = Soak(10)
    soak.add(Tap(212.0))
    finding = Finding(Layer.USB, State.OK, Code.USB_NONE, {"reader": f"Maker ({planted})"})
    return Evidence(
        versions={"program": "0.1.0", "kernel": f"6.1 {planted}", "system": planted},
        usb=(f"Sony RC-S300/S {planted} (054c:0dc8)",),
        slots=(slot_seen(f"Reader [x_{planted}] ({planted}) 00 00", 0x20, b"\x3b\x80" + body),),
        health=ReaderHealth(alive=True, beat_seconds=1.0, readers=(planted,), service_lost=3),
        report=Report((finding, replace(finding, facts={"path": planted, "x": planted})), 1.2),
        soak=soak.figures,
        tested=ReaderInTest(f"Reader ({planted})", "054c:0dc8", (f"pcscd {planted}",), "2026-11"),
        readings=desk.readings(),
        happenings=desk.happenings(),
        trace=trace.lines(),
    )


@pytest.mark.parametrize("planted", PLANTED)
def test_no_identifier_that_stands_in_a_source_comes_out(planted: str) -> None:
    text = evidence_text(everything(planted))
    assert planted not in text
    assert planted.upper() not in text
    assert planted.encode().hex() not in text.lower()
    assert "Sony RC-S300/S" in text, "the canary: what belongs there is there"
    assert "054c:0dc8" in text


def test_a_pin_does_not_come_out_of_a_trace() -> None:
    text = evidence_text(everything(PIN))
    traced = text[text.index("Trace of commands") :]
    assert PIN not in traced
    assert PIN.encode().hex() not in traced
    assert "00200080 ** (5 bytes)" in traced


@pytest.mark.parametrize("path", PEOPLE)
def test_a_folder_with_a_persons_name_is_masked(path: str) -> None:
    assert "tanaka" not in evidence_text(everything(path))


def test_every_part_of_the_sheet_is_planted_by_this_test() -> None:
    planted, empty = everything("x"), Evidence()
    left_out = [
        part.name
        for part in fields(Evidence)
        if getattr(planted, part.name) == getattr(empty, part.name)
    ]
    assert left_out == [], "a new part of the sheet must be planted here too"


def test_what_a_technician_needs_stays_readable() -> None:
    text = evidence_text(everything("x"))
    for words in (
        "program: 0.1.0",
        "service lost 3",
        "usb: ok  D-USB-NONE",
        "watcher: alive, last sign 1.0 s ago",
        "card not read  C-MUTE",
        "line  N-LINE",
        "1/1 (100.0 %) | 212",
        "last 1: least 181, median 181, most 181",
    ):
        assert words in text
    assert text.isascii()


def test_a_sheet_of_which_nothing_is_known_says_so_part_by_part() -> None:
    assert evidence_text(Evidence()).count(NOT_KNOWN) == len(fields(Evidence)) - 1, "taps have two"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("6.1.0-18-amd64", "6.1.0-18-amd64"),
        ("Debian GNU/Linux 12 (bookworm)", "Debian GNU/Linux 12"),
        ("1.9.9-2", "1.9.9-2"),
        ("4.19.0 community", "4.19.0 community"),
        ("/run/pcscd/pcscd.comm", "/run/pcscd/pcscd.comm"),
        ("scdaemon", "scdaemon"),
        ("2.28.1", "2.28.1"),
        ("", ""),
    ],
)
def test_versions_and_places_of_a_machine_are_left_alone(text: str, left: str) -> None:
    assert redacted(text) == left


def test_the_net_takes_any_text(
    hostile: Any = ("\x1b[2J", "[/x]", "a" * 100_000, "9" * 100_000),
) -> None:
    for text in hostile:
        assert "\x1b" not in redacted(text)
        assert len(redacted(text)) <= 200


@pytest.mark.parametrize("module", [evidence_module, soak_module])
def test_without_the_net_the_planted_words_do_come_out(
    monkeypatch: pytest.MonkeyPatch, module: Any
) -> None:
    """Teeth: the net is what keeps them in, in the sheet's own parts and in the row of the taps."""
    monkeypatch.setattr(module, "redacted", lambda text: text)
    assert "ABCDEFGHIJKLMN" in evidence_text(everything("ABCDEFGHIJKLMN"))
