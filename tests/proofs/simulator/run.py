"""Runs histories from their seeds: one here, many in as many processes as there are processors."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeAlias

from tests.proofs.simulator import disks, operator, upgrades
from tests.proofs.simulator.history import History
from tests.proofs.simulator.rest import check_at_rest, come_to_rest
from tests.proofs.simulator.tools import ending, small_pages

STEPS = 40

Action: TypeAlias = Callable[[History], None]

ACTIONS: dict[Action, int] = {
    History.register: 26,
    History.remove: 6,
    History.decide_conflict: 4,
    History.reconcile: 26,
    History.reconcile_without_pull: 4,
    History.reconcile_across: 4,
    History.reconcile_and_crash: 10,
    History.reconcile_with_trouble: 4,
    History.reconcile_stuck: 4,
    History.restart_counter: 2,
    History.jump: 3,
    operator.restart_server: 1,
    operator.suspend: 5,
    operator.renew: 3,
    operator.compact: 4,
    operator.back_up: 6,
    operator.roll_back: 4,
    operator.roll_back_in_a_round: 2,
    operator.release: 1,
    disks.copy_disk: 4,
    disks.restore_disk: 5,
    disks.restore_what_was_sent: 2,
    disks.clone_disk: 2,
    upgrades.upgrade_counter: 4,
    upgrades.upgrade_server: 1,
}
"""What may happen, and how often against the others."""


ACTIONS_WITH_KEYS: dict[Action, int] = {
    **{action: often for action, often in ACTIONS.items() if action is not upgrades.upgrade_server},
    operator.change_keys: 8,
}
"""The same, and the server's own keys change. Not with a file that is made old: it has no room for
keys that followed others."""


def run_history(
    seed: int, folder: Path, template: Path, actions: Mapping[Action, int] = ACTIONS
) -> History:
    """Everything from the seed. Says the seed, and what had happened, where it fails."""
    history = History(seed, folder, template)
    try:
        with ending(history), small_pages():
            try:
                for _ in range(STEPS):
                    action = history.dice.choices(list(actions), list(actions.values()))[0]
                    action(history)
                come_to_rest(history)
                check_at_rest(history)
            except BaseException:
                print(f"seed {seed}, after:", *history.told, sep="\n  ")  # noqa: T201
                raise
    finally:
        history.close()
    return history


def run_all(
    seeds: Sequence[int], folder: Path, template: Path, actions: Mapping[Action, int] = ACTIONS
) -> int:
    """How many registrations there were in all. Files of a history that held are removed."""
    return sum(_run_and_remove(seed, folder, template, actions) for seed in seeds)


def run_all_at_once(
    seeds: Sequence[int], folder: Path, template: Path, actions: Mapping[Action, int] = ACTIONS
) -> int:
    """The same, several histories at a time. The first failure ends it."""
    work = partial(_run_and_remove, folder=folder, template=template, actions=actions)
    fresh = multiprocessing.get_context("spawn")  # threads do not survive a fork
    with ProcessPoolExecutor(min(os.cpu_count() or 1, len(seeds)), fresh) as pool:
        return sum(pool.map(work, seeds))


def _run_and_remove(seed: int, folder: Path, template: Path, actions: Mapping[Action, int]) -> int:
    deeds = len(run_history(seed, folder / str(seed), template, actions).deeds)
    shutil.rmtree(folder / str(seed))
    return deeds
