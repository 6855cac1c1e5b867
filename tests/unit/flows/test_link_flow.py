"""Linking and unlinking by presence of the card."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.domain.ids import ServiceId, SubjectCn
from mykey_tui.domain.link import LinkStatus
from mykey_tui.domain.tokens import default_token
from mykey_tui.flows.link import LinkFlow
from mykey_tui.flows.outcomes import Found, IdentifiedCard, Linked, NotLinked, Stopped
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home
from mykey_tui.wire.seal import context_of, open_seal

PAPER = "1C2410DF79DGEL07202002B"
OTHER = "SAMPLE0000000299999002A"
SID = ServiceId("2802121234")


def token_of(bench: Any, cn: Any = PAPER) -> Any:
    return default_token(bench.provider_key, SubjectCn.parse(cn))


def test_with_no_line_the_link_is_queued_and_good_here_at_once(bench: Any) -> None:
    card = bench.identified()
    assert bench.linking.link(card, SID) == Linked(Code.LINK_QUEUED, SID, 1)
    outcome = bench.lookup.run()
    assert isinstance(outcome, Found)
    assert outcome.service_id == SID


def test_with_the_servers_word_the_link_is_done(bench: Any) -> None:
    bench.server.verdict = "applied"
    card = bench.identified()
    assert bench.linking.link(card, SID) == Linked(Code.LINKED, SID, 0)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("key_linked", Code.LINK_DUPLICATE),
        ("sid_taken", Code.SERVICE_ID_TAKEN),
        ("id_suspended", Code.SUSPENDED),
        ("not_registered", Code.NOT_REGISTERED),
    ],
)
def test_a_conflict_that_comes_while_the_person_waits_is_told_and_leaves_nothing(
    bench: Any, kind: Any, code: Any
) -> None:
    bench.server.verdict, bench.server.kind = "conflict", kind
    card = bench.identified()
    outcome = bench.linking.link(card, SID)
    assert isinstance(outcome, Stopped)
    assert outcome.code is code
    assert bench.store.queue() == []
    assert isinstance(bench.lookup.run(), NotLinked)


def test_an_invalid_mutation_is_told_and_leaves_nothing(bench: Any) -> None:
    bench.server.verdict, bench.server.kind = "invalid", "certificate"
    assert bench.linking.link(bench.identified(), SID) == Stopped(Code.MUTATION_INVALID)
    assert bench.store.queue() == []


def test_a_person_who_is_linked_already_sees_the_last_two_characters(bench: Any) -> None:
    bench.has_row(token_of(bench), "ABCDEFGHI")
    outcome = bench.linking.link(bench.identified(), SID)
    assert outcome == Stopped(Code.LINK_DUPLICATE, {"last": "HI"})
    assert bench.store.queue() == []


@pytest.mark.parametrize(
    ("linked", "last"), [("A1", "1"), ("A12", "2"), ("A123", "23"), ("2802121234", "34")]
)
def test_a_linked_number_shows_its_end_and_never_more_than_half(
    bench: Any, linked: str, last: str
) -> None:
    bench.has_row(token_of(bench), linked)
    outcome = bench.linking.link(bench.identified(), SID)
    assert outcome == Stopped(Code.LINK_DUPLICATE, {"last": last})


def test_a_service_id_of_another_person_is_taken(bench: Any) -> None:
    bench.has_row(token_of(bench, OTHER), SID.text)
    assert bench.linking.link(bench.identified(), SID) == Stopped(Code.SERVICE_ID_TAKEN)
    assert bench.store.queue() == []


def test_a_service_id_that_waits_for_another_person_here_is_taken(bench: Any) -> None:
    bench.linking.link(bench.identified(OTHER), SID)
    assert bench.linking.link(bench.identified(), SID) == Stopped(Code.SERVICE_ID_TAKEN)


def test_a_suspended_person_is_not_linked_anew(bench: Any) -> None:
    bench.has_row(token_of(bench), "ABCDEFGHI", LinkStatus.SUSPENDED)
    assert bench.linking.link(bench.identified(), SID) == Stopped(Code.SUSPENDED)


def test_another_card_at_step_3_is_a_swap(bench: Any) -> None:
    card = bench.identified()
    bench.lay(OTHER)
    assert bench.linking.link(card, SID) == Stopped(Code.CARD_SWAPPED)
    assert bench.store.queue() == []


def test_a_newer_certificate_of_the_same_person_is_a_swap_too(bench: Any) -> None:
    card = bench.identified()
    bench.lay(days_left=500)
    assert bench.linking.link(card, SID) == Stopped(Code.CARD_SWAPPED)


def test_a_card_swapped_at_any_command_never_links_the_wrong_person(bench: Any) -> None:
    """Threat T5: the other card comes at each command of the second reading in turn."""
    card = bench.identified()
    commands_of_one_reading = len(bench.commands)
    outcomes = []
    for at in range(1, commands_of_one_reading + 2):
        bench.lay()
        begin = len(bench.commands)

        def swap(number: Any, begin: Any = begin, at: Any = at) -> None:
            if number == begin + at:
                bench.lay(OTHER)

        bench.hook[:] = [swap]
        outcomes.append(bench.linking.link(card, ServiceId(f"{at:04d}")))
        bench.hook.clear()
        assert bench.store.lookup(token_of(bench, OTHER)) is None
    # Each reading was cut off but the last, which was complete before the swap could come.
    assert [o.code for o in outcomes[:-1]] == [Code.CARD_REMOVED] * commands_of_one_reading
    assert isinstance(outcomes[-1], Linked)
    assert len(bench.store.queue()) == 1


def test_a_card_swapped_after_the_comparison_still_links_the_first_person(bench: Any) -> None:
    card = bench.identified()
    assert bench.linking.read_again(card) is None
    bench.lay(OTHER)
    assert isinstance(bench.linking.commit_link(card, SID), Linked)
    assert bench.store.lookup(token_of(bench)).service_id == SID
    assert bench.store.lookup(token_of(bench, OTHER)) is None


def test_the_server_alone_can_open_what_was_queued_and_finds_the_certificate(bench: Any) -> None:
    """With the key of now: another process has taken it over since this one opened the store."""
    private = X25519PrivateKey.generate()
    identity = bench.store.identity
    with bench.store._engine.begin() as connection:
        public = private.public_key().public_bytes_raw()
        connection.exec_driver_sql("UPDATE identity SET seal_key = ?", (public,))
    card = bench.identified()
    bench.linking.link(card, SID)
    (item,) = bench.store.next_batch(first=1, items_max=10, bytes_max=10_000)
    context = context_of(
        item,
        device=str(identity.device_id),
        incarnation=identity.incarnation,
        scope=identity.scope,
    )
    assert open_seal(item.sealed, private_key=private, context=context).certificate == card.der
    assert card.der not in item.sealed


def test_unlinking_by_presence_takes_the_service_id_away_at_once(bench: Any) -> None:
    bench.has_row(token_of(bench), "ABCDEFGHI")
    card = bench.identified()
    bench.server.verdict = "applied"
    outcome = bench.linking.unlink(card)
    assert isinstance(outcome, Linked)
    assert outcome.code is Code.UNLINKED
    assert isinstance(bench.lookup.run(), NotLinked)


def test_unlinking_offline_waits_and_holds_here(bench: Any) -> None:
    bench.has_row(token_of(bench), "ABCDEFGHI")
    outcome = bench.linking.unlink(bench.identified())
    assert isinstance(outcome, Linked)
    assert outcome.code is Code.LINK_QUEUED
    assert isinstance(bench.lookup.run(), NotLinked)


def test_there_is_nothing_to_unlink_where_there_is_no_link(bench: Any) -> None:
    assert bench.linking.unlink(bench.identified()) == Stopped(Code.NOT_LINKED)


def test_a_suspended_link_is_not_taken_away_at_the_counter(bench: Any) -> None:
    bench.has_row(token_of(bench), "ABCDEFGHI", LinkStatus.SUSPENDED)
    assert bench.linking.unlink(bench.identified()) == Stopped(Code.SUSPENDED)


def test_unlinking_with_another_card_is_a_swap(bench: Any) -> None:
    bench.has_row(token_of(bench), "ABCDEFGHI")
    card = bench.identified()
    bench.lay(OTHER)
    assert bench.linking.unlink(card) == Stopped(Code.CARD_SWAPPED)


class _FullDisk(CounterStore):
    def queue_mutation(self, *args: Any, **kwargs: Any) -> int:
        raise StoreError(Code.STORE_FULL)


def test_a_full_disk_is_said_and_nothing_was_promised(bench: Any) -> None:
    store = _FullDisk.open(Home(bench.store.home.path), clock=bench.clock)
    flow = LinkFlow(bench.reader, bench.judge, store, bench.server, bench.clock)
    card = bench.identified()
    assert isinstance(card, IdentifiedCard)
    assert flow.link(card, SID) == Stopped(Code.STORE_FULL)
    assert bench.server.delivered == []
    store.close()


class _MuteAfterwards(CounterStore):
    def counts(self) -> Any:
        raise StoreError(Code.STORE_BUSY)


def test_a_link_that_is_on_disk_is_never_told_as_failed(bench: Any) -> None:
    store = _MuteAfterwards.open(Home(bench.store.home.path), clock=bench.clock)
    flow = LinkFlow(bench.reader, bench.judge, store, bench.server, bench.clock)
    card = bench.identified()
    assert isinstance(card, IdentifiedCard)
    assert flow.link(card, SID) == Linked(Code.LINK_QUEUED, SID, 1)
    assert store.lookup(token_of(bench)) is not None
    store.close()


class _Beaten(CounterStore):
    """Another program is quicker by a hair: it stores between the look at the rows and ours."""

    other: Any = None

    def queue_mutation(self, *args: Any, **kwargs: Any) -> int:
        self.other()
        return super().queue_mutation(*args, **kwargs)


def beaten_by(bench: Any, other: Any) -> Any:
    store: Any = _Beaten.open(bench.store.home, clock=bench.clock)
    store.other = other
    return store, LinkFlow(bench.reader, bench.judge, store, bench.server, bench.clock)


def test_two_programs_never_both_say_that_one_person_is_linked(bench: Any) -> None:
    card = bench.identified()
    store, flow = beaten_by(bench, lambda: bench.linking.commit_link(card, SID))
    assert flow.commit_link(card, ServiceId("ABCDEFGHI")) == Stopped(
        Code.LINK_DUPLICATE, {"last": "34"}
    )
    assert [item.service_id for item in bench.store.queue()] == [SID]
    store.close()


def test_two_programs_never_both_give_one_service_id_away(bench: Any) -> None:
    other = bench.identified(OTHER)
    card = bench.identified()
    store, flow = beaten_by(bench, lambda: bench.linking.commit_link(other, SID))
    assert flow.commit_link(card, SID) == Stopped(Code.SERVICE_ID_TAKEN)
    assert len(bench.store.queue()) == 1
    store.close()


def test_two_programs_never_both_take_one_link_away(bench: Any) -> None:
    bench.has_row(token_of(bench), "ABCDEFGHI")
    card = bench.identified()
    store, flow = beaten_by(bench, lambda: bench.linking.commit_unlink(card))
    assert flow.commit_unlink(card) == Stopped(Code.NOT_LINKED)
    assert len(bench.store.queue()) == 1
    store.close()
