"""Whatever people do with cards and keys: no try is lost that nobody meant to use, no wrong link."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from mykey_tui.domain.assurance import PinPolicy
from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import ServiceId
from mykey_tui.flows.outcomes import IdentifiedCard, Linked, PinWanted, Stopped
from mykey_tui.flows.pin import authenticate
from mykey_tui.flows.pin_entry import PinEntry, PinGiven
from mykey_tui.reader.card_file import CardFile, CardPin, Fault, FaultName
from tests.unit.flows.conftest import OTHER, PAPER, Bench

VERIFY = bytes.fromhex("0020008004")
NUMBER = ServiceId("2802121234")
STEPS = 40
TYPED = ("1234", "1234", "0000", "", "12", "9999")


def given(digits: str, *, allow_last_try: bool = False) -> PinGiven:
    entry = PinEntry()
    for digit in digits:
        entry.press(digit)
    return PinGiven(entry, allow_last_try=allow_last_try)


def lay(bench: Bench, rng: random.Random, tries: int) -> None:
    """The person's card in some state, or another one."""
    card = bench.card(rng.choice((PAPER, PAPER, PAPER, OTHER)))
    faults = (None, None, Fault(FaultName.REMOVED_DURING_READ, at=rng.randint(1, 20)))
    pins = {**card.pins, 0x0018: CardPin("1234", tries)}
    bench.reader.insert(replace(card, pins=pins, fault=rng.choice(faults)))


@pytest.mark.parametrize("seed", range(3))
def test_no_more_verifies_than_attempts_and_none_for_the_last_try_unasked(
    bench: Bench, seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311  # a history, not a secret
    card = bench.identified(PAPER)
    attempts = 0
    for step in range(STEPS):
        where = f"seed {seed}, step {step}"
        tries, digits = rng.randint(0, 3), rng.choice(TYPED)
        if rng.random() < 0.7:
            lay(bench, rng, tries)
        else:
            bench.reader.remove()
        bench.commands.clear()
        what = given(digits, allow_last_try=rng.random() < 0.3)
        outcome = authenticate(bench.reader, bench.judge, card, what, b"test")
        attempts += 1
        sent = [command for command in bench.commands if command.startswith(VERIFY)]
        assert len(sent) <= 1, where
        assert all(len(command) == len(VERIFY) + 4 for command in sent), where
        if sent:
            assert len(digits) == 4, where
            assert tries >= 2 or (tries == 1 and what.allow_last_try), where
        assert what.entry is not None
        assert what.entry.count == 0, where
        if isinstance(outcome, IdentifiedCard):
            assert (digits, len(sent)) == ("1234", 1), where
    assert attempts == STEPS


def test_the_property_would_see_a_second_verify(bench: Bench) -> None:
    """Teeth: two attempts with one cleared log are two VERIFYs."""
    card = bench.identified(PAPER)
    bench.commands.clear()
    for _ in range(2):
        authenticate(bench.reader, bench.judge, card, given("0000"), b"test")
    assert sum(command.startswith(VERIFY) for command in bench.commands) == 2


def test_a_swap_at_any_command_links_nobody(bench: Bench) -> None:
    """Threat T5, with the PIN: another card at every single command of step 3."""
    desk = replace(bench.visits, pin=PinPolicy.ON_LINK)
    card = bench.identified(PAPER)
    bench.commands.clear()
    assert isinstance(desk.unlink(card), PinWanted)
    proven = authenticate(bench.reader, bench.judge, card, given("1234"), b"test")
    assert isinstance(proven, IdentifiedCard)
    commands = len(bench.commands)
    assert commands > 10
    for position in range(1, commands + 1):
        bench.lay(PAPER)
        bench.commands.clear()
        other = bench.card(OTHER)

        def swap(number: int, position: int = position, other: CardFile = other) -> None:
            if number == position:
                bench.hook.clear()
                bench.reader.insert(other)

        bench.hook.append(swap)
        outcome = desk.link(card, NUMBER, given("1234"))
        if isinstance(outcome, Linked):  # The swap came after the last command of this card.
            assert bench.hook, position
            break
        assert isinstance(outcome, Stopped), position
        assert outcome.code in (Code.CARD_REMOVED, Code.CARD_SWAPPED), position
        assert bench.store.counts().waiting == 0, position
    bench.hook.clear()
