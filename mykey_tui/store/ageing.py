"""The age of the rows and the count of look-ups, kept on disk beside the progress.

The rules are in `store.freshness`; this is where they meet the file.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection, Engine
from sqlmodel import col

from mykey_tui.domain.clock import Clock
from mykey_tui.domain.errors import StoreError
from mykey_tui.store import progress
from mykey_tui.store.base import StoreBase
from mykey_tui.store.engine import reading, writing
from mykey_tui.store.freshness import (
    AGE_NOTED_EVERY_SECONDS,
    CLOCK_DOUBT_SECONDS,
    STALENESS_DEFAULT,
    Ageing,
    BootTime,
    Freshness,
    age_now,
    is_clock_doubtful,
    within_ceilings,
)
from mykey_tui.store.home import Home
from mykey_tui.store.identity import Identity
from mykey_tui.store.load_progress import load_progress
from mykey_tui.store.tables import StoredProgress
from mykey_tui.wire.messages import Staleness

LOOKUPS_NOTED_EVERY = 20


def start_anew(connection: Connection, *, wall: datetime, boot: BootTime) -> None:
    """Every change was received: the age is 0 and no look-up has been made since.

    The floor follows also where it was ahead: these rows are fresh, whatever a wrong clock had said.
    """
    now = int(wall.timestamp())
    progress.change(
        connection,
        synced_at=now,
        time_floor=now,
        age_noted=0.0,
        age_boot=boot.boot,
        age_boot_seconds=boot.seconds,
        lookups=0,
    )


class AgeingStore(StoreBase):
    """The part of `CounterStore` that knows how fresh the rows are."""

    def __init__(
        self,
        home: Home,
        engine: Engine,
        identity: Identity,
        clock: Clock,
        boot_time: Callable[[], BootTime],
    ) -> None:
        super().__init__(home, engine, identity, clock, boot_time)
        self._ageing_lock = threading.Lock()
        self._uncounted = 0
        self._uncounted_since: int | None = None
        self._unwritten: tuple[int, Ageing] | None = None

    def close(self) -> None:
        """Write down what was counted, and let go of the file.

        A command makes one look-up and ends: without this the count's ceiling would never come.
        """
        with self._ageing_lock:
            number, since = self._uncounted, self._uncounted_since
            self._uncounted = 0
        if number:
            with suppress(StoreError):  # a disk that takes nothing; closing goes on
                self._write_lookups(number, since)
        super().close()

    def freshness(self) -> Freshness:
        """How fresh the rows are, now. Costs one small read; writes at most every five minutes.

        A disk that takes nothing does not stop it: then the age is kept in memory until it does.
        """
        with reading(self._engine) as connection:
            row = progress.row_of(connection)
            loading = load_progress(connection)
        wall = self._clock.now().timestamp()
        with self._ageing_lock:
            waiting = self._uncounted if self._uncounted_since == row.synced_at else 0
        return Freshness(
            age_seconds=None if row.synced_at is None else self._age(row, row.synced_at, wall),
            lookups=row.lookups + waiting,
            clock_doubt=is_clock_doubtful(wall, max(row.synced_at or 0, row.time_floor or 0)),
            staleness=_staleness(row),
            loading=loading,
            rows=row.rows,
        )

    def pull_age_seconds(self) -> float | None:
        """Seconds since the last complete pull, as in `freshness`; None when there was none."""
        return self.freshness().age_seconds

    def count_lookup(self) -> None:
        """Count a look-up: a bare number since the last complete pull, with no time and no person.

        It is written to disk once in `LOOKUPS_NOTED_EVERY` and at `close`, so that a process that
        dies loses at most 19 of its own. A disk that takes nothing loses none while the process lives.
        """
        with reading(self._engine) as connection:
            synced_at = progress.row_of(connection).synced_at
        with self._ageing_lock:
            if self._uncounted_since != synced_at:
                self._uncounted, self._uncounted_since = 0, synced_at
            self._uncounted += 1
            if self._uncounted % LOOKUPS_NOTED_EVERY:
                return
            try:
                self._write_lookups(self._uncounted, synced_at)
            except StoreError:
                return  # counted in memory, and tried again with the next twenty
            self._uncounted = 0

    def _write_lookups(self, number: int, synced_at: int | None) -> None:
        with writing(self._engine) as connection:
            if progress.row_of(connection).synced_at == synced_at:
                progress.change(connection, lookups=col(StoredProgress.lookups) + number)

    def note_staleness(self, staleness: Staleness) -> None:
        """Keep the provider's policy as the server told it, within the hard ceilings."""
        kept = within_ceilings(staleness)
        with reading(self._engine) as connection:
            if _staleness(progress.row_of(connection)) == kept:
                return
        with writing(self._engine) as connection:
            progress.change(
                connection,
                green_seconds=kept.green_s,
                refuse_seconds=kept.refuse_s,
                lookups_max=kept.lookups_max,
            )

    def note_time(self, told: int = 0) -> None:
        """Write down that this time has come; every round calls it, also one that fails.

        `told` is a Unix time that a server has put its name to: a clock far behind it is in doubt.

        It only moves forward here, at most every five minutes; a complete pull sets it to the
        server's time. It is the counter's own time and of nobody's act.
        """
        now = max(int(self._clock.now().timestamp()), told)
        with reading(self._engine) as connection:
            floor = progress.row_of(connection).time_floor
        if floor is None or now - floor >= AGE_NOTED_EVERY_SECONDS:
            with writing(self._engine) as connection:
                progress.change(connection, time_floor=now)

    def note_server_time(self) -> None:
        """The server has told its time, and the clock follows it: a floor far ahead was wrong.

        A box that was once years ahead without a line would otherwise take every list of suspensions
        for one that is past its end.
        """
        now = self._clock.now().timestamp()
        with reading(self._engine) as connection:
            floor = progress.row_of(connection).time_floor
        if floor is not None and now < floor - CLOCK_DOUBT_SECONDS:
            with writing(self._engine) as connection:
                progress.change(connection, time_floor=int(now))

    def clock_time(self) -> float:
        """Unix time by the clock alone, which may stand anywhere."""
        return self._clock.now().timestamp()

    def time_now(self) -> float:
        """Unix time: the clock's, or the floor where the clock stands before it."""
        with reading(self._engine) as connection:
            floor = progress.row_of(connection).time_floor
        return max(self._clock.now().timestamp(), floor or 0)

    def _age(self, row: StoredProgress, synced_at: int, wall: float) -> float:
        now = self._boot_time()
        noted = Ageing(row.age_noted, BootTime(row.age_boot or "", row.age_boot_seconds))
        with self._ageing_lock:
            unwritten = self._unwritten
        if unwritten is not None and unwritten[0] == synced_at:
            noted = unwritten[1]
        age, to_note = age_now(noted, wall_since_sync=wall - synced_at, now=now)
        if to_note is not None:
            written = self._note_age(synced_at, to_note)
            with self._ageing_lock:
                self._unwritten = None if written else (synced_at, to_note)
        return age

    def _note_age(self, synced_at: int, ageing: Ageing) -> bool:
        """Whether it could be written; what could not is kept in memory and tried again."""
        try:
            with writing(self._engine) as connection:
                if progress.row_of(connection).synced_at == synced_at:
                    progress.change(
                        connection,
                        age_noted=ageing.age,
                        age_boot=ageing.at.boot,
                        age_boot_seconds=ageing.at.seconds,
                    )
        except StoreError:
            return False
        return True


def _staleness(row: StoredProgress) -> Staleness:
    if row.green_seconds is None or row.refuse_seconds is None or row.lookups_max is None:
        return STALENESS_DEFAULT
    return within_ceilings(Staleness(row.green_seconds, row.refuse_seconds, row.lookups_max))
