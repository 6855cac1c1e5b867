"""A million malformed answers and certificates against the real reading, judging and asking.

Whatever a card sends: no error but the product's own, no certificate accepted whose signed part is
not the one the CA signed, no command outside of those that are allowed, an end after a bounded
number of them, one PIN at most. A failure prints its case: `MYKEY_SEED=N pytest
tests/proofs/test_fuzz.py -k promise`.
"""

from __future__ import annotations

import pytest

from tests.proofs.fuzz.cards import COMMANDS_MAX, ViolationError
from tests.proofs.fuzz.cases import draw, perform
from tests.proofs.fuzz.mutants import MUTANTS
from tests.proofs.fuzz.run import CASE_MS, run_at_once, run_cases
from tests.proofs.length import Figures, is_soak, seeds

TEETH_CASES_MAX = 20_000
REACHED = (
    "certificate accepted", "certificate C-FORM", "certificate C-ISSUER", "certificate C-FORGED",
    "certificate C-EXPIRED", "certificate C-NOTYET", "certificate C-USAGE", "certificate C-POLICY",
    "read identified", "read C-READ", "read C-FORM", "read C-NEXT", "read C-PHONE", "read C-OTHER",
    "read C-REMOVED", "pin C-PROOF", "pin C-PINLAST", "pin C-PINLOCK", "pin C-SWAP", "pin C-PHONE",
    "pin C-PINWRONG", "point card number", "point card text", "head head", "response answer",
)  # fmt: skip
"""What some case must come to: a fuzz whose cases all fail at the first check shows nothing."""


def test_no_card_and_no_certificate_makes_it_break_a_promise() -> None:
    figures = Figures("fuzz")
    drawn = seeds(short=16_000, long=1_000_000)
    tally = run_at_once(drawn) if is_soak() else run_cases(drawn)
    figures.say(
        cases=tally.kinds.total(), first=drawn[0], last=drawn[-1], kinds=dict(tally.kinds),
        accepted=tally.outcomes["certificate accepted"], identified=tally.outcomes["read identified"],
        commands_max=tally.commands_max, p99_ms=tally.p99_ms(),
        max_ms=max(tally.microseconds) / 1000, run_again=tally.run_again,
        longest_ms=round(tally.longest_ms, 2), longest_case=tally.longest_case,
    )  # fmt: skip
    assert tally.longest_ms < CASE_MS, f"case {tally.longest_case}"
    assert tally.commands_max <= COMMANDS_MAX
    if len(drawn) > 1:
        assert [name for name in REACHED if not tally.outcomes[name]] == []


def test_a_number_tells_the_same_case_again() -> None:
    numbers = range(1, 300)
    assert run_cases(numbers).outcomes == run_cases(numbers).outcomes


@pytest.mark.parametrize("name", MUTANTS)
def test_a_program_without_one_check_is_found_out(name: str) -> None:
    mutant = MUTANTS[name]
    with mutant.bend(), pytest.raises(ViolationError, match=mutant.breaks) as found:
        run_cases(range(1, 1 + TEETH_CASES_MAX))
    print(f"{name}: {found.value}")  # noqa: T201
    number = int(str(found.value).split()[1].rstrip(":"))
    perform(draw(number))
