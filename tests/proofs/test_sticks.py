"""Random histories of sticks: lost, repeated, swapped, late. Each replays from its seed."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mykey_server.bundle import carry
from mykey_server.services import intake
from mykey_server.settings import Settings
from mykey_tui.store.tables import MutationState
from mykey_tui.sync.bundle import export_bundle, import_bundle
from mykey_tui.wire.bundle import open_bundle
from mykey_tui.wire.messages import PushReply, PushRequest
from tests.proofs.length import Figures, seeds
from tests.unit.sync.conftest import Counter, Site

STEPS = 60
PEOPLE = 8
"""Few, so that the counters meet at the same persons."""


@dataclass
class History:
    """Two counters, a server, and the files that lie about."""

    site: Site
    folder: Path
    chance: random.Random
    counters: list[Counter]
    acknowledged: list[list[tuple[int, str]]] = field(default_factory=lambda: [[], []])
    exports: list[tuple[int, Path]] = field(default_factory=list)
    replies: list[tuple[int, Path]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    number: int = 0

    def path(self, kind: str) -> Path:
        self.number += 1
        return self.folder / f"{self.number}.{kind}"

    def queue(self, which: int) -> None:
        person = self.chance.randrange(PEOPLE)
        if any(person == known for known, _ in self.acknowledged[which]):
            return  # one counter links one person once
        self.number += 1
        sid = f"S{which}{self.number:04}"
        self.counters[which].queue(person, sid)
        self.acknowledged[which].append((person, sid))
        self.log.append(f"queue {which} {person} {sid}")

    def export(self, which: int) -> None:
        path = self.path("export")
        with path.open("wb") as file:
            export_bundle(self.counters[which].store, file)
        self.exports.append((which, path))
        self.log.append(f"export {which} {path.name}")

    def carry(self, which: int, export: Path) -> None:
        reply = self.path("reply")
        carry(Settings(database=self.site.database), export, reply, clock=self.site.clock)
        self.replies.append((which, reply))
        self.log.append(f"carry {export.name} to {reply.name}")

    def take(self, which: int, reply: Path) -> None:
        with open_bundle(reply) as file:
            import_bundle(self.counters[which].store, file)
        self.log.append(f"take {which} {reply.name}")

    def step(self) -> None:
        self.site.clock.offset += timedelta(seconds=2)
        act = self.chance.choice(["queue", "queue", "export", "carry", "take", "take"])
        if act == "queue":
            self.queue(self.chance.randrange(2))
        elif act == "export":
            self.export(self.chance.randrange(2))
        elif act == "carry" and self.exports:
            self.carry(*self.chance.choice(self.exports))
        elif act == "take" and self.replies:
            self.take(*self.chance.choice(self.replies))

    def settle(self) -> None:
        """At last every counter's stick makes its way, twice."""
        for which in (0, 1, 0, 1):
            self.site.clock.offset += timedelta(seconds=2)
            self.export(which)
            self.carry(*self.exports[-1])
            self.take(*self.replies[-1])


def run(folder: Path, seed: int) -> None:
    """One history, and at its end all that must hold. Raises `AssertionError` with its steps."""
    folder.mkdir()
    site = Site(folder)
    try:
        scope = site.add_provider()
        counters = [site.enrol(scope), site.enrol(scope)]
        history = History(site, folder, random.Random(seed), counters)  # noqa: S311  # repeatable
        for _ in range(STEPS):
            history.step()
        history.settle()
        judge(history, f"MYKEY_SEED={seed}\n" + "\n".join(history.log))
    finally:
        site.close()


def judge(history: History, told: str) -> None:
    """Each person once at the server; each counter has its rows, and its conflicts, and no others."""
    rows = history.site.links()
    linked = {row["mykey_id"]: row["service_id"] for row in rows}
    assert len(linked) == len(rows), told
    wanted = {person for each in history.acknowledged for person, _ in each}
    assert len(linked) == len(wanted), told
    first = history.counters[0].store.progress().position
    for which, counter in enumerate(history.counters):
        assert counter.store.unsent() == 0, told
        known = counter.store.progress()
        assert known.position is not None, told
        assert known.position == first, told
        conflicts = {
            line.service_id.text
            for line in counter.store.queue()
            if line.state is MutationState.CONFLICT
        }
        for person, sid in history.acknowledged[which]:
            found = counter.finds(person)
            assert found in linked.values(), told
            assert (found == sid) is (sid not in conflicts), told


def test_whatever_happens_to_the_sticks_nothing_is_lost_and_nothing_doubled(
    tmp_path: Path,
) -> None:
    figures, done = Figures("sticks"), 0
    for seed in seeds(short=5, long=400):
        run(tmp_path / str(seed), seed)
        shutil.rmtree(tmp_path / str(seed))
        done += 1
    figures.say(histories=done, steps=done * STEPS)


def test_the_histories_find_a_server_that_says_yes_to_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The teeth: a server that says "applied" to a conflict is found out."""
    taken = intake.take

    def agreeable(*arguments: Any, request: PushRequest, **more: Any) -> PushReply:
        reply = taken(*arguments, request=request, **more)
        agreed = [msgspec.structs.replace(v, verdict="applied", kind=None) for v in reply.items]
        return msgspec.structs.replace(reply, items=agreed)

    monkeypatch.setattr(intake, "take", agreeable)
    with pytest.raises(AssertionError, match="MYKEY_SEED"):
        for seed in range(1, 20):
            run(tmp_path / str(seed), seed)
