"""Which application answers: decided by SELECT and by its own label, never by the ATR."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mykey_tui.card.jpki import JpkiApplet
from mykey_tui.card.profile import ANDROID_PHONE, IPHONE, PLASTIC_CARD, PROFILES, profile_of
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StatusError, WrongCardError
from mykey_tui.reader.card_file import CardFile
from mykey_tui.reader.emulator import EmulatedReader
from mykey_tui.simulated.cards import make_card, newer_card, phone
from mykey_tui.simulated.foreign import driving_licence

Make = Callable[..., Any]
AT = datetime(2026, 11, 22, tzinfo=UTC)
CN = "1C2410DF79DGEL07202002B"
LABEL = bytes.fromhex("00a4020c020006")


@pytest.fixture
def log() -> list[bytes]:
    return []


@pytest.fixture
def lay(log: list[bytes]) -> Make:
    @contextmanager
    def laid(card_file: CardFile) -> Iterator[JpkiApplet]:
        reader = EmulatedReader(on_command=log.append)
        reader.insert(card_file)
        with reader.session() as connection:
            yield JpkiApplet(connection)

    return laid


def labelled(label: str) -> CardFile:
    card = make_card(CN, at=AT)
    return replace(card, files={**card.files, 0x0006: label.encode().ljust(160)})


@pytest.mark.parametrize(
    "atr",
    [
        "3B888001000005E0B381A1007F",
        "3B888001004B51FFB381D1000F",
        "3BC5FF8131FB458073C6010000",
        "3BDA13FF8131FB468012392F31C173C601C03B",
    ],
)
def test_a_my_number_card_is_recognised_under_every_atr_that_was_seen(lay: Make, atr: str) -> None:
    card = make_card(CN, at=AT)
    with lay(replace(card, atr=bytes.fromhex(atr))) as applet:
        applet.select()
        assert applet.profile() is PLASTIC_CARD
        assert applet.read_auth_certificate() == card.files[0x000A]


def test_a_driving_licence_with_the_same_beginning_of_its_atr_is_no_my_number_card(
    lay: Make,
) -> None:
    assert driving_licence().atr.startswith(bytes.fromhex("3B888001"))
    with lay(driving_licence()) as applet, pytest.raises(WrongCardError) as caught:
        applet.select()
    assert caught.value.code is Code.CARD_NOT_JPKI


@pytest.mark.parametrize("profile", [ANDROID_PHONE, IPHONE])
def test_a_phone_is_told_by_its_label_and_is_asked_for_no_pin(
    lay: Make, log: list[bytes], profile: Any
) -> None:
    with lay(phone(CN, at=AT, label=profile.label)) as applet:
        applet.select()
        assert applet.profile() is profile
        for step in (applet.read_auth_certificate, applet.require_known_card):
            with pytest.raises(WrongCardError) as caught:
                step()
            assert caught.value.code is Code.CARD_IS_PHONE
    assert not any(command[1] == 0x20 for command in log)


@pytest.mark.parametrize("label", ["JPKIAPICCTOKEN3", "jpkiapicctoken2", "JPKIAPICCTOKEN22", ""])
def test_a_label_that_is_not_in_the_table_is_a_card_of_unknown_kind(lay: Make, label: str) -> None:
    assert profile_of(label) is None
    with lay(labelled(label)) as applet:
        applet.select()
        with pytest.raises(WrongCardError) as caught:
            applet.require_known_card()
    assert caught.value.code is Code.CARD_UNKNOWN_KIND


def test_a_new_label_alone_does_not_turn_a_whole_batch_of_cards_away(lay: Make) -> None:
    card = labelled("JPKIAPICCTOKEN3")
    with lay(card) as applet:
        applet.select()
        assert applet.read_auth_certificate() == card.files[0x000A]


def test_an_application_of_unknown_kind_without_our_file_is_not_called_unreadable(
    lay: Make,
) -> None:
    card = newer_card(CN, at=AT)
    files = {key: value for key, value in card.files.items() if key != 0x000A}
    with lay(replace(card, files=files)) as applet:
        applet.select()
        with pytest.raises(WrongCardError) as caught:
            applet.read_auth_certificate()
    assert caught.value.code is Code.CARD_UNKNOWN_KIND


def test_an_application_of_unknown_kind_with_a_closed_certificate_is_no_phone(lay: Make) -> None:
    card = replace(newer_card(CN, at=AT), closed=frozenset({0x000A}))
    with lay(card) as applet:
        applet.select()
        with pytest.raises(WrongCardError) as caught:
            applet.read_auth_certificate()
    assert caught.value.code is Code.CARD_UNKNOWN_KIND


def test_a_known_card_without_its_certificate_keeps_its_own_failure(lay: Make) -> None:
    card = make_card(CN, at=AT)
    files = {key: value for key, value in card.files.items() if key != 0x000A}
    with lay(replace(card, files=files)) as applet:
        applet.select()
        with pytest.raises(StatusError) as caught:
            applet.read_auth_certificate()
    assert caught.value.status_word == 0x6A82


def test_the_label_is_not_asked_for_where_the_certificate_can_be_read(
    lay: Make, log: list[bytes]
) -> None:
    with lay(make_card(CN, at=AT)) as applet:
        applet.select()
        applet.read_auth_certificate()
    assert LABEL not in log


def test_every_row_of_the_table_lies_where_the_allow_list_lets_us_go() -> None:
    assert len({profile.label for profile in PROFILES}) == len(PROFILES)
    for profile in PROFILES:
        places = (profile.aid, profile.certificate_file, profile.key_file, profile.pin_file)
        assert places == (bytes.fromhex("D392F000260100000001"), 0x000A, 0x0017, 0x0018)
