"""What all requests share: the file, the server's identity, the anchors, the one writer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Engine

from mykey_server.database import DatabaseError, open_database, reading
from mykey_server.migrations import migrate
from mykey_server.parts import Parts
from mykey_server.problem import ProblemError
from mykey_server.rate import DeviceBuckets
from mykey_server.services.cards import TrustedCards
from mykey_server.services.site import Site, open_site
from mykey_server.settings import Settings
from mykey_server.tables.allowed import columns_not_allowed
from mykey_server.waiting import Waiters
from mykey_tui.domain.clock import Clock
from mykey_tui.wire.problems import ProblemType

WRITES_WAITING_MAX = 64
"""A write takes milliseconds; a longer queue is a flood, and is told to come back (503)."""

_Result = TypeVar("_Result")


class Core:
    """Opened once per process, shared by all requests.

    Reads run inline: a hand-over to a thread costs more than a short SQLite read. Writes run one
    after the other in a thread of their own, so that opening seals and waiting for the disk never
    hold up a read.
    """

    def __init__(
        self, *, engine: Engine, site: Site, cards: TrustedCards, settings: Settings, clock: Clock
    ) -> None:
        self.engine = engine
        self.site = site
        self.cards = cards
        self.settings = settings
        self.clock = clock
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")
        self._waiting = 0
        self.waiters = Waiters()
        self.parts = Parts()
        self.buckets = DeviceBuckets()

    async def write(self, work: Callable[[], _Result]) -> _Result:
        """Run `work` in the writer's thread. Raises `ProblemError` (`BUSY`) when too many wait."""
        if self._waiting >= WRITES_WAITING_MAX:
            raise ProblemError(ProblemType.BUSY)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._writer, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Finish the writes under way and let the file go."""
        self._writer.shutdown()
        self.engine.dispose()


def open_core(settings: Settings, clock: Clock) -> Core:
    """Open the file (made and migrated on first use), and compare its columns with the list.

    Raises:
        DatabaseError: the file cannot be used, or has a column that nobody allowed.
    """
    engine = open_database(settings.database)
    migrate(engine)
    with reading(engine) as connection:
        strangers = columns_not_allowed(connection)
    if strangers:
        raise DatabaseError("columns that are not on the list: " + ", ".join(strangers))
    return Core(
        engine=engine,
        site=open_site(engine),
        cards=TrustedCards.load(settings.anchors),
        settings=settings,
        clock=clock,
    )
