"""What a look-up says of cards that are no plastic card of the present kind."""

from dataclasses import replace

import pytest

from mykey_tui.card.profile import PROFILES
from mykey_tui.composition.point_card import number_place
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.domain.ids import ServiceId
from mykey_tui.flows.card_text import card_lines
from mykey_tui.flows.outcomes import (
    UNKNOWN_PROFILE,
    CardDetail,
    NotLinked,
    ServiceCardRead,
    Stopped,
)
from mykey_tui.i18n.catalog import Catalog, Language
from mykey_tui.settings import BlockSettings
from mykey_tui.simulated.cards import newer_card, phone
from mykey_tui.simulated.foreign import driving_licence, felica_card
from tests.unit.flows.conftest import NOW, PAPER, Bench


def test_a_phone_is_asked_for_the_plastic_card(bench: Bench) -> None:
    bench.reader.insert(phone(PAPER, at=NOW))
    assert bench.lookup.run() == Stopped(Code.CARD_IS_PHONE)
    assert not any(command[1] == 0x20 for command in bench.commands)


def test_a_card_of_a_newer_kind_is_refused_politely_though_its_certificate_is_good(
    bench: Bench,
) -> None:
    bench.reader.insert(newer_card(PAPER, at=NOW))
    assert bench.lookup.run() == Stopped(Code.CARD_UNKNOWN_KIND)
    assert bench.till.got == []


def test_the_same_person_with_a_card_of_the_present_kind_is_served(bench: Bench) -> None:
    bench.lay(PAPER)
    assert isinstance(bench.lookup.run(), NotLinked)


def test_other_cards_keep_their_own_answers(bench: Bench) -> None:
    bench.reader.insert(driving_licence())
    assert bench.lookup.run() == Stopped(Code.CARD_NOT_JPKI)
    bench.reader.insert(felica_card())
    assert bench.lookup.run() == Stopped(Code.CARD_IS_POINT_CARD)


@pytest.mark.parametrize("language", list(Language))
def test_the_card_view_says_which_kind_of_card_it_is(bench: Bench, language: Language) -> None:
    bench.lay(PAPER)
    known = bench.visits.show()
    bench.reader.insert(newer_card(PAPER, at=NOW))
    newer = bench.visits.show()
    assert isinstance(known, CardDetail)
    assert isinstance(newer, CardDetail)
    assert (known.profile, known.verdict) == ("card-2016", None)
    assert (newer.profile, newer.verdict) == (UNKNOWN_PROFILE, Code.CARD_UNKNOWN_KIND)
    catalog = Catalog(language)
    for detail in (known, newer):
        shown = "\n".join(card_lines(detail, catalog, simulated=True))
        assert catalog.text(f"card.{detail.profile}") in shown
        assert "SIMULATED" in shown


def test_every_profile_has_words_in_both_languages() -> None:
    for catalog in map(Catalog, Language):
        assert all(catalog.text(f"card.{profile.name}") for profile in PROFILES)


def test_step_two_reads_no_block_unless_the_settings_say_where(bench: Bench) -> None:
    card = replace(felica_card(), files={0x010B: b"2802121234".ljust(16)})
    bench.reader.insert(card)
    assert card.uid is not None
    assert bench.visits.service_card() == ServiceCardRead(ServiceId(card.uid.hex().upper()))
    assert [command.hex() for command in bench.commands] == ["ffca000000"]
    written = BlockSettings("sony", 0x010B, 0, 0, 10)
    with_block = replace(bench.visits, number_place=number_place(written))
    assert with_block.service_card() == ServiceCardRead(ServiceId("2802121234"))


@pytest.mark.parametrize(
    "written",
    [
        {"reader": "sony"},
        {"reader": "abc", "service": "010B", "block": 0, "first": 0, "length": 10},
        {"reader": "sony", "service": "0108", "block": 0, "first": 0, "length": 10},
        {"reader": "sony", "service": "zz", "block": 0, "first": 0, "length": 10},
        {"reader": "sony", "service": "010B", "block": True, "first": 0, "length": 10},
        {"reader": "sony", "service": "010B", "block": 0, "first": 10, "length": 10},
        [],
        "sony",
    ],
)
def test_a_place_that_cannot_be_used_is_a_wrong_setting(written: object) -> None:
    with pytest.raises(StoreError) as caught:
        number_place(BlockSettings.parse(written))
    assert caught.value.code is Code.STORE_SETTINGS
