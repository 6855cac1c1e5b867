"""A line that drops 30 % of the replies after the server did the work, between real processes.

It also loses and doubles requests, cuts them off in the body, cuts replies, and delays. Two counters
of one provider register through it at the same time; in the end each registration counts once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.proofs.length import Figures, length, only_seed
from tests.proofs.line.site import CLERKS, Site, bad_line
from tests.proofs.server_file import read_server

SEED = 20261122


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with bad_line(tmp_path, only_seed() or SEED) as site:
        yield site


def let_clerks_work(site: Site, people: int, seed: int) -> list[dict[str, Any]]:
    """All at the same time, each until it is at rest; what each ended with."""
    clerks = site.start_clerks("clerk.py", people, seed)
    return [json.loads(clerk.communicate()[0]) for clerk in clerks]


def test_a_bad_line_loses_nothing_and_doubles_nothing(site: Site) -> None:
    figures = Figures("bad line")
    people, seed = length(short=40, long=2000), only_seed() or SEED
    ended = let_clerks_work(site, people, seed)
    # Once more, so that each has what the other sent last.
    ended_again = let_clerks_work(site, 0, seed)
    spoiled = site.end_line()
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
