"""What all requests share: the database, the server's identity, the anchors, the writers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from sqlalchemy import Engine

from mykey_server.database import DatabaseError, is_embedded, open_database, reading
from mykey_server.migrations import prepare
from mykey_server.parts import Parts
from mykey_server.problem import ProblemError
from mykey_server.proofs import SHARED_FROM_ITEMS, ProofProcess
from mykey_server.rate import DeviceBuckets
from mykey_server.services.cards import TrustedCards
from mykey_server.services.history import watch_history
from mykey_server.services.proof import Proof
from mykey_server.services.prove import Job, prove
from mykey_server.services.site import Site, open_site
from mykey_server.settings import Settings
from mykey_server.tables.allowed import columns_not_allowed
from mykey_server.waiting import Waiters
from mykey_tui.domain.clock import Clock
from mykey_tui.wire.problems import ProblemType

WRITERS = 4
"""Of one process on PostgreSQL; those of one scope wait for each other all the same."""
WRITES_WAITING_MAX = 64
"""A write takes milliseconds; a longer queue is a flood, and is told to come back (503)."""

_First = TypeVar("_First")
_Result = TypeVar("_Result")


class Core:
    """Opened once per process, shared by all requests.

    Reads run inline: a hand-over to a thread costs more than a short read. Writes run in threads
    of their own, so that opening seals and waiting for the disk never hold up a read: in one on
    SQLite, where there can be no second writer, in a few on PostgreSQL. A large push is proved in
    one more, which shares the work with the proof process, where there is one.
    """

    def __init__(
        self, *, engine: Engine, site: Site, cards: TrustedCards, settings: Settings, clock: Clock
    ) -> None:
        self.engine = engine
        self.site = site
        self.cards = cards
        self.settings = settings
        self.clock = clock
        self._writers = ThreadPoolExecutor(
            max_workers=1 if is_embedded(engine) else WRITERS, thread_name_prefix="writer"
        )
        self._provers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prover")
        self.proofs = ProofProcess(cards) if settings.proof_processes else None
        self._waiting = 0
        self.waiters = Waiters()
        self.parts = Parts()
        self.buckets = DeviceBuckets()

    async def write(self, work: Callable[[], _Result]) -> _Result:
        """Run `work` in a writer's thread. Raises `ProblemError` (`BUSY`) when too many wait."""
        with self._in_line():
            return await _run(self._writers, work)

    async def prove_and_write(
        self, first: Callable[[], _First], work: Callable[[_First], _Result]
    ) -> _Result:
        """Run `first` in the prover's thread, then `work` on its result in a writer's.

        So one push is proved while the one before it is written. Raises as `write` does.
        """
        with self._in_line():
            return await _run(self._writers, partial(work, await _run(self._provers, first)))

    def prove(self, job: Job) -> list[Proof]:
        """The proofs of a job, made here and now."""
        return prove(job, self.cards)

    def prove_shared(self, job: Job) -> list[Proof]:
        """The same, with the help of the proof process. For the prover's thread alone.

        A push that is alone is proved from both ends. While others wait the process gets all of
        it: this process has them to read and to write.
        """
        if (
            self.proofs is None or len(job.items) < SHARED_FROM_ITEMS
        ):  # Of a replay nothing is left.
            return self.prove(job)
        return self.proofs.prove(job, here=self.prove, alone=self._waiting == 1)

    def close(self) -> None:
        """Finish the writes under way, end the proof process, and let the database go."""
        self._provers.shutdown()
        self._writers.shutdown()
        if self.proofs is not None:
            self.proofs.close()
        self.engine.dispose()

    @contextmanager
    def _in_line(self) -> Iterator[None]:
        if self._waiting >= WRITES_WAITING_MAX:
            raise ProblemError(ProblemType.BUSY)
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1


async def _run(threads: Executor, work: Callable[[], _Result]) -> _Result:
    return await asyncio.get_running_loop().run_in_executor(threads, work)


def open_core(settings: Settings, clock: Clock) -> Core:
    """Open the database and compare its columns with the list.

    A file is made and migrated on first use.

    Raises:
        DatabaseError: the database cannot be used, is not at this program's schema, or has a
            column that nobody allowed.
    """
    engine = open_database(settings.database)
    try:
        return _checked(engine, settings, clock)
    except BaseException:
        engine.dispose()
        raise


def _checked(engine: Engine, settings: Settings, clock: Clock) -> Core:
    prepare(engine)
    with reading(engine) as connection:
        strangers = columns_not_allowed(connection)
    if strangers:
        raise DatabaseError("columns that are not on the list: " + ", ".join(strangers))
    open_site(engine)  # Draws it in a new database, so that there is an epoch to compare.
    watch_history(engine)
    return Core(
        engine=engine,
        site=open_site(engine),
        cards=TrustedCards.load(settings.anchors),
        settings=settings,
        clock=clock,
    )
