"""The PIN, without a screen: what is sent, what is kept back, what it proves."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_der_x509_certificate

from mykey_tui.card.connection import CardConnection
from mykey_tui.domain.assurance import Assurance, PinPolicy
from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import ServiceId
from mykey_tui.domain.tokens import default_token
from mykey_tui.flows import pin as pin_flow
from mykey_tui.flows.outcomes import Found, IdentifiedCard, Linked, NotLinked, PinWanted, Stopped
from mykey_tui.flows.pin import ask_tries, authenticate
from mykey_tui.flows.pin_entry import PinEntry, PinGiven
from mykey_tui.flows.visits import Visits
from mykey_tui.reader.card_file import CardFile, CardPin, Fault, FaultName
from mykey_tui.reader.trace import Traced
from mykey_tui.simulated.cards import copied_card, newer_card
from tests.unit.flows.conftest import NOW, OTHER, PAPER, Bench

VERIFY = bytes.fromhex("0020008004")
SIGN = bytes.fromhex("802a0080")
NUMBER = ServiceId("2802121234")
RIGHT = "7351"


def typed(digits: str) -> PinEntry:
    entry = PinEntry()
    for digit in digits:
        entry.press(digit)
    return entry


def given(digits: str = RIGHT, *, allow_last_try: bool = False) -> PinGiven:
    return PinGiven(typed(digits), allow_last_try=allow_last_try)


def verifies(bench: Bench) -> int:
    return sum(command.startswith(VERIFY) for command in bench.commands)


def with_tries(card: CardFile, tries: int) -> CardFile:
    return replace(card, pins={**card.pins, 0x0018: CardPin(RIGHT, tries)})


def visits(bench: Bench, policy: PinPolicy) -> Visits:
    return replace(bench.visits, pin=policy)


@pytest.fixture
def card(bench: Bench) -> IdentifiedCard:
    """Step 1 is done; the card lies there still, with the PIN `RIGHT`."""
    bench.lay(PAPER, pin=RIGHT)
    return _seen(bench)


def _seen(bench: Bench) -> IdentifiedCard:
    outcome = bench.lookup.run(handover=False)
    if isinstance(outcome, NotLinked):
        return outcome.card
    raise AssertionError(outcome)


@pytest.fixture
def linked(bench: Bench, card: IdentifiedCard) -> IdentifiedCard:
    bench.has_row(default_token(bench.provider_key, card.cn), NUMBER.text)
    bench.is_synced()
    return card


def prove(bench: Bench, card: IdentifiedCard, what: PinGiven) -> IdentifiedCard | Stopped:
    return authenticate(bench.reader, bench.judge, card, what, b"test")


# What it proves


def test_the_right_pin_makes_an_identified_card_an_authenticated_one(
    bench: Bench, card: IdentifiedCard
) -> None:
    proven = prove(bench, card, given())
    assert isinstance(proven, IdentifiedCard)
    assert proven.assurance is Assurance.AUTHENTICATED
    assert proven.same_card(card)
    assert card.assurance is Assurance.IDENTIFIED


def test_a_copied_certificate_passes_without_pin_and_fails_with_it(bench: Bench) -> None:
    bench.reader.insert(copied_card(PAPER, at=NOW))
    card = _seen(bench)
    assert prove(bench, card, given("1234")) == Stopped(Code.CARD_NOT_PROVEN)


def test_each_challenge_is_fresh_and_for_its_purpose(bench: Bench, card: IdentifiedCard) -> None:
    for purpose in (b"link\0a", b"link\0a", b"lookup"):
        authenticate(bench.reader, bench.judge, card, given(), purpose)
    signed = [command for command in bench.commands if command.startswith(SIGN)]
    assert len(signed) == len(set(signed)) == 3


def test_a_signature_over_another_challenge_proves_nothing(
    bench: Bench, card: IdentifiedCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Teeth: what is checked is our challenge, and not just that something was signed."""
    made: list[bytes] = []

    def remembered(purpose: bytes) -> bytes:
        made.append(hashlib.sha256(purpose + bytes([len(made)])).digest())
        return made[-1]

    replay = Replaying()
    monkeypatch.setattr(pin_flow, "new_challenge", remembered)
    with replay.on(bench):
        assert isinstance(prove(bench, card, given()), IdentifiedCard)
        assert prove(bench, card, given()) == Stopped(Code.CARD_NOT_PROVEN)
    key = load_der_x509_certificate(card.der).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(replay.signature, made[0], padding.PKCS1v15(), SHA256())


class Replaying:
    """A card that answers every challenge with the first signature it made."""

    signature = b""

    @contextmanager
    def on(self, bench: Bench) -> Iterator[None]:
        exchange = bench.reader.exchange

        def answer(card: object, command: bytes) -> bytes:
            response = exchange(card, command)  # type: ignore[arg-type]  # passed through
            if command.startswith(SIGN):
                self.signature = self.signature or response[:-2]
                return self.signature + b"\x90\x00"
            return response

        bench.reader.exchange = answer  # type: ignore[method-assign]  # a card that lies
        yield
        bench.reader.exchange = exchange  # type: ignore[method-assign]


# What is sent, and what is kept back


def test_the_tries_are_read_before_anybody_types_and_cost_none(
    bench: Bench, card: IdentifiedCard
) -> None:
    for _ in range(5):
        assert ask_tries(bench.reader, card) == PinWanted(card, 3)
    assert verifies(bench) == 0


def test_a_wrong_pin_is_sent_once_and_the_next_attempt_says_what_is_left(
    bench: Bench, card: IdentifiedCard
) -> None:
    assert prove(bench, card, given("0000")) == Stopped(Code.PIN_WRONG, {"count": "2"})
    assert verifies(bench) == 1
    assert ask_tries(bench.reader, card) == PinWanted(card, 2)


@pytest.mark.parametrize("digits", ["", "1", "735"])
def test_a_pin_of_another_length_is_never_sent(
    bench: Bench, card: IdentifiedCard, digits: str
) -> None:
    assert prove(bench, card, given(digits)) == Stopped(Code.PIN_NEEDED)
    assert verifies(bench) == 0


def test_the_digits_are_used_once_though_asked_twice(bench: Bench, card: IdentifiedCard) -> None:
    what = given("0000")
    assert prove(bench, card, what) == Stopped(Code.PIN_WRONG, {"count": "2"})
    assert prove(bench, card, what) == Stopped(Code.PIN_NEEDED)
    assert verifies(bench) == 1


def test_the_last_try_is_kept_until_somebody_types_a_word_for_it(bench: Bench) -> None:
    bench.reader.insert(with_tries(bench.card(), 1))
    card = _seen(bench)
    assert ask_tries(bench.reader, card) == PinWanted(card, 1)
    assert prove(bench, card, given()) == Stopped(Code.PIN_LAST, {"count": "1"})
    assert verifies(bench) == 0
    proven = prove(bench, card, given(allow_last_try=True))
    assert isinstance(proven, IdentifiedCard)


def test_a_locked_pin_is_not_sent_and_says_so(bench: Bench) -> None:
    bench.reader.insert(with_tries(bench.card(), 0))
    card = _seen(bench)
    assert ask_tries(bench.reader, card) == PinWanted(card, 0)
    stopped = prove(bench, card, given(allow_last_try=True))
    assert stopped == Stopped(Code.PIN_BLOCKED, {"count": "0"})
    assert verifies(bench) == 0


def test_the_try_that_locks_it_says_locked(bench: Bench) -> None:
    bench.reader.insert(with_tries(bench.card(), 1))
    card = _seen(bench)
    stopped = prove(bench, card, given("0000", allow_last_try=True))
    assert stopped == Stopped(Code.PIN_BLOCKED, {"count": "0"})


def test_a_card_pulled_at_any_command_is_taken_away_and_no_wrong_pin(
    bench: Bench, card: IdentifiedCard
) -> None:
    bench.commands.clear()
    assert isinstance(prove(bench, card, given()), IdentifiedCard)
    for position in range(1, len(bench.commands) + 1):
        bench.lay(PAPER, pin=RIGHT, fault=Fault(FaultName.REMOVED_DURING_READ, at=position))
        before, what = verifies(bench), given()
        assert prove(bench, card, what) == Stopped(Code.CARD_REMOVED)
        assert verifies(bench) - before <= 1
        assert what.entry is not None
        assert what.entry.count == 0


def test_another_card_is_sent_no_pin(bench: Bench, card: IdentifiedCard) -> None:
    bench.lay(OTHER, pin=RIGHT)
    assert prove(bench, card, given()) == Stopped(Code.CARD_SWAPPED)
    assert verifies(bench) == 0


def test_a_card_of_unknown_kind_is_sent_no_pin(bench: Bench, card: IdentifiedCard) -> None:
    bench.reader.insert(newer_card(PAPER, at=NOW))
    assert prove(bench, card, given()) == Stopped(Code.CARD_UNKNOWN_KIND)
    assert ask_tries(bench.reader, card) == Stopped(Code.CARD_UNKNOWN_KIND)
    assert verifies(bench) == 0


def test_after_the_pin_nobody_signs_without_one(bench: Bench, card: IdentifiedCard) -> None:
    assert isinstance(prove(bench, card, given()), IdentifiedCard)
    with bench.reader.session() as connection:
        for command in ("00A4040C0AD392F000260100000001", "00A4020C020017"):
            assert connection.transmit(bytes.fromhex(command)) == b"\x90\x00"
        to_sign = SIGN + bytes([51]) + bytes(51) + b"\x00"
        assert connection.transmit(to_sign) == b"\x69\x82"


def test_pin_and_signature_are_in_one_session(
    bench: Bench, card: IdentifiedCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = 0
    session = bench.reader.session

    def counted() -> object:
        nonlocal sessions
        sessions += 1
        return session()

    monkeypatch.setattr(bench.reader, "session", counted)
    assert isinstance(prove(bench, card, given()), IdentifiedCard)
    assert sessions == 1


# The provider's policy


def test_never_means_that_no_card_is_asked(bench: Bench, linked: IdentifiedCard) -> None:
    found = visits(bench, PinPolicy.NEVER).lookup(handover=True)
    assert isinstance(found, Found)
    assert found.assurance is Assurance.IDENTIFIED
    assert not any(command[1] == 0x20 for command in bench.commands)


def test_on_link_asks_at_linking_and_not_at_the_till(bench: Bench, linked: IdentifiedCard) -> None:
    desk = visits(bench, PinPolicy.ON_LINK)
    assert isinstance(desk.lookup(handover=True), Found)
    assert desk.unlink(linked) == PinWanted(linked, 3)
    assert isinstance(desk.unlink(linked, given()), Linked)


def test_a_link_under_a_policy_is_stored_after_the_pin_and_not_before(
    bench: Bench, card: IdentifiedCard
) -> None:
    desk = visits(bench, PinPolicy.ON_LINK)
    assert desk.link(card, NUMBER) == PinWanted(card, 3)
    assert desk.link(card, NUMBER, given("0000")) == Stopped(Code.PIN_WRONG, {"count": "2"})
    assert bench.store.counts().waiting == 0
    assert isinstance(desk.link(card, NUMBER, given()), Linked)
    assert bench.store.counts().waiting == 1


def test_who_cannot_be_linked_anyway_is_not_asked_for_a_pin(
    bench: Bench, linked: IdentifiedCard
) -> None:
    stopped = visits(bench, PinPolicy.ALWAYS).link(linked, ServiceId("2802129999"))
    assert isinstance(stopped, Stopped)
    assert stopped.code is Code.LINK_DUPLICATE
    assert not any(command[1] == 0x20 for command in bench.commands)


def test_always_hands_nothing_over_before_the_pin(bench: Bench, linked: IdentifiedCard) -> None:
    desk = visits(bench, PinPolicy.ALWAYS)
    wanted = desk.lookup(handover=True)
    assert isinstance(wanted, PinWanted)
    assert (wanted.tries_left, bench.till.got) == (3, [])
    assert desk.lookup_with_pin(wanted.card, given("0000")) == Stopped(
        Code.PIN_WRONG, {"count": "2"}
    )
    assert bench.till.got == []
    found = desk.lookup_with_pin(wanted.card, given())
    assert isinstance(found, Found)
    assert found.assurance is Assurance.AUTHENTICATED
    assert bench.till.got == [NUMBER.text]


def test_a_look_up_with_its_pin_is_counted_once(bench: Bench, linked: IdentifiedCard) -> None:
    desk, before = visits(bench, PinPolicy.ALWAYS), bench.store.freshness().lookups
    wanted = desk.lookup(handover=True)
    assert isinstance(wanted, PinWanted)
    desk.lookup_with_pin(wanted.card, given())
    assert bench.store.freshness().lookups == before + 1


def test_who_is_not_linked_is_not_asked_for_a_pin(bench: Bench, card: IdentifiedCard) -> None:
    assert isinstance(visits(bench, PinPolicy.ALWAYS).lookup(handover=True), NotLinked)


# Where the digits go


def test_the_digits_stand_in_no_log_no_trace_and_no_repr(
    bench: Bench, card: IdentifiedCard, caplog: pytest.LogCaptureFixture
) -> None:
    lines: list[str] = []
    session = bench.reader.session

    @contextmanager
    def traced() -> Iterator[CardConnection]:
        with session() as connection:
            yield Traced(connection, lines.append)

    bench.reader.session = traced  # type: ignore[method-assign]  # everything is traced
    caplog.set_level(logging.DEBUG)
    what = given()
    told = [repr(what), repr(what.entry), str(what.entry), f"{what!r}"]
    outcomes = [
        visits(bench, PinPolicy.ON_LINK).link(card, NUMBER, what),
        prove(bench, card, given("0000")),
    ]
    everything = "\n".join([*lines, *told, *map(repr, outcomes), caplog.text])
    assert "00200080" in everything
    for trace in (RIGHT, RIGHT.encode().hex(), repr(RIGHT.encode()), str(list(RIGHT.encode()))):
        assert trace not in everything


def test_a_failing_card_raises_nothing_that_quotes_the_digits(
    bench: Bench, card: IdentifiedCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise RuntimeError("the driver broke")

    monkeypatch.setattr(bench.reader, "exchange", broken)
    what = given()
    with pytest.raises(RuntimeError) as caught:
        prove(bench, card, what)
    assert RIGHT not in repr(caught.value)
    assert what.entry is not None
    assert what.entry.count == 0
