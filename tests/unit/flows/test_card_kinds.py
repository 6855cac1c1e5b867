"""What a look-up says of cards that are no plastic card of the present kind."""

from mykey_tui.domain.codes import Code
from mykey_tui.flows.outcomes import NotLinked, Stopped
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
