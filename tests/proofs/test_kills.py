"""SIGKILL at any moment, at the counter and at the server: nothing lost, nothing counted twice.

Real processes and a real line; the server is the command that an operator starts. After every kill
both files are read. SIGKILL does not test the waiting for the disk; `test_power_cuts` does.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from mykey_tui.simulated.cards import make_card
from tests.proofs.kills.victims import GROWN, WHOLE_CHECK_EVERY, Scene, start_mykey
from tests.proofs.length import Figures, length, only_seed
from tests.proofs.server_file import read_server
from tests.proofs.world import person

SEED = 20261122
TEETH_KILLS_MAX = 150


@pytest.fixture
def scene_of(tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    scenes: list[Scene] = []

    def make(mutant: str = "sound") -> Scene:
        scenes.append(Scene(tmp_path / "scene", mutant))
        return scenes[-1]

    yield make
    for scene in scenes:
        scene.close()


def test_kills_lose_nothing_and_double_nothing(scene_of: Callable[..., Scene]) -> None:
    figures = Figures("kills")
    wanted, seed = length(short=60, long=10_000), only_seed() or SEED
    dice = Random(seed)  # noqa: S311  # chance, repeatable
    scene = scene_of()
    faults: list[str] = []
    begun_anew = 0
    while scene.kills < wanted and not faults:
        before = scene.kills
        scene.kill_once(dice)
        whole = scene.kills // WHOLE_CHECK_EVERY != before // WHOLE_CHECK_EVERY
        faults = scene.faults(whole=whole)
        if scene.kills - begun_anew >= GROWN and not faults:
            faults = scene.faults_at_rest()
            scene.begin_anew()
            begun_anew = scene.kills
    faults = faults or scene.faults_at_rest()
    figures.say(kills=scene.kills, acknowledged=scene.total, faults=len(faults), seed=seed)
    assert faults == []
    assert scene.total > wanted // 10  # otherwise little was at stake


def test_commands_that_are_killed_lose_nothing_and_double_nothing(
    scene_of: Callable[..., Scene], tmp_path: Path
) -> None:
    """The same with `mykey link` and `mykey sync` as a script starts them."""
    figures = Figures("killed commands")
    wanted, seed = length(short=2, long=200), only_seed() or SEED
    dice = Random(seed)  # noqa: S311  # chance, repeatable
    scene = scene_of()
    card = tmp_path / "card.json"
    usual = {"link": 1.5, "sync": 1.0}
    acknowledged: set[str] = set()
    for number in range(1, 2 * wanted + 1):
        is_link = number % 2 == 1
        make_card(person(number), at=datetime.now(UTC)).save(card)
        link = ("link", "--reader", f"emulator:{card}", "--service-id", f"S{number}", "--json")
        begun = time.monotonic()
        process = start_mykey(scene.home, *(link if is_link else ("sync", "--json")))
        if scene.kills < wanted:
            with suppress(subprocess.TimeoutExpired):
                process.wait(usual["link" if is_link else "sync"] * dice.uniform(0.4, 1.1))
            scene.kills += process.poll() is None
            process.kill()
        out, err = process.communicate(timeout=60)
        if out:
            usual["link" if is_link else "sync"] = time.monotonic() - begun
        if is_link and out:
            answer = json.loads(out)
            assert answer["code"] in ("S-OK", "S-QUEUED", "S-DUP"), out + err
            acknowledged.add(f"S{number}")
    faults = scene.faults_at_rest()
    figures.say(kills=scene.kills, acknowledged=len(acknowledged), faults=len(faults), seed=seed)
    assert faults == []
    assert acknowledged <= set(read_server(scene.database).service_ids.values())


@pytest.mark.parametrize(
    ("mutant", "fault"), [("early", "acknowledged and is lost"), ("forgetful", "counted twice")]
)
def test_a_wrong_program_is_caught(mutant: str, fault: str, scene_of: Callable[..., Scene]) -> None:
    """Teeth: a clerk who is told too early, and a server that decides a replay again."""
    scene = scene_of(mutant)
    dice = Random(SEED)  # noqa: S311  # chance, repeatable
    while scene.kills < TEETH_KILLS_MAX:
        scene.kill_once(dice)
        found = [one for one in scene.faults(whole=False) if fault in one]
        if found:
            print(f"{mutant}: after {scene.kills} kills: {found[0]}")  # noqa: T201
            return
    pytest.fail(f"{scene.kills} kills, and {mutant} was not caught")
