"""Where the time of a pushed item goes: the same batches inside this process, without HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy import Engine, PoolProxiedConnection, event

from mykey_server.core import Core, open_core
from mykey_server.database import reading
from mykey_server.proofs import ProofProcess
from mykey_server.services import intake
from mykey_server.services.proof import Proof
from mykey_server.services.prove import Job
from mykey_server.services.terminals import find_terminal
from mykey_server.settings import Settings, parse_database
from mykey_tui.domain.clock import SystemClock
from mykey_tui.trust.certificate import parse_certificate
from mykey_tui.wire.messages import PushItem, PushReply, PushRequest
from mykey_tui.wire.seal import context_of, open_seal

READY_SECONDS = 3.0
"""Until a proof process surely takes jobs."""


def split_of(database: Path | str, device_id: str, batches: list[PushRequest]) -> dict[str, Any]:
    """Microseconds per item; `batches` are of this counter, and new to the database.

    `all` is made in this process alone, and is the sum of the three that follow it. `processor` is
    what of it was spent here and not in waiting: on a machine that others use too, it is the figure
    to compare. Of the proofs, the seals and the judging of certificates are shown by themselves,
    and then what the same proofs take with a proof process.
    """
    core = open_core(Settings(database=parse_database(str(database))), SystemClock())
    with reading(core.engine) as connection:
        terminal = find_terminal(connection, device_id)
    if terminal is None:
        raise ValueError("the counter is not enrolled")
    jobs: list[Job] = []
    in_proofs = [0.0]

    def timed_proofs(job: Job) -> list[Proof]:
        jobs.append(job)
        begun = time.perf_counter()
        proofs = core.prove(job)
        in_proofs[0] += time.perf_counter() - begun
        return proofs

    take = partial(intake.take, core.engine, core.site, timed_proofs, terminal=terminal)
    take(request=batches[0], now=datetime.now(UTC))
    in_proofs[0] = 0.0
    with _inside_the_database(core.engine) as in_database:
        begun, processor = time.perf_counter(), time.process_time()
        replies = [take(request=batch, now=datetime.now(UTC)) for batch in batches[1:]]
        total, processor = time.perf_counter() - begun, time.process_time() - processor
    _check(replies)
    parts = {
        "all": total,
        "proofs": in_proofs[0],
        "database": in_database[0],
        "decisions_and_the_rest": total - in_proofs[0] - in_database[0],
        "processor": processor,
        **_of_the_proofs(core, jobs[1:]),
    }
    core.close()
    count = sum(len(batch.items) for batch in batches[1:])
    return {name: round(1e6 * spent / count, 1) for name, spent in parts.items()}


def _of_the_proofs(core: Core, jobs: list[Job]) -> dict[str, float]:
    items = [(job, item) for job in jobs for item in job.items]
    opened = []
    seal_key = X25519PrivateKey.from_private_bytes(jobs[0].seal_keys[0])

    def open_all() -> None:
        for job, item in items:
            context = _context(job, item)
            opened.append(open_seal(item.sealed, private_key=seal_key, context=context))

    def judge_all() -> None:
        for (job, _), link in zip(items, opened, strict=True):
            certificate = parse_certificate(link.certificate)
            core.cards.believe(certificate, profile=job.profile, at=job.at)

    seals, certificates = _timed(open_all), _timed(judge_all)
    process = ProofProcess(core.cards)
    process.prove(jobs[0], here=core.prove, alone=False)
    time.sleep(READY_SECONDS)

    def prove_all(*, alone: bool) -> None:
        for job in jobs:
            process.prove(job, here=core.prove, alone=alone)

    both = _timed(lambda: prove_all(alone=True))
    here = time.process_time()
    given = _timed(lambda: prove_all(alone=False))
    here = time.process_time() - here
    if process.pid is None:
        raise ValueError("the proof process was not there")
    process.close()
    return {
        "of_the_proofs_seals": seals,
        "of_the_proofs_certificates": certificates,
        "proofs_from_both_ends": both,
        "proofs_given_to_the_proof_process": given,
        "processor_here_while_given": here,
    }


def _context(job: Job, item: PushItem) -> bytes:
    return context_of(item, device=job.device, incarnation=job.incarnation, scope=job.scope)


def _check(replies: list[PushReply]) -> None:
    if any(item.verdict != "applied" for reply in replies for item in reply.items):
        raise ValueError("not every item was applied")


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


@contextmanager
def _inside_the_database(engine: Engine) -> Iterator[list[float]]:
    """Seconds spent in the driver: statements and commits."""
    spent, begun = [0.0], [0.0]

    def before(*_: object) -> None:
        begun[0] = time.perf_counter()

    def after(*_: object) -> None:
        spent[0] += time.perf_counter() - begun[0]

    commit = engine.dialect.do_commit

    def timed_commit(connection: PoolProxiedConnection) -> None:
        spent[0] += _timed(lambda: commit(connection))

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    with patch.object(engine.dialect, "do_commit", timed_commit):
        yield spent
