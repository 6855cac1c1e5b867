"""A server process, a line before it that turns bad, and the homes of counters behind it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx

from tests.proofs.kills.victims import ROOT, Forker, environment, free_address
from tests.proofs.server_file import add_provider, draw_code
from tests.proofs.world import enrol_counter

HERE = Path(__file__).parent
LOSS = 0.30
CLERKS = 2
PEOPLE_APART = 100_000


@dataclass
class Site:
    """What runs, and the files it runs on."""

    database: Path
    homes: list[Path]
    proxy: subprocess.Popen[str]

    def start_clerks(self, program: str, people: int, seed: int, *words: str) -> list[Clerk]:
        """All at the same time, each with people of its own."""
        clerks = []
        for number, home in enumerate(self.homes):
            first = PEOPLE_APART * (number + 1)
            own = (str(home), str(first), str(people), str(seed + number))
            clerks.append(start(HERE / program, *own, *words))
        return clerks

    def toggle_outage(self) -> None:
        """Nothing gets through any more, or again what the bad line lets through."""
        self.proxy.send_signal(signal.SIGUSR2)

    def end_line(self) -> dict[str, int]:
        """What the line did to how many requests."""
        self.proxy.send_signal(signal.SIGTERM)
        done: dict[str, int] = said_by(self.proxy)
        return done


Clerk = subprocess.Popen[str]


def start(program: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(program), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(),
    )


def said_by(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The next thing that a process says."""
    said = json.loads(_pipe(process.stdout).readline())
    assert isinstance(said, dict)
    return said


def ask(process: subprocess.Popen[str], *words: object) -> None:
    print(*words, file=_pipe(process.stdin), flush=True)


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


@contextmanager
def bad_line(folder: Path, seed: int) -> Iterator[Site]:
    """Everything enrolled; from here on the line is bad."""
    database, address = folder / "server.db", free_address()
    add_provider(database)
    with (folder / "stderr").open("wb") as complaints:
        servers = Forker("server", "sound", complaints)
        servers.start("server", str(database), address, ready='{"url"')
        upstream = address.rsplit(":", 1)[1]
        proxy = start(HERE / "proxy.py", str(seed), upstream, str(LOSS))
        try:
            url = f"http://127.0.0.1:{said_by(proxy)['port']}"
            homes = [folder / f"counter{number}" for number in range(CLERKS)]
            for home in homes:
                good_line = httpx.HTTPTransport(verify=False)
                enrol_counter(home, url, draw_code(database), good_line)
            proxy.send_signal(signal.SIGUSR1)
            yield Site(database, homes, proxy)
        finally:
            proxy.kill()
            proxy.communicate()
            servers.close()
