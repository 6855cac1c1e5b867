"""The trace that a technician switches on: bounded, masked, and nothing while it is off."""

from __future__ import annotations

import pytest

from mykey_tui.card.jpki import JpkiApplet
from mykey_tui.card.storage import read_uid
from mykey_tui.reader import trace
from mykey_tui.reader.card_file import CardFile
from mykey_tui.reader.emulator import EmulatedReader
from mykey_tui.reader.trace import Traced, timed_read
from mykey_tui.reader.tracing import TRACE_LINES_KEPT, TraceBook, TracingReader
from mykey_tui.simulated.foreign import felica_card


class Hand:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def laid(card: CardFile, book: TraceBook) -> TracingReader:
    reader = EmulatedReader()
    reader.insert(card)
    return TracingReader(reader, book)


def test_nothing_is_kept_while_the_trace_is_off(card: CardFile) -> None:
    book = TraceBook()
    reader = laid(card, book)
    timed_read(reader)
    with reader.session() as connection:
        assert not isinstance(connection, Traced), "off, it is not even in the way"
    assert not book.lines()


def test_a_visit_is_told_with_its_pin_certificate_and_person_masked(card: CardFile) -> None:
    book = TraceBook()
    reader = laid(card, book)
    book.switch_on()
    with reader.session() as connection:
        applet = JpkiApplet(connection)
        applet.select()
        der = applet.read_auth_certificate()
        applet.verify_pin("1234")
    text = "\n".join(book.lines())
    assert "> 00a4040c 0ad392f000260100000001" in text
    assert "> 00200080 ** (5 bytes)" in text
    assert "< 256 bytes, 9000" in text
    for secret in (b"1234", b"1C2410DF79DGEL", *(der[at : at + 8] for at in range(0, 1000, 8))):
        assert secret.hex() not in text.lower()


def test_the_number_of_a_point_card_does_not_pass() -> None:
    book = TraceBook()
    reader = laid(felica_card(), book)
    book.switch_on()
    with reader.session() as connection:
        uid = read_uid(connection)
    text = "\n".join(book.lines())
    assert "ffca0000" in text
    assert uid.hex() not in text
    assert uid.hex().upper() not in text


def test_a_forgotten_trace_ends_after_its_time() -> None:
    hand = Hand()
    book = TraceBook(seconds=300, monotonic=hand)
    book.switch_on()
    book.note("> 00")
    hand.now += 299
    book.note("< 00")
    hand.now += 1
    book.note("> 01")
    assert book.lines() == ("+0.000 > 00", "+299.000 < 00")
    assert not book.is_on


def test_a_trace_ends_after_so_many_commands_and_keeps_the_last_ones() -> None:
    book = TraceBook(commands=500)
    book.switch_on()
    for number in range(600):
        book.note(f"> {number}")
        book.note("< 0 bytes, 9000")
    assert not book.is_on
    assert len(book.lines()) == TRACE_LINES_KEPT
    assert "> 499" in book.lines()[-2]


def test_the_lines_stay_when_it_is_switched_off_and_go_when_it_is_switched_on() -> None:
    book = TraceBook()
    book.switch_on()
    book.note("> 00")
    book.switch_off()
    book.note("> 01")
    assert len(book.lines()) == 1
    book.switch_on()
    assert not book.lines()


def test_everything_else_of_the_reader_passes_through(card: CardFile) -> None:
    inner = EmulatedReader()
    reader = TracingReader(inner, TraceBook())
    assert reader.simulated
    assert reader.wait(0.0) is not None
    inner.insert(card)
    assert reader.health().readers == (inner.name,)
    reader.interrupt()
    reader.close()
    assert not inner.holds_card


def test_without_the_mask_the_pin_would_stand_in_the_trace(
    card: CardFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Teeth: a trace of whole commands is caught by what the tests above look for."""
    monkeypatch.setattr(trace, "describe", bytes.hex)
    book = TraceBook()
    book.switch_on()
    with laid(card, book).session() as connection:
        applet = JpkiApplet(connection)
        applet.select()
        applet.verify_pin("1234")
    assert b"1234".hex() in "\n".join(book.lines())
