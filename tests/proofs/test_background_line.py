"""The background thread on the bad line of `test_bad_line`: rounds, polls between them, back-off.

Two counters work at the same time in processes of their own. What they register counts once, each has
what the other sent and what the operator did, within a bounded time, and an outage costs few requests.
In the short version the thread's own waits are 240 times as short.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.proofs.length import Figures, is_soak, length, only_seed
from tests.proofs.line.site import Clerk, Site, ask, bad_line, said_by
from tests.proofs.server_file import operate, read_server, split_cn
from tests.proofs.world import person

SEED = 20261122
SPEED = 1.0 if is_soak() else 240.0
NOTICED_WITHIN = 3600.0 if is_soak() else 60.0
"""Of a bad line: a round of five requests comes through it once in eighteen tries."""
OUTAGE_SECONDS = 120.0 if is_soak() else 2.0
STRANGER = "T1"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with bad_line(tmp_path, only_seed() or SEED) as site:
        yield site


def requests_max(seconds: float, speed: float) -> float:
    """In an outage, of all counters: some at once, and then fewer and fewer (`backoff_seconds`)."""
    minutes = seconds * speed / 60
    return 2 * (10 + 6 * minutes)


def test_in_the_background_nothing_is_lost_and_news_arrive(site: Site) -> None:
    figures = Figures("background on a bad line")
    people, seed = length(short=15, long=500), only_seed() or SEED
    clerks = site.start_clerks("background_clerk.py", people, seed, str(SPEED))
    for clerk in clerks:
        assert said_by(clerk) == {"registered": people}
    sent = all_say(clerks, "sent", NOTICED_WITHIN)
    seen = all_say(clerks, "at", read_server(site.database).seq, NOTICED_WITHIN)
    lost_card = next(iter(read_server(site.database).service_ids))
    operate(site.database, "suspend", *split_cn(lost_card))
    suspended = all_say(clerks, "suspended", lost_card, NOTICED_WITHIN)
    site.toggle_outage()
    time.sleep(OUTAGE_SECONDS)
    site.toggle_outage()
    late = answer_of(clerks[0], "link", person(1), STRANGER, NOTICED_WITHIN)
    seen += all_say(clerks, "at", read_server(site.database).seq, NOTICED_WITHIN)
    ended = [end(clerk) for clerk in clerks]
    spoiled, server = site.end_line(), read_server(site.database)
    figures.say(
        registered=len(clerks) * people + 1, speed=SPEED, sent=sent, seen=seen,
        suspended=suspended, after_outage=late, requests=spoiled,
        polls=[each["asked"].get("poll", 0) for each in ended], seed=seed,
    )  # fmt: skip
    assert None not in [*sent, *seen, *suspended, late]
    assert server.faults == []
    assert server.service_ids == ended[0]["acknowledged"] | ended[1]["acknowledged"]
    assert server.seq == server.applied
    assert {each["digest"] for each in ended} == {server.digest.hex()}
    assert all(each["asked"]["poll"] > 0 for each in ended)
    assert spoiled["reply dropped"] > 0
    assert 0 < spoiled["outage"] <= requests_max(OUTAGE_SECONDS, SPEED)


def test_a_thread_that_does_not_wait_is_seen(site: Site) -> None:
    """Teeth: without back-off an outage is a storm of requests."""
    site.toggle_outage()
    clerks = site.start_clerks("background_clerk.py", 1, SEED, "1000000")
    for clerk in clerks:
        assert said_by(clerk) == {"registered": 1}
    assert all_say(clerks, "sent", OUTAGE_SECONDS) == [None, None]
    for clerk in clerks:
        end(clerk)
    assert site.end_line()["outage"] > requests_max(OUTAGE_SECONDS, SPEED)


def all_say(clerks: list[Clerk], *words: object) -> list[float | None]:
    """Asked at the same time."""
    for clerk in clerks:
        ask(clerk, *words)
    return [said_by(clerk)["seconds"] for clerk in clerks]


def answer_of(clerk: Clerk, *words: object) -> float | None:
    return all_say([clerk], *words)[0]


def end(clerk: Clerk) -> dict[str, Any]:
    assert clerk.stdin is not None
    clerk.stdin.close()
    said = said_by(clerk)
    clerk.wait(10)
    assert clerk.stdout is not None
    clerk.stdout.close()
    return said
