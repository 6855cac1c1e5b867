"""A counter and a server as processes that are killed, and what their files say afterwards."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import IO

import httpx

from tests.proofs.server_file import add_provider, draw_code, read_server
from tests.proofs.world import Counter, NoLine, damage_of_store, enrol_counter, person

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
GROWN = 200
"""Kills after which the files begin anew: the checks read all of them."""
WHOLE_CHECK_EVERY = 10
WINDOW, WINDOW_MAX = 0.060, 1.0
"""Seconds within which a victim is killed."""


def environment() -> dict[str, str]:
    """Nothing of the person's own counter."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "LANG": "C.UTF-8", "PYTHONPATH": os.pathsep.join((".", "server"))}


def free_address() -> str:
    """Below the range of outgoing connections, so that it stays free while the server is down."""
    for port in random.sample(range(20_000, 30_000), 50):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return f"127.0.0.1:{port}"
    raise OSError("no free port below the ephemeral range")


class Forker:
    """The warm process; one victim at a time."""

    def __init__(self, kind: str, mutant: str, complaints: IO[bytes]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "forker.py"), mutant, kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            cwd=ROOT,
            env=environment(),
        )
        self._pid: int | None = None
        self._until("warm")

    def start(self, *words: str, ready: str) -> list[str]:
        """Fork a victim and wait until it says that it is ready."""
        print(*words, file=_file(self._process.stdin), flush=True)
        said = self._until(ready)
        self._pid = next(int(line.split()[1]) for line in said if line.startswith("pid "))
        return said

    def kill(self) -> list[str]:
        """SIGKILL; returns all that the victim said since it was ready."""
        assert self._pid is not None
        os.kill(self._pid, signal.SIGKILL)
        self._pid = None
        return self._until("end")

    def close(self) -> None:
        if self._pid is not None:
            self.kill()
        _file(self._process.stdin).close()
        self._process.wait(10)
        _file(self._process.stdout).close()

    def _until(self, last: str) -> list[str]:
        said: list[str] = []
        pid_missing = last not in ("end", "warm")
        while not said or not said[-1].startswith(last) or pid_missing:
            line = _file(self._process.stdout).readline()
            assert line, f"the victim's process ended: {said}"
            said.append(line.rstrip("\n"))
            pid_missing = pid_missing and not said[-1].startswith("pid ")
            if not pid_missing and any(one.startswith(last) for one in said):
                break
        return said


def _file(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


@dataclass
class Scene:
    """A server, a counter, and all that was acknowledged between the kills."""

    folder: Path
    mutant: str = "sound"
    acknowledged: dict[int, tuple[str, int]] = field(default_factory=dict)
    """Operation and person, by number, since the files began anew."""
    total: int = 0
    kills: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self._window = WINDOW
        self._complaints = (self.folder.parent / "stderr").open("ab")
        self.address = free_address()
        self._counters = Forker("counter", self.mutant, self._complaints)
        self._servers = Forker("server", self.mutant, self._complaints)
        self._set_up()

    @property
    def home(self) -> Path:
        return self.folder / "counter"

    @property
    def database(self) -> Path:
        return self.folder / "server.db"

    def start_server(self) -> None:
        self._servers.start("server", str(self.database), self.address, ready='{"url"')

    def stop_server(self) -> None:
        self._servers.kill()

    def begin_anew(self) -> None:
        """Fresh files at the same address, and a counter that enrolled there."""
        self.stop_server()
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        self.acknowledged.clear()
        self._set_up()

    def _set_up(self) -> None:
        add_provider(self.database)
        self.start_server()
        code = draw_code(self.database)
        enrol_counter(self.home, f"http://{self.address}", code, httpx.HTTPTransport(verify=False))

    def kill_once(self, dice: Random) -> None:
        """Let the counter work for a while and kill it; now and then the server first."""
        self._counters.start("counter", str(self.home), str(dice.getrandbits(32)), ready="ready")
        time.sleep(dice.uniform(0.001, self._window))
        with_server = dice.random() < 0.2
        if with_server:
            self.stop_server()
            time.sleep(dice.uniform(0.0, 0.020))
        said = self._counters.kill()
        self.kills += 1 + with_server
        done = sum(line.startswith("done ") for line in said)
        # On a busy machine a victim needs longer to get to where a kill hurts.
        self._window = min(max(WINDOW, self._window * (0.8 if done > 1 else 1.25)), WINDOW_MAX)
        for line in said:
            if line.startswith("done "):
                _, op, mid, number = line.split()
                self.acknowledged[int(mid)] = (op, int(number))
                self.total += 1
        if with_server:
            self.start_server()

    def faults(self, *, whole: bool) -> list[str]:
        """Acknowledged, and neither at the counter nor at the server; or counted twice."""
        counter = Counter(self.home, NoLine())
        try:
            journal = {item.mid: item for item in counter.journal()}
            waiting = {item.mid for item in counter.waiting()}
        finally:
            counter.close()
        state = read_server(self.database)
        at_server = {mid for (_, _, mid) in state.verdicts}
        faults = [f"server: {fault}" for fault in state.faults]
        for mid, (op, number) in self.acknowledged.items():
            if mid not in waiting and mid not in at_server:
                faults.append(f"{op} {mid} was acknowledged and is lost")
            if mid in journal and journal[mid].sid != f"S{number}":
                faults.append(f"{mid} is another registration now")
        if state.seq != state.applied:
            faults.append(f"counted twice: {state.applied} applied, seq {state.seq}")
        if whole:
            faults += [f"counter: {line}" for line in damage_of_store(self.home)]
        return faults

    def faults_at_rest(self) -> list[str]:
        """After one round with nobody killed: each registration is in effect exactly once."""
        counter = Counter(self.home, httpx.HTTPTransport(verify=False))
        try:
            report = counter.sync()
            left = counter.waiting()
            expected: dict[str, str] = {}
            for item in counter.journal():
                cn = person(int(item.sid[1:]))
                if item.op == "link":
                    expected[cn] = item.sid
                else:
                    expected.pop(cn, None)
        finally:
            counter.close()
        faults = self.faults(whole=True)
        if left or report.digest != "match":
            faults.append(f"not at rest: {len(left)} waiting, digests {report.digest}")
        if read_server(self.database).service_ids != expected:
            faults.append("the server's links are not what was registered")
        return faults

    def close(self) -> None:
        self._counters.close()
        self._servers.close()
        self._complaints.close()


def start_mykey(home: Path, *arguments: str) -> subprocess.Popen[str]:
    """The counter's command as a script starts it."""
    return subprocess.Popen(
        [sys.executable, "-m", "mykey_tui.cli", "--home", str(home), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(),
    )
