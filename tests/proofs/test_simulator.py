"""Histories drawn from seeds, over real files and the real counter and server.

Whatever happens, at rest nothing acknowledged is lost, nothing is counted twice and all have the
same rows. A failure prints its seed: `MYKEY_SEED=N pytest tests/proofs/test_simulator.py -k lose`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.proofs.length import Figures, seeds
from tests.proofs.server_file import add_provider, give_known_keys
from tests.proofs.simulator.mutants import MUTANTS
from tests.proofs.simulator.run import ACTIONS_WITH_KEYS, run_all, run_all_at_once, run_history
from tests.proofs.simulator.wire import ViolationError

TEETH_HISTORIES_MAX = 40
MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of our own is made below it


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """In memory where there is such a folder: no power is cut here, so no disk is waited for."""
    below = MEMORY if MEMORY.is_dir() else tmp_path_factory.mktemp("histories")
    with TemporaryDirectory(prefix="mykey-histories-", dir=below) as made:
        yield Path(made)


@pytest.fixture(scope="module")
def template(folder: Path) -> Path:
    """The folder of a server with one provider, to be copied for every history."""
    made = folder / "template" / "server"
    made.mkdir(parents=True)
    add_provider(made / "server.db")
    give_known_keys(made / "server.db")
    return made


def test_no_history_loses_or_doubles_an_acknowledged_registration(
    template: Path, folder: Path
) -> None:
    figures = Figures("histories")
    drawn = seeds(short=25, long=1000)
    run = run_all_at_once if len(drawn) > 1 else run_all
    deeds = run(drawn, folder, template)
    figures.say(histories=len(drawn), first=drawn[0], last=drawn[-1], registrations=deeds)
    assert deeds > len(drawn)


def test_no_history_loses_a_registration_while_the_servers_keys_change(
    template: Path, folder: Path
) -> None:
    figures = Figures("histories with changes of keys")
    drawn = seeds(short=8, long=200)
    deeds = run_all_at_once(drawn, folder / "keys", template, ACTIONS_WITH_KEYS)
    figures.say(histories=len(drawn), first=drawn[0], last=drawn[-1], registrations=deeds)
    assert deeds > len(drawn)


def test_a_seed_tells_the_same_history_again(template: Path, folder: Path) -> None:
    told = [run_history(9, folder / f"again{turn}", template).told for turn in range(2)]
    assert told[0] == told[1]


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_program_is_found_out(name: str, template: Path, folder: Path) -> None:
    """Teeth: each of these rules, taken away, shows in some history as what it is."""
    mutant = MUTANTS[name]
    with mutant.bend(), pytest.raises(ViolationError, match=mutant.breaks) as found:
        run_all(range(1, 1 + TEETH_HISTORIES_MAX), folder / name, template, mutant.actions)
    print(f"{name}: {found.value}")  # noqa: T201
