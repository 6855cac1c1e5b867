"""Runs cases and counts: here, or in as many processes as there are processors."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from tests.proofs.fuzz.cards import ViolationError
from tests.proofs.fuzz.cases import Case, draw, outcome_of, perform

CASE_MS = 5.0
"""Of processor time; that of the scripted card is taken off."""
TRIES = 10
"""A case above it is run again, the same one: the shortest time is what it needs. The rest is the
machine's (a page fault, another guest of the host), which process time does not leave out."""
_CHUNK = 5000
_WARM_UP = 200


@dataclass
class Tally:
    """What was counted. `microseconds` counts the cases by what each took the first time."""

    outcomes: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    microseconds: Counter[int] = field(default_factory=Counter)
    run_again: int = 0
    longest_ms: float = 0.0
    """By the shortest of a case's runs."""
    longest_case: int = 0
    commands_max: int = 0

    def add(self, other: Tally) -> None:
        """Count what another process counted as well."""
        self.outcomes.update(other.outcomes)
        self.kinds.update(other.kinds)
        self.microseconds.update(other.microseconds)
        self.run_again += other.run_again
        self.commands_max = max(self.commands_max, other.commands_max)
        if other.longest_ms > self.longest_ms:
            self.longest_ms, self.longest_case = other.longest_ms, other.longest_case

    def p99_ms(self) -> float:
        """What 99 of 100 cases did not exceed."""
        left = round(self.microseconds.total() * 0.01)
        for took in sorted(self.microseconds, reverse=True):
            left -= self.microseconds[took]
            if left < 0:
                return took / 1000
        return 0.0


def run_cases(numbers: Sequence[int]) -> Tally:
    """Raises `ViolationError`, or whatever the product raised, with the case's number."""
    for number in range(_WARM_UP):  # What is read once, and remembered, is not the case's.
        with suppress(Exception):  # Those that fail do so when they are counted.
            perform(draw(number))
    tally = Tally()
    for number in numbers:
        _run(number, tally)
    return tally


def run_at_once(numbers: Sequence[int]) -> Tally:
    """The same in several processes. The first failure ends it."""
    chunks = [numbers[at : at + _CHUNK] for at in range(0, len(numbers), _CHUNK)]
    fresh = multiprocessing.get_context("spawn")  # threads do not survive a fork
    tally = Tally()
    with ProcessPoolExecutor(min(os.cpu_count() or 1, len(chunks)), fresh) as pool:
        for counted in pool.map(run_cases, chunks):
            tally.add(counted)
    return tally


def _run(number: int, tally: Tally) -> None:
    case = draw(number)
    try:
        took, made = _timed(case)
        outcome = outcome_of(case, made)
    except ViolationError as error:
        raise ViolationError(f"case {number}: {error}") from error
    except Exception as error:
        raise ViolationError(f"case {number}: {type(error).__name__} came out: {error}") from error
    tally.kinds[case.kind] += 1
    tally.outcomes[f"{case.kind} {outcome}"] += 1
    tally.microseconds[took // 1000] += 1
    if case.card is not None:
        tally.commands_max = max(tally.commands_max, case.card.commands)
    milliseconds = took / 1e6
    if milliseconds > CASE_MS:
        tally.run_again += 1
        milliseconds = min(milliseconds, *(_again(number) for _ in range(TRIES - 1)))
    if milliseconds > tally.longest_ms:
        tally.longest_ms, tally.longest_case = milliseconds, number


def _again(number: int) -> float:
    took, _ = _timed(draw(number))
    return took / 1e6


def _timed(case: Case) -> tuple[int, object]:
    """Nanoseconds of processor time that the product took, and what it made of the case."""
    begun = time.process_time_ns()
    made = perform(case)
    took = time.process_time_ns() - begun
    return took - (case.card.own_ns if case.card else 0), made
