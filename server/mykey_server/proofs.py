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

    def prove(self, job: Job, *, here: Prove, share: float) -> list[Proof]:
        """The proofs of a job, in the order of its items: the process makes the first `share`.

        `here` makes the rest meanwhile, and all of them where the process is not there.
        """
        running = self._ready()
        count = round(len(job.items) * share)
        if running is None or count == 0:
            return here(job)
        given = msgspec.structs.replace(job, items=job.items[:count])
        kept = msgspec.structs.replace(job, items=job.items[count:])
        try:
            send(running.line, msgpack.encode(given))
        except _FAILURES:
            self._fail()
            return here(job)
        rest = here(kept) if kept.items else []
        try:
            made = proofs_of(receive(running.line), count)
        except _FAILURES:
            self._fail()
            made = here(given)
        else:
            self._failures = 0
        return made + rest

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


def _environment() -> dict[str, str]:
    """Ours without what a database's name and password may stand in."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_NOT_PASSED)}


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
