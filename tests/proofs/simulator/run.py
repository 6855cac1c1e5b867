"""Runs one history from its seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from tests.proofs.simulator import disks, operator
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
    disks.clone_disk: 2,
}
"""What may happen, and how often against the others."""


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
