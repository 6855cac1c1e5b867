"""Histories drawn from seeds, over real files and the real counter and server.

Whatever happens, at rest nothing acknowledged is lost, nothing is counted twice and all have the
same rows. A failure prints its seed: `MYKEY_SEED=N pytest tests/proofs/test_simulator.py -k lose`.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.proofs.length import Figures, seeds
from tests.proofs.simulator.mutants import MUTANTS
from tests.proofs.simulator.run import run_history
from tests.proofs.simulator.wire import ViolationError
from tests.proofs.world import add_provider

TEETH_HISTORIES_MAX = 40


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a server with one provider, to be copied for every history."""
    folder = tmp_path_factory.mktemp("template") / "server"
    folder.mkdir()
    add_provider(folder / "server.db")
    return folder


def run_all(drawn: Sequence[int], folder: Path, template: Path, **options: Any) -> int:
    """How many registrations there were in all. Files of a history that held are removed."""
    deeds = 0
    for seed in drawn:
        deeds += len(run_history(seed, folder / str(seed), template, **options).deeds)
        shutil.rmtree(folder / str(seed))
    return deeds


def test_no_history_loses_or_doubles_an_acknowledged_registration(
    template: Path, tmp_path: Path
) -> None:
    figures = Figures("histories")
    drawn = seeds(short=25, long=1000)
    deeds = run_all(drawn, tmp_path, template)
    figures.say(histories=len(drawn), first=drawn[0], last=drawn[-1], registrations=deeds)
    assert deeds > len(drawn)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_program_is_found_out(name: str, template: Path, tmp_path: Path) -> None:
    """Teeth: each of these rules, taken away, shows in some history."""
    mutant = MUTANTS[name]
    with mutant.bend(), pytest.raises(ViolationError) as found:
        run_all(range(1, 1 + TEETH_HISTORIES_MAX), tmp_path, template, actions=mutant.actions)
    print(f"{name}: {found.value}")  # noqa: T201
