from datetime import UTC, datetime

import pytest

from mykey_tui.card.allow_list import FILE_AUTH_CERTIFICATE
from mykey_tui.domain.codes import Code
from mykey_tui.domain.service_id import ANY_SERVICE_ID
from mykey_tui.domain.verdict import Accepted, Refused
from mykey_tui.reader.card_file import CardFile, FaultName
from mykey_tui.simulated import anchors_dir
from mykey_tui.simulated.tray import DEMO_PROVIDERS, LIBRARY, SHOPS, TrayCard, sample_tray
from mykey_tui.trust.anchors import load_anchors
from mykey_tui.trust.chain import judge

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def tray() -> tuple[TrayCard, ...]:
    return sample_tray(AT)


def test_the_first_card_is_the_concept_paper_s_own(tray: tuple[TrayCard, ...]) -> None:
    first = tray[0]
    assert first.seed is not None
    links = {provider.text: member.text for provider, member in first.seed.service_ids}

    assert first.key == "1"
    assert first.seed.cn.text == "1C2410DF79DGEL07202002B"
    assert links == {LIBRARY.provider_id.text: "2802121234", SHOPS.provider_id.text: "ABCDEFGHI"}


def test_each_card_has_a_key_of_its_own_and_words_in_both_languages(
    tray: tuple[TrayCard, ...],
) -> None:
    assert len({card.key for card in tray}) == len(tray) >= 10
    for card in tray:
        assert len(card.key) == 1
        assert card.key.isalnum()
        assert card.name_en.isascii()
        assert card.expect_en.isascii()
        assert not card.name_ja.isascii()
        assert not card.expect_ja.isascii()
        # A line of the tray at 80 columns, full-width characters counted twice.
        assert len(card.name_ja) * 2 <= 32
        assert len(card.expect_ja) * 2 <= 40


def test_what_the_server_starts_with_could_really_have_been_linked(
    tray: tuple[TrayCard, ...],
) -> None:
    anchors = load_anchors(anchors_dir())
    taken: set[tuple[str, str]] = set()
    providers = {provider.provider_id for provider in DEMO_PROVIDERS}

    for card in tray:
        if card.seed is None:
            continue
        verdict = judge(card.seed.certificate, anchors, at=AT)
        assert isinstance(verdict, Accepted)
        assert verdict.cn == card.seed.cn
        assert card.card.files[FILE_AUTH_CERTIFICATE] == card.seed.certificate
        for provider, member in card.seed.service_ids:
            assert provider in providers
            assert ANY_SERVICE_ID.check(member.text) == member
            assert (provider.text, member.text) not in taken
            taken.add((provider.text, member.text))
    assert sum(card.seed is not None and card.seed.suspended for card in tray) == 1


def test_the_tray_shows_each_outcome(tray: tuple[TrayCard, ...]) -> None:
    anchors = load_anchors(anchors_dir())

    def reason(card: CardFile) -> Code | None:
        verdict = judge(card.files.get(FILE_AUTH_CERTIFICATE, b""), anchors, at=AT)
        return verdict.reason if isinstance(verdict, Refused) else None

    by_key = {card.key: reason(card.card) for card in tray}
    assert [by_key[key] for key in "12345678"] == [
        None,
        None,
        None,
        None,
        Code.CERTIFICATE_EXPIRED,
        Code.CERTIFICATE_NOT_YET_VALID,
        Code.CERTIFICATE_UNKNOWN_ISSUER,
        Code.CERTIFICATE_FORGED,
    ]
    kinds = {card.key: card.card.kind.value for card in tray}
    assert [kinds[key] for key in "90a"] == ["iso", "storage", "storage"]
    faults = {card.card.fault.name for card in tray if card.card.fault is not None}
    assert faults == {FaultName.REMOVED_DURING_READ, FaultName.SLOW}


def test_no_sample_person_can_be_a_real_one(tray: tuple[TrayCard, ...]) -> None:
    for card in tray[1:]:
        if card.seed is not None:
            assert card.seed.cn.terminal_code.municipality == "99999"
