"""The issue's proof: restarts and pulled cards under the running desk, and the next tap works."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import monotonic, sleep
from typing import Any

import pytest

from mykey_tui.card.connection import ReaderState
from mykey_tui.domain.codes import Code
from mykey_tui.flows.desk_events import CardTaken, ReaderIs
from mykey_tui.flows.outcomes import NotLinked, Stopped
from mykey_tui.reader.card_file import CardFile, Fault, FaultName
from tests.pcscd.counter import DeskAtWork, desk_at_work
from tests.pcscd.private_pcscd import SLOTS, PrivatePcscd
from tests.proofs.length import Figures, length, only_seed

pytestmark = pytest.mark.pcscd
Lay = Callable[..., Any]
APDUS = 10
"""A certificate takes eight or nine commands; a later one never comes, and the read succeeds."""

THREADS_SECONDS = 3.0
"""A thread that was used to look at the slot may still be on its way out."""


@pytest.fixture
def seed() -> Iterator[int]:
    drawn = only_seed() or random.SystemRandom().randrange(1_000_000)
    print(f"MYKEY_SEED={drawn}")  # noqa: T201  # shown when the test fails
    yield drawn


def wait_for(at_work: DeskAtWork, state: ReaderState) -> None:
    while at_work.until(ReaderIs).state is not state:
        pass


def next_tap_works(at_work: DeskAtWork, lay: Lay, card: CardFile, slot: int = 0) -> float:
    """Lay a card; it must be read and answered. Seconds until it was."""
    begun = monotonic()
    with lay(card, slot):
        outcome = at_work.answer()
        spent = monotonic() - begun
        assert isinstance(outcome, NotLinked), outcome
        assert outcome.card.der == card.files[0x000A]
    at_work.until(CardTaken)
    return spent


def test_the_next_tap_works_after_every_restart_of_the_service(
    pcscd: PrivatePcscd,
    lay: Lay,
    card: CardFile,
    tmp_path: Path,
    seed: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    chance, figures = random.Random(seed), Figures("pcscd restarted")  # noqa: S311  # a test's dice
    restarts, back, threads = length(short=3, long=20), [], threading.active_count()
    with desk_at_work(tmp_path / "home") as at_work:
        next_tap_works(at_work, lay, card)
        for _ in range(restarts):
            pcscd.stop(kill=chance.random() < 0.5)
            wait_for(at_work, ReaderState.NO_SERVICE)
            pcscd.start()
            begun = monotonic()
            wait_for(at_work, ReaderState.READY)
            back.append(monotonic() - begun)
            next_tap_works(at_work, lay, card)
        health = at_work.desk.reader_health
        assert health.service_lost == health.context_renewed == restarts
        assert health.watcher_replaced == health.worker_given_up == 0
        deadline = monotonic() + THREADS_SECONDS
        while threading.active_count() > threads + 2:  # The desk and its watcher.
            assert monotonic() < deadline, threading.enumerate()
            sleep(0.05)
    assert capfd.readouterr().err == ""
    with capfd.disabled():
        figures.say(
            seed=seed,
            restarts=restarts,
            ready_again_median_seconds=round(median(back), 2),
            ready_again_max_seconds=round(max(back), 2),
        )


def test_the_next_tap_works_after_every_pulled_card(
    lay: Lay, card: CardFile, tmp_path: Path, seed: int, capfd: pytest.CaptureFixture[str]
) -> None:
    figures, pulls = Figures("card pulled"), length(short=20, long=200)
    with ThreadPoolExecutor(len(SLOTS)) as both:
        jobs = [
            both.submit(pull_on, slot, pulls // 2, random.Random(seed + slot), lay, card, tmp_path)  # noqa: S311  # a test's dice
            for slot in range(len(SLOTS))
        ]
        spent = [seconds for job in jobs for seconds in job.result()]
    assert len(spent) == pulls
    assert capfd.readouterr().err == ""
    with capfd.disabled():
        figures.say(
            seed=seed,
            pulls=pulls,
            next_tap_median_seconds=round(median(spent), 2),
            next_tap_max_seconds=round(max(spent), 2),
        )


def pull_on(
    slot: int, pulls: int, chance: random.Random, lay: Lay, card: CardFile, folder: Path
) -> list[float]:
    """Pull a card that often on this slot; seconds from each next card to its answer."""
    spent = []
    with desk_at_work(folder / f"home-{slot}", SLOTS[slot][1]) as at_work:
        for _ in range(pulls):
            position = chance.randint(1, APDUS)
            fault = Fault(FaultName.REMOVED_DURING_READ, at=position)
            with lay(replace(card, fault=fault), slot):
                outcome = at_work.answer()
                if position < APDUS - 1:
                    assert outcome == Stopped(Code.CARD_REMOVED), f"pulled at command {position}"
            at_work.until(CardTaken)
            spent.append(next_tap_works(at_work, lay, card, slot))
        assert at_work.till.got == []
    return spent


@contextmanager
def frozen(pcscd: PrivatePcscd) -> Iterator[None]:
    pcscd.freeze()
    try:
        yield
    finally:
        pcscd.thaw()


def test_a_card_that_hangs_in_the_real_service_is_given_up_and_the_next_tap_works(
    lay: Lay, card: CardFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mykey_tui.reader.card_session.CALL_SECONDS", 0.8)
    with desk_at_work(tmp_path / "home") as at_work:
        with lay(replace(card, fault=Fault(FaultName.HANG, at=4, seconds=60))):
            assert at_work.answer() == Stopped(Code.CARD_SLOW)
            assert at_work.desk.reader_health.still_out == 1
        at_work.until(CardTaken)
        next_tap_works(at_work, lay, card)
        health = at_work.desk.reader_health
        assert (health.worker_given_up, health.still_out) == (1, 0)


def test_a_service_that_stands_still_is_told_and_survived(
    pcscd: PrivatePcscd,
    lay: Lay,
    card: CardFile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mykey_tui.reader.looker.LOOK_SECONDS", 0.5)
    monkeypatch.setattr("mykey_tui.reader.watch.BEAT_LATE_SECONDS", 1.5)
    with desk_at_work(tmp_path / "home") as at_work:
        next_tap_works(at_work, lay, card)
        with frozen(pcscd):
            wait_for(at_work, ReaderState.NO_SERVICE)
            assert not at_work.desk.reader_health.alive
        wait_for(at_work, ReaderState.READY)
        next_tap_works(at_work, lay, card)
        assert at_work.desk.reader_health.watcher_replaced >= 1
