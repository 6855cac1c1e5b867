"""A reader with keys of its own, through the whole driver, over the scripted service."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

import pytest

from mykey_tui.card.allow_list import FEATURE_REQUEST, PIN_BLOCK
from mykey_tui.card.connection import CardArrived
from mykey_tui.card.jpki import JpkiApplet, sha256_digest_info
from mykey_tui.card.pin_pad import PinPad, find_pin_pad
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import (
    ForbiddenApduError,
    PinError,
    PinNotGivenError,
    TransmissionError,
)
from mykey_tui.reader import card_session, winscard
from mykey_tui.reader.pcsc import PcscReader
from mykey_tui.reader.tracing import TraceBook, TracingReader
from mykey_tui.simulated.cards import make_card
from tests.pcscd.looking import next_event
from tests.unit.reader.scripted_service import ScriptedService

AT = datetime(2026, 11, 22, tzinfo=UTC)


def service_with(fingers: Callable[[], bytes] | None) -> ScriptedService:
    service = ScriptedService("Keys")
    service.fingers = fingers
    service.lay("Keys", make_card("1C2410DF79DGEL07202002B", at=AT))
    return service


def type_on(service: ScriptedService) -> bytes:
    """A whole visit; the signature."""
    with closing(PcscReader(service=service)) as reader:
        next_event(reader, CardArrived)
        with reader.session() as connection:
            pad = find_pin_pad(connection)
            assert isinstance(pad, PinPad)
            applet = JpkiApplet(connection)
            applet.select()
            applet.verify_on_reader(pad)
            return applet.sign(sha256_digest_info(bytes(32)))


def test_the_pin_is_typed_there_and_the_card_is_reset_afterwards() -> None:
    service = service_with(b"1234".strip)
    assert len(type_on(service)) == 256
    assert service.endings == [winscard.RESET]


def test_a_wrong_one_and_one_that_is_given_up_are_told_apart() -> None:
    with pytest.raises(PinError):
        type_on(service_with(b"0000".strip))
    with pytest.raises(PinNotGivenError):
        type_on(service_with(bytes.fromhex("6401").strip))


def test_a_reader_without_keys_has_none() -> None:
    with closing(PcscReader(service=service_with(None))) as reader:
        next_event(reader, CardArrived)
        with reader.session() as connection:
            assert find_pin_pad(connection) is None


def test_a_resident_may_take_longer_than_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_session, "CALL_SECONDS", 0.3)
    thinking = threading.Event()

    def fingers() -> bytes:
        thinking.wait(0.8)
        return b"1234"

    assert len(type_on(service_with(fingers))) == 256


def test_a_reader_that_never_comes_back_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_session, "ENTRY_SECONDS_MAX", 0.3)
    monkeypatch.setattr(card_session, "END_SECONDS", 0.3)
    hung = threading.Event()

    def fingers() -> bytes:
        hung.wait(5)
        return bytes.fromhex("6400")

    with pytest.raises(TransmissionError) as caught:
        type_on(service_with(fingers))
    hung.set()
    assert caught.value.code is Code.CARD_SLOW


@pytest.mark.parametrize(
    ("code", "data"), [(FEATURE_REQUEST, PIN_BLOCK[:-1]), (0x42330006, b"\x00\x20\x00\x80")]
)
def test_nothing_else_is_said_to_a_reader(code: int, data: bytes) -> None:
    service = service_with(lambda: b"1234")
    with closing(PcscReader(service=service)) as reader:
        next_event(reader, CardArrived)
        with reader.session() as connection, pytest.raises(ForbiddenApduError):
            connection.control(code, data)  # type: ignore[attr-defined]  # the driver's own


@pytest.mark.parametrize("fingers", [b"1234".strip, None], ids=["keys", "no keys"])
def test_a_trace_takes_no_reader_its_keys_and_tells_no_digit(
    fingers: Callable[[], bytes] | None,
) -> None:
    service, book = service_with(fingers), TraceBook()
    book.switch_on()
    with closing(PcscReader(service=service)) as driver:
        next_event(driver, CardArrived)
        with TracingReader(driver, book).session() as connection:
            pad = find_pin_pad(connection)
            assert (pad is not None) is (fingers is not None)
            applet = JpkiApplet(connection)
            applet.select()
            if pad is not None:
                applet.verify_on_reader(pad)
    told = "\n".join(book.lines())
    assert "control 42000d48 (0 bytes)" in told
    assert "1234" not in told
    assert "31323334" not in told
