"""A counter as a process: registers people, and reconciles on a bad line until it is at rest.

    clerk.py HOME FIRST COUNT SEED

Prints what it ended with: `{"rounds", "failed", "seq", "digest", "acknowledged"}`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import Random

import httpx

from mykey_tui.domain.errors import MyKeyError
from mykey_tui.store.tables import MutationState
from tests.proofs.world import Counter, person

ROUNDS_MAX = 300


def main(home: Path, first: int, count: int, seed: int) -> None:
    dice = Random(seed)  # noqa: S311  # chance, repeatable
    counter = Counter(home, httpx.HTTPTransport(verify=False))
    failed = rounds = 0
    acknowledged: dict[str, str] = {}
    left = list(range(first, first + count))
    at_rest = False
    while (left or not at_rest) and rounds < ROUNDS_MAX:
        for number in left[: dice.randint(0, 6)]:
            counter.register("link", person(number), f"S{number}")
            acknowledged[person(number)] = f"S{number}"
            left.remove(number)
        waiting = {item.sid for item in counter.waiting()}
        answered = sorted(cn for cn, sid in acknowledged.items() if sid not in waiting)
        if answered and dice.random() < 0.3:
            cn = dice.choice(answered)
            counter.register("unlink", cn, acknowledged.pop(cn))
        rounds += 1
        try:
            report = counter.sync()
        except MyKeyError:
            failed += 1
            at_rest = False
        else:
            at_rest = not counter.waiting() and report.digest == "match"
        for line in counter.store.queue():
            if line.state is MutationState.PARKED:
                counter.store.retry(line.mid)
    known = counter.store.progress()
    result = {
        "rounds": rounds,
        "failed": failed,
        "at_rest": at_rest,
        "seq": known.cursor,
        "digest": known.digest.hex(),
        "acknowledged": acknowledged,
    }
    print(json.dumps(result))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
