"""What all requests share: the database, the server's identity, the anchors, the writers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Engine

from mykey_server.database import DatabaseError, is_embedded, open_database, reading
from mykey_server.migrations import prepare
from mykey_server.parts import Parts
from mykey_server.problem import ProblemError
from mykey_server.rate import DeviceBuckets
from mykey_server.services.cards import TrustedCards
from mykey_server.services.history import watch_history
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

_Result = TypeVar("_Result")


class Core:
    """Opened once per process, shared by all requests.

    Reads run inline: a hand-over to a thread costs more than a short read. Writes run in threads
    of their own, so that opening seals and waiting for the disk never hold up a read: in one on
    SQLite, where there can be no second writer, in a few on PostgreSQL.
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
        self._waiting = 0
        self.waiters = Waiters()
        self.parts = Parts()
        self.buckets = DeviceBuckets()

    async def write(self, work: Callable[[], _Result]) -> _Result:
        """Run `work` in a writer's thread. Raises `ProblemError` (`BUSY`) when too many wait."""
        if self._waiting >= WRITES_WAITING_MAX:
            raise ProblemError(ProblemType.BUSY)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._writers, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Finish the writes under way and let the database go."""
        self._writers.shutdown()
        self.engine.dispose()


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
