"""The power goes at any moment: every acknowledged registration and every told verdict is there.

The real registration and the real intake run under a logger of every write (`powercut/logger.c`);
disks are then made from the log as a cut would leave them, and opened with the real code.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter as Tally
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.proofs.length import Figures, is_soak, length, only_seed
from tests.proofs.powercut.judge import faults_of
from tests.proofs.powercut.replay import BlindLogError, Disk, Operation, images, read_log

HERE = Path(__file__).parent / "powercut"
REGISTRATIONS = 260
"""Enough for several checkpoints of both files."""
IMAGES_OF_A_RUN = 1000
TEETH_IMAGES_MAX = 400
TEETH_REGISTRATIONS = 120
SEED = 20261122


@pytest.fixture(scope="session")
def logger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("logger") / "logger.so"
    command = ["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*command, "-o", str(library), str(HERE / "logger.c"), "-ldl"], check=True)
    return library


def run_worker(
    logger: Path, folder: Path, *, seed: int, mode: str = "full", registrations: int = REGISTRATIONS
) -> list[Operation]:
    """Let the worker register and reconcile under the logger; return all that it did to its files."""
    disk, log = folder / "disk", folder / "log"
    disk.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join((".", "server")),
        "LD_PRELOAD": str(logger),
        "MYKEY_CUT_WATCH": str(disk),
        "MYKEY_CUT_LOG": str(log),
    }
    worker = str(HERE / "worker.py")
    command = [sys.executable, worker, str(disk), str(registrations), str(seed), mode]
    subprocess.run(command, check=True, env=environment, cwd=HERE.parents[2], timeout=300)
    return read_log(log)


@pytest.fixture(scope="module")
def run(logger: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Operation]]:
    folder = tmp_path_factory.mktemp("power")
    return folder, run_worker(logger, folder, seed=SEED)


def test_the_log_ends_in_the_very_files_that_the_program_left(
    run: tuple[Path, list[Operation]],
) -> None:
    """The canary: had one write escaped the logger, a file would differ from its replay."""
    folder, operations = run
    assert differing(folder / "disk", operations) == []
    done = Tally(operation.kind for operation in operations)
    assert done["S"] > REGISTRATIONS  # at least one for each acknowledged transaction
    assert done["A"] > 2 * REGISTRATIONS


def test_the_canary_sees_a_single_write_that_the_log_lacks(
    run: tuple[Path, list[Operation]],
) -> None:
    folder, operations = run
    last = max(n for n, operation in enumerate(operations) if operation.kind == "W")
    assert differing(folder / "disk", [*operations[:last], *operations[last + 1 :]]) != []


def test_a_log_that_could_not_follow_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"E\0" + bytes(8) + (7).to_bytes(4, "little") + b"pwritev")
    with pytest.raises(BlindLogError, match="pwritev"):
        read_log(log)


def test_a_power_cut_loses_nothing_that_was_acknowledged(
    run: tuple[Path, list[Operation]], logger: Path, tmp_path: Path
) -> None:
    figures = Figures("power cuts")
    count = length(short=150, long=10_000)
    seeds = [SEED] if only_seed() is None else [only_seed() or 0]
    if is_soak():
        seeds = [SEED + n for n in range(-(-count // IMAGES_OF_A_RUN))]
    faults: list[str] = []
    opened = syncs = 0
    for seed in seeds:
        operations = run[1]
        if seed != SEED:
            (tmp_path / str(seed)).mkdir()
            operations = run_worker(logger, tmp_path / str(seed), seed=seed)
        syncs += sum(operation.kind == "S" for operation in operations)
        for image in images(operations, seed, min(count - opened, IMAGES_OF_A_RUN)):
            faults += [f"{image.name}: {fault}" for fault in faults_of(image, tmp_path / "image")]
            opened += 1
    figures.say(images=opened, workers=len(seeds), syncs=syncs, faults=len(faults))
    assert opened == count
    assert faults == []


@pytest.mark.parametrize("mode", ["normal", "off", "delete"])
def test_a_store_that_does_not_wait_for_the_disk_is_caught(
    mode: str, logger: Path, tmp_path: Path
) -> None:
    """Teeth: `synchronous` NORMAL and OFF, and the rollback journal whose removal nobody syncs."""
    operations = run_worker(
        logger, tmp_path, seed=SEED, mode=mode, registrations=TEETH_REGISTRATIONS
    )
    for number, image in enumerate(images(operations, SEED, TEETH_IMAGES_MAX)):
        lost = [fault for fault in faults_of(image, tmp_path / "image") if "is lost" in fault]
        if lost:
            print(f"{mode}: image {number}: {lost[0]}")  # noqa: T201
            return
    pytest.fail(f"{TEETH_IMAGES_MAX} images, and no registration was lost with {mode}")


def differing(disk: Path, operations: Sequence[Operation]) -> list[str]:
    """Files that are not what the log makes of them. The index of a WAL is not logged."""
    replayed = Disk()
    for operation in operations:
        if operation.kind != "A":
            replayed.take(operation)
    made = replayed.now()
    real = {
        str(path.relative_to(disk)): path.read_bytes()
        for path in disk.rglob("*")
        if path.is_file() and not path.name.endswith("-shm")
    }
    return sorted(path for path in made.keys() | real.keys() if made.get(path) != real.get(path))
