"""Two counters of two providers, the server stopped, processes killed, and then reconciled."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mykey_tui.simulated.cards import make_card

WORKER = Path(__file__).with_name("link_worker.py")
LINKS_BY_COMMAND = 12
LINKS_BY_WORKERS = 100
TRIES_MAX = 20
"""A link that is never acknowledged is a failure, not a reason to go on for ever."""


def kill_within(process: subprocess.Popen[str], seconds: float) -> None:
    """SIGKILL after so long, unless the process has ended by itself."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()


def test_links_made_by_commands_with_kills_in_between_reach_the_server_once_each(
    site: Any, enrolled: Any, commands: Any, lay: Any, bytes_of_home: Any, knows_service_id: Any
) -> None:
    homes = [enrolled(0), enrolled(1)]
    site.stop()
    dice = random.Random(20161122)  # noqa: S311  # chance, repeatable
    expected = []
    usual_seconds = 3.0
    for number in range(LINKS_BY_COMMAND):
        counter = number % 2
        cn = f"MANUAL{number:08d}99999{number:03d}A"
        service_id = f"{'AB'[counter]}{number:05d}"
        reader = lay(make_card(cn, at=datetime.now(UTC)))
        for attempt in range(TRIES_MAX):
            begun = time.monotonic()
            process = commands.start_mykey(
                homes[counter], "link", "--reader", reader, "--service-id", service_id, "--json"
            )
            # Every other link meets a SIGKILL at a random moment of its first attempt.
            if attempt == 0 and number % 4 < 2:
                kill_within(process, dice.uniform(0.5, 1.0) * usual_seconds)
            out, err = process.communicate()
            if not out:
                continue
            usual_seconds = time.monotonic() - begun
            answer = json.loads(out)
            assert answer["code"] in ("S-QUEUED", "S-DUP"), out + err
            expected.append((cn, commands.PROVIDERS[counter][0], service_id))
            break
        else:
            pytest.fail("a link was never acknowledged")
    site.start()
    for home in homes:
        answer = commands.mykey(home, "sync", "--json")
        assert answer.exit_code == 0, answer.out + answer.err
        assert answer.json["digest"] == "match"
    ours = [link for link in site.links() if link[0].startswith("MANUAL")]
    assert sorted(ours) == sorted(expected)
    assert_apart(homes, expected, commands.PROVIDERS, bytes_of_home, knows_service_id)


def test_a_hundred_links_and_a_dozen_kills_lose_nothing_and_double_nothing(
    site: Any, enrolled: Any, commands: Any, bytes_of_home: Any, knows_service_id: Any
) -> None:
    homes = [enrolled(0), enrolled(1)]
    site.stop()
    dice = random.Random(33)  # noqa: S311  # chance, repeatable
    expected = []
    for counter, home in enumerate(homes):
        acknowledged = run_workers(home, "AB"[counter], counter, dice, commands.environment())
        assert acknowledged == set(range(first_of(counter), last_of(counter) + 1))
        expected += [
            (
                f"VOLUME{number:08d}99999{number % 1000:03d}A",
                commands.PROVIDERS[counter][0],
                f"{'AB'[counter]}{number:06d}",
            )
            for number in sorted(acknowledged)
        ]
    site.start()
    for home in homes:
        answer = commands.mykey(home, "sync", "--json")
        assert answer.exit_code == 0, answer.out + answer.err
        assert (answer.json["waiting"], answer.json["digest"]) == (0, "match")
        again = commands.mykey(home, "sync", "--json")
        assert (again.json["pushed"], again.json["digest"]) == (0, "match")
    ours = [link for link in site.links() if link[0].startswith("VOLUME")]
    assert sorted(ours) == sorted(expected)
    assert_apart(homes, expected, commands.PROVIDERS, bytes_of_home, knows_service_id)


def first_of(counter: int) -> int:
    return counter * LINKS_BY_WORKERS // 2


def last_of(counter: int) -> int:
    return first_of(counter) + LINKS_BY_WORKERS // 2 - 1


def run_workers(home: Any, prefix: Any, counter: Any, dice: Any, environment: Any) -> set[int]:
    """Start the worker again and again, killing it after a few links, until all are acknowledged."""
    acknowledged: set[int] = set()
    for _ in range(TRIES_MAX):
        wanted = sorted(set(range(first_of(counter), last_of(counter) + 1)) - acknowledged)
        if not wanted:
            return acknowledged
        process = subprocess.Popen(
            [sys.executable, str(WORKER), str(home), prefix, str(wanted[0]), str(wanted[-1])],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert process.stdout is not None
        # Killed somewhere inside the link that follows the N-th acknowledged one.
        for _ in range(dice.randint(1, 14)):
            line = process.stdout.readline()
            if not line:
                break
            acknowledged.add(int(line))
        time.sleep(dice.uniform(0, 0.02))
        process.kill()
        rest, _ = process.communicate()
        acknowledged |= {int(line) for line in rest.splitlines()}
    return acknowledged


def assert_apart(
    homes: Any, expected: Any, providers: Any, bytes_of_home: Any, knows_service_id: Any
) -> None:
    """Each counter has its own provider's rows, nothing of the other's, and no MyKey ID."""
    for counter, home in enumerate(homes):
        content = bytes_of_home(home)
        for cn, provider_id, service_id in expected:
            assert cn[:14].encode() not in content
            assert service_id.encode() not in content
            assert knows_service_id(home, service_id) == (provider_id == providers[counter][0])
