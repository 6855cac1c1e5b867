"""The PIN through the real daemon: what it proves, what is left afterwards, and a card pulled."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mykey_tui.card.connection import CardArrived
from mykey_tui.card.jpki import JpkiApplet, sha256_digest_info
from mykey_tui.card.pin_pad import find_pin_pad
from mykey_tui.domain.assurance import Assurance
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StatusError
from mykey_tui.flows.identify import CertificateJudge, identify
from mykey_tui.flows.outcomes import IdentifiedCard, PinWanted, Stopped
from mykey_tui.flows.pin import ask_tries, authenticate
from mykey_tui.flows.pin_entry import PinEntry, PinGiven
from mykey_tui.flows.timings import Timings
from mykey_tui.reader.card_file import CardFile, Fault, FaultName
from mykey_tui.reader.pcsc import PcscReader
from mykey_tui.simulated import anchors_dir
from mykey_tui.simulated.cards import copied_card
from mykey_tui.trust.anchors import load_anchors
from tests.pcscd.looking import next_event

pytestmark = pytest.mark.pcscd
VERIFY = bytes.fromhex("0020008004")


@pytest.fixture(scope="module")
def judge() -> CertificateJudge:
    return CertificateJudge(load_anchors(anchors_dir()), SystemClock())


def given(digits: str) -> PinGiven:
    entry = PinEntry()
    for digit in digits:
        entry.press(digit)
    return PinGiven(entry)


def seen(reader: PcscReader, judge: CertificateJudge) -> IdentifiedCard:
    next_event(reader, CardArrived)
    card = identify(reader, judge, Timings(SystemClock()))
    assert isinstance(card, IdentifiedCard)
    return card


def test_a_pin_proves_the_card_and_nothing_of_it_stays(
    reader: PcscReader, lay: Any, card: CardFile, judge: CertificateJudge
) -> None:
    with lay(card) as log:
        identified = seen(reader, judge)
        assert ask_tries(reader, identified) == PinWanted(identified, 3)
        wrong = authenticate(reader, judge, identified, given("0000"), b"test")
        assert wrong == Stopped(Code.PIN_WRONG, {"count": "2"})
        proven = authenticate(reader, judge, identified, given("1234"), b"test")
        assert isinstance(proven, IdentifiedCard)
        assert proven.assurance is Assurance.AUTHENTICATED
        assert sum(command.startswith(VERIFY) for command in log) == 2
        assert ask_tries(reader, identified) == PinWanted(identified, 3)
        with reader.session() as connection:
            applet = JpkiApplet(connection)
            applet.select()
            with pytest.raises(StatusError) as caught:
                applet.sign(sha256_digest_info(bytes(32)))
        assert caught.value.status_word == 0x6982


def test_a_copied_certificate_is_found_out(
    reader: PcscReader, lay: Any, judge: CertificateJudge
) -> None:
    with lay(copied_card("1C2410DF79DGEL07202002B", at=datetime.now(UTC))):
        identified = seen(reader, judge)
        outcome = authenticate(reader, judge, identified, given("1234"), b"test")
    assert outcome == Stopped(Code.CARD_NOT_PROVEN)


def test_a_card_pulled_at_the_verify_is_taken_away_and_no_wrong_pin(
    reader: PcscReader, lay: Any, card: CardFile, judge: CertificateJudge
) -> None:
    with lay(card) as log:
        identified = seen(reader, judge)
        log.clear()
        assert isinstance(
            authenticate(reader, judge, identified, given("1234"), b"test"), IdentifiedCard
        )
        position = next(n for n, sent in enumerate(log, 1) if sent.startswith(VERIFY))
    pulled = replace(card, fault=Fault(FaultName.REMOVED_DURING_READ, at=position))
    with lay(pulled) as log:
        next_event(reader, CardArrived)
        outcome = authenticate(reader, judge, identified, given("1234"), b"test")
    assert outcome == Stopped(Code.CARD_REMOVED)
    assert sum(command.startswith(VERIFY) for command in log) == 1


def test_a_reader_without_keys_says_so_over_the_real_control_call(
    reader: PcscReader, lay: Any, card: CardFile
) -> None:
    with lay(card):
        next_event(reader, CardArrived)
        with reader.session() as connection:
            assert find_pin_pad(connection) is None
            applet = JpkiApplet(connection)
            applet.select()
            assert applet.pin_tries_left() == 3
