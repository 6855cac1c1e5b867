"""Proofs of large batches, made here and in a second process at once, so that two cores work.

The second process is a convenience: where it is not ready, has died, hangs or answers nonsense, the
same proofs are made here, and it is started anew after a pause. A push never fails for it.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from msgspec import msgpack

from mykey_server.proof_process import READY, proofs_of, receive, send
from mykey_server.services.cards import TrustedCards, cards_to_bytes
from mykey_server.services.proof import Proof
from mykey_server.services.prove import Job, Prove

SHARED_FROM_ITEMS = 16
"""Below, handing over costs more than it saves, and no process is started for it."""
PARTS_ALONE = 4
"""Of a job of which both make proofs. With fewer the one waits longer for the other, with more the
handing over costs more."""
GRACE_SECONDS = 0.001
STEP_SECONDS_MAX = 5.0
"""Of one step on the line; 100 items take 15 ms. Who is slower hangs, and is ended."""
START_SECONDS_MAX = 30.0
"""Until a started process is ready; half a second on a quiet machine. Nothing waits meanwhile."""
STOP_SECONDS_MAX = 2.0
PAUSE_FIRST_SECONDS = 1.0
PAUSE_SECONDS_MAX = 60.0
"""Between two starts when it fails again and again; doubled each time."""

logger = logging.getLogger("mykey_server")

_NOT_PASSED = ("MYKEY_", "PG")
_FAILURES = (OSError, EOFError, ValueError, msgspec.MsgspecError)
"""The line broke or is too slow, the process is gone, or what it says is no answer."""


@dataclass(slots=True)
class _Running:
    process: subprocess.Popen[bytes]
    line: socket.socket
    since: float
    is_ready: bool = False


class ProofProcess:
    """A second process for proofs, started when it is first wanted. Used by one thread at a time."""

    def __init__(
        self,
        cards: TrustedCards,
        *,
        now: Callable[[], float] = time.monotonic,
        step_seconds: float = STEP_SECONDS_MAX,
    ) -> None:
        self._cards = cards_to_bytes(cards)
        self._now = now
        self._step_seconds = step_seconds
        self._running: _Running | None = None
        self._failures = 0
        self._not_before = now()

    @property
    def pid(self) -> int | None:
        """Of the process that takes jobs now, None where there is none (yet)."""
        running = self._running
        return running.process.pid if running is not None and running.is_ready else None

    def prove(self, job: Job, *, here: Prove, alone: bool) -> list[Proof]:
        """The proofs of a job, in the order of its items; where it can be, made in the process.

        `alone`: nothing else has to be done here, so `here` makes proofs from the back while the
        process makes them from the front, and the quicker one makes more of them. `here` makes
        all that the process does not.
        """
        if self._ready() is None:
            return here(job)
        parts = _parts(job, PARTS_ALONE if alone else 1)
        front: list[Proof] = []
        back: list[Proof] = []
        while parts:
            given = parts.popleft()
            is_given = self._give(given)
            while is_given and parts and not self._has_answered():
                back = here(parts.pop()) + back
            made = self._answer(len(given.items)) if is_given else None
            front += here(given) if made is None else made
        return front + back

    def close(self) -> None:
        """End the process: it reads that the line is closed. Killed where it does not listen."""
        running, self._running = self._running, None
        if running is None:
            return
        running.line.close()
        try:
            running.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            _kill(running.process)

    def _give(self, job: Job) -> bool:
        """Whether the process has the job now."""
        if self._running is None:
            return False
        try:
            send(self._running.line, msgpack.encode(job))
        except _FAILURES:
            self._fail()
            return False
        return True

    def _has_answered(self) -> bool:
        """Whether it has, or will within a moment: its part began a little later than ours."""
        running = self._running
        return running is None or bool(select.select([running.line], [], [], GRACE_SECONDS)[0])

    def _answer(self, count: int) -> list[Proof] | None:
        """The proofs of what it was given, None where it does not answer as it should."""
        if self._running is None:
            return None
        try:
            made = proofs_of(receive(self._running.line), count)
        except _FAILURES:
            self._fail()
            return None
        self._failures = 0
        return made

    def _ready(self) -> _Running | None:
        """The process, where it can take a job now. Never waits."""
        if self._running is None and self._now() >= self._not_before:
            self._start()
        running = self._running
        if running is None or running.is_ready:
            return running
        if not select.select([running.line], [], [], 0)[0]:
            if self._now() - running.since > START_SECONDS_MAX:
                self._fail()
            return None
        try:
            running.is_ready = receive(running.line) == READY
        except _FAILURES:
            running.is_ready = False
        if not running.is_ready:
            self._fail()
            return None
        return running

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = subprocess.Popen(
                    # -P: no module is taken from the working directory.
                    [sys.executable, "-P", "-m", "mykey_server.proof_process"],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    env=_environment(),
                )
        except OSError:
            ours.close()
            self._pause()
            return
        ours.settimeout(self._step_seconds)
        self._running = _Running(process, ours, self._now())
        try:
            send(ours, self._cards)
        except _FAILURES:
            self._fail()

    def _fail(self) -> None:
        """End what does not answer as it should; the next large batch after a pause starts anew."""
        running, self._running = self._running, None
        if running is not None:
            running.line.close()
            _kill(running.process)
        self._pause()

    def _pause(self) -> None:
        pause = min(PAUSE_SECONDS_MAX, PAUSE_FIRST_SECONDS * 2**self._failures)
        self._failures += 1
        self._not_before = self._now() + pause
        logger.warning("the proof process failed; proofs are made without it for %g s", pause)


def _parts(job: Job, count: int) -> deque[Job]:
    """The job in at most `count` parts, in the order of its items."""
    size = max(1, -(-len(job.items) // count))
    return deque(
        msgspec.structs.replace(job, items=job.items[begin : begin + size])
        for begin in range(0, len(job.items), size)
    )


def _environment() -> dict[str, str]:
    """Ours without what a database's name and password may stand in."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_NOT_PASSED)}


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
