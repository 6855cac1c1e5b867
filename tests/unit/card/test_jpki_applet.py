from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_der_x509_certificate

from mykey_tui.card.jpki import JpkiApplet, sha256_digest_info
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import (
    CardError,
    MalformedIdError,
    MalformedResponseError,
    PinError,
    PinNotSentError,
    StatusError,
    TransmissionError,
    WrongCardError,
)
from mykey_tui.reader.card_file import CardFile, CardKind, CardPin, Fault, FaultName
from mykey_tui.reader.emulator import EmulatedReader
from mykey_tui.simulated.cards import make_card

Make = Callable[..., Any]
VERIFY = bytes.fromhex("0020008004")
LICENCE = CardFile(
    kind=CardKind.ISO, name="licence", atr=bytes.fromhex("3B888001000000009181C100D8")
)


@pytest.fixture(scope="session")
def card() -> CardFile:
    return make_card("1C2410DF79DGEL07202002B", at=datetime(2026, 6, 1, tzinfo=UTC))


@pytest.fixture
def log() -> list[bytes]:
    return []


@pytest.fixture
def lay(log: list[bytes]) -> Callable[[CardFile], Any]:
    """Lays a card on a reader and opens a session with it; the commands are in `log`."""

    @contextmanager
    def laid(card_file: CardFile) -> Iterator[JpkiApplet]:
        reader = EmulatedReader(on_command=log.append)
        reader.insert(card_file)
        with reader.session() as connection:
            yield JpkiApplet(connection)

    return laid


def with_tries(card: CardFile, tries: int) -> CardFile:
    return replace(card, pins={**card.pins, 0x0018: CardPin("1234", tries)})


def test_the_certificate_is_read_byte_for_byte(lay: Make, card: CardFile) -> None:
    with lay(card) as applet:
        applet.select()
        assert applet.read_auth_certificate() == card.files[0x000A]


def test_reading_takes_no_command_too_many(lay: Make, card: CardFile, log: list[bytes]) -> None:
    with lay(card) as applet:
        applet.select()
        rest = len(applet.read_auth_certificate()) - 4
    # SELECT application, SELECT file, the header, and one per 256 bytes of the rest.
    assert len(log) == 3 + -(-rest // 256)


def test_filler_behind_the_certificate_is_cut_off(lay: Make, card: CardFile) -> None:
    filled = replace(card, files={**card.files, 0x000A: card.files[0x000A] + b"\xff" * 500})
    with lay(filled) as applet:
        applet.select()
        assert applet.read_auth_certificate() == card.files[0x000A]


def test_a_card_that_answers_in_short_pieces_is_read_whole(lay: Make, card: CardFile) -> None:
    with lay(replace(card, fault=Fault(FaultName.SHORT_READS, count=37))) as applet:
        applet.select()
        assert applet.read_auth_certificate() == card.files[0x000A]


@pytest.mark.parametrize(
    "atr",
    ["3B888001000005E0B381A1007F", "3BC5FF8131FB458073C6010000", "3BDA13FF8131FB468012392F31C173"],
)
def test_the_atr_never_decides_about_a_card_with_a_processor(
    lay: Make, card: CardFile, atr: str
) -> None:
    with lay(replace(card, atr=bytes.fromhex(atr))) as applet:
        applet.select()
        assert applet.token_label() == "JPKIAPICCTOKEN2"


def test_a_driving_licence_is_told_from_a_my_number_card(lay: Make) -> None:
    with lay(LICENCE) as applet, pytest.raises(WrongCardError) as caught:
        applet.select()
    assert caught.value.code is Code.CARD_NOT_JPKI


@pytest.mark.parametrize("when", ["select", "read"])
def test_a_phone_that_wants_its_pin_first_is_named(answering_card: Make, when: str) -> None:
    def phone(command: bytes) -> bytes:
        refused = {"select": b"\x00\xa4\x02\x0c\x02\x00\x0a", "read": b"\x00\xb0\x00\x00\x04"}
        return b"\x69\x82" if command == refused[when] else b"\x90\x00"

    applet = JpkiApplet(answering_card(phone))
    applet.select()
    with pytest.raises(WrongCardError) as caught:
        applet.read_auth_certificate()
    assert caught.value.code is Code.CARD_IS_PHONE


@pytest.mark.parametrize("fault", [FaultName.LYING_LENGTH, FaultName.ENDLESS_TLV])
def test_a_certificate_with_a_lying_length_is_malformed(
    lay: Make, card: CardFile, fault: FaultName
) -> None:
    with lay(replace(card, fault=Fault(fault))) as applet:
        applet.select()
        with pytest.raises(MalformedResponseError):
            applet.read_auth_certificate()


@pytest.mark.parametrize(
    "content", [b"", b"\x30", b"\x30\x00", b"\xff" * 600, b"\x31\x82\x01\x00" + bytes(256)]
)
def test_a_file_that_holds_no_certificate_is_malformed(
    lay: Make, card: CardFile, content: bytes
) -> None:
    with lay(replace(card, files={0x000A: content})) as applet:
        applet.select()
        with pytest.raises(MalformedResponseError):
            applet.read_auth_certificate()


def test_a_card_pulled_at_any_command_says_removed(lay: Make, card: CardFile) -> None:
    with lay(card) as applet:
        applet.select()
        commands = 3 + -(-(len(applet.read_auth_certificate()) - 4) // 256)
    for position in range(1, commands + 1):
        fault = Fault(FaultName.REMOVED_DURING_READ, at=position)
        with lay(replace(card, fault=fault)) as applet:  # noqa: SIM117  # the read alone may fail
            with pytest.raises(TransmissionError) as caught:
                applet.select()
                applet.read_auth_certificate()
        assert caught.value.removed
        assert caught.value.code is Code.CARD_REMOVED


@pytest.mark.parametrize(
    "answer", [b"", b"\x90", b"\x90\x00", b"\x00\x00", bytes(300), b"\x61\xff", b"\x6c\x00"]
)
def test_a_card_that_always_gives_the_same_answer_ends_in_a_card_error(
    answering_card: Make, answer: bytes
) -> None:
    card = answering_card(lambda command: answer)
    applet = JpkiApplet(card)
    with pytest.raises(CardError):
        applet.select()
        applet.read_auth_certificate()
    assert len(card.log) < 40


def test_a_signature_is_asked_for_once_whatever_length_the_card_wants(answering_card: Make) -> None:
    """Found by the fuzz, case 72554: 6Cxx made us send the DigestInfo again, with that length."""
    card = answering_card(lambda command: b"\x6c\x80" if command[1] == 0x2A else b"\x90\x00")
    with pytest.raises(StatusError):
        JpkiApplet(card).sign(sha256_digest_info(bytes(32)))
    assert [command[1] for command in card.log] == [0xA4, 0x2A]


def test_counting_the_tries_costs_none(lay: Make, card: CardFile) -> None:
    with lay(with_tries(card, 3)) as applet:
        applet.select()
        assert [applet.pin_tries_left() for _ in range(5)] == [3] * 5


def test_a_blocked_pin_has_no_tries(lay: Make, card: CardFile) -> None:
    with lay(with_tries(card, 0)) as applet:
        applet.select()
        assert applet.pin_tries_left() == 0


def test_a_card_that_answers_9000_to_an_empty_verify_does_not_tell(answering_card: Make) -> None:
    assert JpkiApplet(answering_card(lambda command: b"\x90\x00")).pin_tries_left() is None


@pytest.mark.parametrize("pin", ["", "123", "12345", "12a4", "１２３４", "12 4", "123٤"])
def test_a_pin_of_another_form_is_never_sent(
    lay: Make, card: CardFile, log: list[bytes], pin: str
) -> None:
    with lay(card) as applet, pytest.raises(MalformedIdError):
        applet.verify_pin(pin)
    assert log == []


def test_a_wrong_pin_is_sent_once_and_says_how_many_tries_are_left(
    lay: Make, card: CardFile, log: list[bytes]
) -> None:
    with lay(with_tries(card, 3)) as applet:
        applet.select()
        with pytest.raises(PinError) as caught:
            applet.verify_pin("0000")
    assert caught.value.tries_left == 2
    assert sum(command.startswith(VERIFY) for command in log) == 1


def test_the_last_try_is_kept_unless_it_is_asked_for(
    lay: Make, card: CardFile, log: list[bytes]
) -> None:
    with lay(with_tries(card, 1)) as applet:
        applet.select()
        with pytest.raises(PinNotSentError) as caught:
            applet.verify_pin("1234")
        assert caught.value.tries_left == 1
        assert not any(command.startswith(VERIFY) for command in log)
        applet.verify_pin("1234", allow_last_try=True)
        assert applet.pin_tries_left() in (3, None)


def test_a_blocked_pin_is_not_sent_even_when_asked_for(
    lay: Make, card: CardFile, log: list[bytes]
) -> None:
    with lay(with_tries(card, 0)) as applet:
        applet.select()
        with pytest.raises(PinNotSentError) as caught:
            applet.verify_pin("1234", allow_last_try=True)
    assert caught.value.code is Code.PIN_BLOCKED
    assert not any(command.startswith(VERIFY) for command in log)


def test_a_signature_after_the_pin_is_by_the_key_of_the_certificate(
    lay: Make, card: CardFile
) -> None:
    with lay(card) as applet:
        applet.select()
        applet.verify_pin("1234")
        signature = applet.sign(sha256_digest_info(sha256(b"challenge").digest()))
    key = load_der_x509_certificate(card.files[0x000A]).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(signature, b"challenge", padding.PKCS1v15(), SHA256())


def test_without_the_pin_the_card_does_not_sign(lay: Make, card: CardFile) -> None:
    with lay(card) as applet:
        applet.select()
        with pytest.raises(StatusError) as caught:
            applet.sign(sha256_digest_info(bytes(32)))
    assert caught.value.status_word == 0x6982


def test_a_token_label_is_safe_to_show(lay: Make, card: CardFile) -> None:
    hostile = replace(card, files={**card.files, 0x0006: b"\x1b]0;PAID\x07\xff".ljust(160)})
    with lay(hostile) as applet:
        applet.select()
        label = applet.token_label()
    assert label.isprintable()
    assert len(label) <= 32
