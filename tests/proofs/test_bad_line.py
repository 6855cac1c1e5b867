"""A line that drops 30 % of the replies after the server did the work, between real processes.

It also loses and doubles requests, cuts them off in the body, cuts replies, and delays. Two counters
of one provider register through it at the same time; in the end each registration counts once.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.proofs.kills.victims import ROOT, Forker, environment, free_address
from tests.proofs.length import Figures, length, only_seed
from tests.proofs.world import add_provider, draw_code, enrol_counter, read_server

HERE = Path(__file__).parent / "line"
LOSS = 0.30
CLERKS = 2
SEED = 20261122
PEOPLE_APART = 100_000


@dataclass
class Site:
    """A server process, a line before it that turns bad, and the homes of counters behind it."""

    database: Path
    homes: list[Path]
    proxy: subprocess.Popen[str]

    def let_clerks_work(self, people: int, seed: int) -> list[dict[str, Any]]:
        """All at the same time, each until it is at rest; what each ended with."""
        clerks = []
        for number, home in enumerate(self.homes):
            first = PEOPLE_APART * (number + 1)
            words = (str(home), str(first), str(people), str(seed + number))
            clerks.append(start(HERE / "clerk.py", *words))
        return [json.loads(clerk.communicate()[0]) for clerk in clerks]


def start(program: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(program), *words],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(),
    )


def line_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The next thing that a process says."""
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    assert isinstance(said, dict)
    return said


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    database, address = tmp_path / "server.db", free_address()
    add_provider(database)
    with (tmp_path / "stderr").open("wb") as complaints:
        servers = Forker("server", "sound", complaints)
        servers.start("server", str(database), address, ready='{"url"')
        upstream = address.rsplit(":", 1)[1]
        proxy = start(HERE / "proxy.py", str(only_seed() or SEED), upstream, str(LOSS))
        url = f"http://127.0.0.1:{line_of(proxy)['port']}"
        homes = [tmp_path / f"counter{number}" for number in range(CLERKS)]
        for home in homes:
            good_line = httpx.HTTPTransport(verify=False)
            enrol_counter(home, url, draw_code(database), good_line)
        proxy.send_signal(signal.SIGUSR1)
        yield Site(database, homes, proxy)
        proxy.kill()
        proxy.communicate()
        servers.close()


def test_a_bad_line_loses_nothing_and_doubles_nothing(site: Site) -> None:
    figures = Figures("bad line")
    people, seed = length(short=40, long=2000), only_seed() or SEED
    ended = site.let_clerks_work(people, seed)
    # Once more, so that each has what the other sent last.
    ended_again = site.let_clerks_work(0, seed)
    site.proxy.send_signal(signal.SIGTERM)
    spoiled = line_of(site.proxy)
    server = read_server(site.database)
    expected = ended[0]["acknowledged"] | ended[1]["acknowledged"]
    figures.say(
        clerks=CLERKS,
        registered=CLERKS * people,
        rounds=sum(end["rounds"] for end in ended),
        failed=sum(end["failed"] for end in ended),
        requests=spoiled,
        seed=seed,
    )
    assert all(end["at_rest"] for end in [*ended, *ended_again])
    assert spoiled["reply dropped"] > 0
    assert sum(end["failed"] for end in ended) > 0  # it was a bad line
    assert server.faults == []
    assert server.service_ids == expected
    assert server.seq == server.applied
    assert len({(end["seq"], end["digest"]) for end in ended_again}) == 1
    assert ended_again[0]["seq"] == server.seq
