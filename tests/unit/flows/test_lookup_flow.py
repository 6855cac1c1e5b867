"""A card at the reception: whose it is, and what the till gets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import ServiceId, SubjectCn
from mykey_tui.domain.link import LinkStatus
from mykey_tui.domain.tokens import binding, chosen_token, default_token
from mykey_tui.flows.outcomes import Found, NotLinked, Stopped
from mykey_tui.reader.card_file import Fault, FaultName
from mykey_tui.simulated.foreign import Variant, driving_licence, felica_card

PAPER = "1C2410DF79DGEL07202002B"


def default_of(bench: Any, cn: Any = PAPER) -> Any:
    return default_token(bench.provider_key, SubjectCn.parse(cn))


def chosen_of(bench: Any, cn: Any = PAPER) -> Any:
    return chosen_token(bench.provider_key, SubjectCn.parse(cn).my_key_id)


def test_a_linked_card_gives_its_service_id_and_the_till_gets_it_once(bench: Any) -> None:
    bench.has_row(default_of(bench), "ABCDEFGHI")
    bench.lay()
    outcome = bench.lookup.run()
    assert isinstance(outcome, Found)
    assert outcome.service_id == ServiceId("ABCDEFGHI")
    assert outcome.handover.code is Code.HANDED_OVER
    assert bench.till.got == ["ABCDEFGHI"]
    assert not outcome.provisional
    assert outcome.days_left > 300
    assert {"card", "verify", "lookup", "handover"} <= set(outcome.milliseconds)


def test_a_card_with_no_row_is_not_linked_and_the_till_gets_nothing(bench: Any) -> None:
    bench.lay()
    outcome = bench.lookup.run()
    assert isinstance(outcome, NotLinked)
    assert outcome.card.cn.text == PAPER
    assert bench.till.got == []


@pytest.mark.parametrize(
    ("status", "code"),
    [(LinkStatus.SUSPENDED, Code.SUSPENDED), (LinkStatus.RENEWED, Code.RENEWED)],
)
def test_a_stopped_link_is_said_and_the_till_gets_nothing(
    bench: Any, status: Any, code: Any
) -> None:
    bench.has_row(default_of(bench), "ABCDEFGHI", status)
    bench.lay()
    assert bench.lookup.run() == Stopped(code)
    assert bench.till.got == []


def test_a_chosen_id_is_found_by_the_certificate_that_it_is_bound_to(bench: Any) -> None:
    card = bench.identified()
    bench.has_row(chosen_of(bench), "280212", binding=binding(bench.provider_key, card.certificate))
    outcome = bench.lookup.run()
    assert isinstance(outcome, Found)
    assert outcome.service_id.text == "280212"


@pytest.mark.parametrize("bound_to", [b"another!", None])
def test_a_default_id_equal_to_somebodys_chosen_one_is_not_that_person(
    bench: Any, bound_to: Any
) -> None:
    bench.has_row(chosen_of(bench), "280212", binding=bound_to)
    bench.lay()
    assert isinstance(bench.lookup.run(), NotLinked)
    assert bench.till.got == []


def test_the_default_id_is_asked_for_before_the_chosen_one(bench: Any) -> None:
    card = bench.identified()
    bench.has_row(chosen_of(bench), "CHOSEN", binding=binding(bench.provider_key, card.certificate))
    bench.has_row(default_of(bench), "DEFAULT")
    outcome = bench.lookup.run()
    assert isinstance(outcome, Found)
    assert outcome.service_id.text == "DEFAULT"


def test_two_cards_with_one_14_and_two_9_are_two_people(bench: Any) -> None:
    other = PAPER[:14] + "13221003A"
    bench.has_row(default_of(bench), "FIRST")
    bench.has_row(default_of(bench, other), "SECOND")
    bench.lay(other)
    outcome = bench.lookup.run()
    assert isinstance(outcome, Found)
    assert outcome.service_id.text == "SECOND"


def test_a_link_made_here_and_not_yet_sent_is_good_here_and_says_so(bench: Any) -> None:
    card = bench.identified()
    bench.linking.link(card, ServiceId("789"))
    outcome = bench.lookup.run()
    assert isinstance(outcome, Found)
    assert outcome.provisional
    assert bench.till.got == ["789"]


def test_a_till_that_does_not_take_it_is_named_beside_the_service_id(bench: Any) -> None:
    bench.has_row(default_of(bench), "ABCDEFGHI")
    bench.till.fails_with = Code.HANDOVER_FILE
    bench.lay()
    outcome = bench.lookup.run()
    assert isinstance(outcome, Found)
    assert outcome.handover.code is Code.HANDOVER_FILE


def test_a_lookup_without_handover_tells_the_till_nothing(bench: Any) -> None:
    bench.has_row(default_of(bench), "ABCDEFGHI")
    bench.lay()
    outcome = bench.lookup.run(handover=False)
    assert isinstance(outcome, Found)
    assert outcome.handover.code is Code.HANDOVER_OFF
    assert bench.till.got == []


@pytest.mark.parametrize(
    ("variant", "code"),
    [
        (Variant.NOT_YET_VALID, Code.CERTIFICATE_NOT_YET_VALID),
        (Variant.WRONG_ISSUER, Code.CERTIFICATE_UNKNOWN_ISSUER),
        (Variant.FORGED, Code.CERTIFICATE_FORGED),
        (Variant.WRONG_KEY_USAGE, Code.CERTIFICATE_WRONG_USAGE),
        (Variant.WRONG_POLICY, Code.CERTIFICATE_WRONG_POLICY),
        (Variant.CN_OF_WRONG_LENGTH, Code.CERTIFICATE_MALFORMED),
    ],
)
def test_a_certificate_that_is_not_believed_hands_nothing_over(
    bench: Any, variant: Any, code: Any
) -> None:
    bench.has_row(default_of(bench), "ABCDEFGHI")
    bench.lay(variant=variant)
    assert bench.lookup.run() == Stopped(code)
    assert bench.till.got == []


def test_an_expired_certificate_says_on_which_japanese_day_it_ended(bench: Any) -> None:
    bench.lay(variant=Variant.EXPIRED)
    outcome = bench.lookup.run()
    assert isinstance(outcome, Stopped)
    assert outcome.code is Code.CERTIFICATE_EXPIRED
    # It ended at 23:59:59 in Japan, two days before the test's day.
    assert outcome.values == {"date": (bench.clock.now() - timedelta(days=2)).date().isoformat()}


@pytest.mark.parametrize("at", range(1, 8))
def test_a_card_pulled_at_any_command_says_removed(bench: Any, at: Any) -> None:
    bench.has_row(default_of(bench), "ABCDEFGHI")
    bench.lay(fault=Fault(FaultName.REMOVED_DURING_READ, at=at))
    assert bench.lookup.run() == Stopped(Code.CARD_REMOVED)
    assert bench.till.got == []


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (FaultName.MUTE, Code.CARD_MUTE),
        (FaultName.LYING_LENGTH, Code.CARD_UNREADABLE),
        (FaultName.ENDLESS_TLV, Code.CARD_UNREADABLE),
        (FaultName.GARBAGE_CERTIFICATE, Code.CERTIFICATE_MALFORMED),
    ],
)
def test_a_card_that_sends_nonsense_has_a_code_of_its_own(
    bench: Any, fault: Any, code: Any
) -> None:
    bench.lay(fault=Fault(fault))
    assert bench.lookup.run() == Stopped(code)


def test_short_reads_are_still_a_good_card(bench: Any) -> None:
    bench.has_row(default_of(bench), "ABCDEFGHI")
    bench.lay(fault=Fault(FaultName.SHORT_READS))
    assert isinstance(bench.lookup.run(), Found)


@pytest.mark.parametrize(
    ("card", "code"),
    [(driving_licence(), Code.CARD_NOT_JPKI), (felica_card(), Code.CARD_IS_POINT_CARD)],
)
def test_another_kind_of_card_is_told_apart(bench: Any, card: Any, code: Any) -> None:
    bench.reader.insert(card)
    assert bench.lookup.run() == Stopped(code)


def test_no_card_at_all_reads_as_removed(bench: Any) -> None:
    assert bench.lookup.run() == Stopped(Code.CARD_REMOVED)
