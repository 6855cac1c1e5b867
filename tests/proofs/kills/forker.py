"""Keeps a warm process that forks a victim for each line on standard input.

    counter HOME SEED    registers and reconciles until it is killed
    server DATABASE ADDRESS   serves until it is killed

Says `pid N` before a victim's own words and `end` once it is gone. Imports take a second, a fork
takes milliseconds: only so are there thousands of kills.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from random import Random

import httpx

import mykey_server.serve  # noqa: F401  # imported before the fork, for the children's sake
from mykey_server.cli import run
from mykey_tui.domain.errors import MyKeyError
from tests.proofs.kills.mutants import MUTANTS
from tests.proofs.world import Counter, certificate, person

PEOPLE = 600
"""Whose cards are made before the first fork; a child makes what it needs beyond."""
REGISTRATIONS_MAX = 2000  # should nobody kill it


def say(text: str) -> None:
    """One whole line: a pipe never tears one that is shorter than a page."""
    os.write(1, text.encode() + b"\n")


def be_counter(home: Path, seed: int) -> None:
    """A clerk who registers one person after another, and a timer that reconciles now and then.

    Nobody is unlinked whose link still waits: each item that is applied then moves the scope's seq
    by exactly one, and counting twice shows.
    """
    dice = Random(seed)  # noqa: S311  # chance, repeatable
    counter = Counter(home, httpx.HTTPTransport(verify=False))
    answered, following = so_far(counter)
    say("ready")
    for number in range(following, following + REGISTRATIONS_MAX):
        mid = counter.register("link", person(number), f"S{number}")
        say(f"done link {mid} {number}")
        if answered and dice.random() < 0.2:
            gone = answered.pop(dice.randrange(len(answered)))
            mid = counter.register("unlink", person(gone), f"S{gone}")
            say(f"done unlink {mid} {gone}")
        if dice.random() < 0.5:
            # No line, or a server that was killed: the queue keeps it.
            with suppress(MyKeyError):
                counter.sync()


def so_far(counter: Counter) -> tuple[list[int], int]:
    """Who is linked, as the server has answered, and the next person's number."""
    waiting = {item.mid for item in counter.waiting()}
    journal = counter.journal()
    numbers = {item.mid: int(item.sid[1:]) for item in journal}
    unlinked = {numbers[item.mid] for item in journal if item.op == "unlink"}
    linked = {n for mid, n in numbers.items() if mid not in waiting} - unlinked
    return sorted(linked), max(numbers.values(), default=0) + 1


def be_server(database: str, address: str) -> None:
    """The real command."""
    sys.exit(run(["serve", "--db", database, "--listen", address]))


def main() -> None:
    mutant = sys.argv[1]
    with MUTANTS[mutant]():
        for number in range(1, 1 + PEOPLE if sys.argv[2] == "counter" else 1):
            certificate(person(number))
        say("warm")
        for line in sys.stdin:
            what, first, second = line.split()
            child = os.fork()
            if child == 0:
                if what == "counter":
                    be_counter(Path(first), int(second))
                else:
                    be_server(first, second)
                os._exit(0)
            say(f"pid {child}")
            os.waitpid(child, 0)
            say("end")


if __name__ == "__main__":
    main()
