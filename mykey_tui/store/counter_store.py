"""The counter's store as the rest of the program knows it: every change is one transaction.

Any thread may call; several processes may have the file open, so that `mykey link` in a script
works beside the running screen. What an operation has returned from is on disk (WAL, FULL).
"""

from __future__ import annotations

from collections.abc import Callable

from mykey_tui.domain.clock import Clock, SystemClock
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.domain.ids import LookupToken, ServiceId
from mykey_tui.store import links, migrations
from mykey_tui.store.ageing import AgeingStore
from mykey_tui.store.base import RowsNow
from mykey_tui.store.believing import Believing
from mykey_tui.store.engine import is_key_of, open_engine, reading, writing
from mykey_tui.store.freshness import BootTime, system_boot_time
from mykey_tui.store.home import Home, on_disk, sync_directory
from mykey_tui.store.identity import Identity, load_identity, store_identity
from mykey_tui.store.keys import load_key, make_key
from mykey_tui.store.links import LocalLink
from mykey_tui.store.loading import Loading
from mykey_tui.store.numbering import Numbering
from mykey_tui.store.presence import Presence
from mykey_tui.store.pulling import Pulling
from mykey_tui.store.queueing import QUEUE_SHOWN_MAX, Queueing
from mykey_tui.store.suspending import Suspending

__all__ = ["QUEUE_SHOWN_MAX", "CounterStore", "RowsNow"]


class CounterStore(Queueing, Pulling, Loading, Suspending, Believing, Numbering, AgeingStore):
    """One counter's links, queue and progress. Make it with `create` or `open`."""

    @classmethod
    def create(
        cls,
        home: Home,
        identity: Identity,
        *,
        clock: Clock | None = None,
        boot_time: Callable[[], BootTime] = system_boot_time,
    ) -> CounterStore:
        """Make the store of a newly enrolled counter. It appears whole or not at all.

        Raises:
            StoreError: ENROL_ALREADY when there is a store, readable or not: see `store.leaving`.
                STORE_FULL when the disk does not take it.
        """
        with on_disk():
            cls._create(home, identity)
        return cls.open(home, clock=clock, boot_time=boot_time)

    @staticmethod
    def _create(home: Home, identity: Identity) -> None:
        if home.database.exists():
            raise StoreError(Code.ENROL_ALREADY)
        home.prepare()
        if home.has_leftovers:
            home.set_aside()
        key = make_key(home)
        beside = home.database.with_name(home.database.name + ".new")
        for leftover in home.path.glob(beside.name + "*"):
            leftover.unlink()  # of a `create` that was cut off; nothing was ever stored in it
        engine = open_engine(beside, key=key, create=True)
        try:
            migrations.bring_up(engine)
            with writing(engine) as connection:
                store_identity(connection, identity)
        finally:
            engine.dispose()  # the last connection moves the log into the file
        beside.chmod(0o600)
        beside.replace(home.database)
        sync_directory(home.path)

    @classmethod
    def open(
        cls,
        home: Home,
        *,
        clock: Clock | None = None,
        boot_time: Callable[[], BootTime] = system_boot_time,
        presence: Presence | None = None,
    ) -> CounterStore:
        """Open the store.

        `presence` is the caller's own, where it has to be alone in the home; `close` leaves it.

        Raises:
            StoreError: STORE_NONE (not enrolled), STORE_KEY, STORE_CORRUPT, STORE_NEWER,
                STORE_ENGINE, STORE_FULL or STORE_BUSY (also while a store is being taken away). The
                file is left as it is.
        """
        own = Presence(home.path) if presence is None else None
        try:
            store = cls._open(home, clock or SystemClock(), boot_time)
        except BaseException:
            if own is not None:
                own.end()
            raise
        store.hold(own)
        return store

    @classmethod
    def _open(cls, home: Home, clock: Clock, boot_time: Callable[[], BootTime]) -> CounterStore:
        if not home.database.exists():
            raise StoreError(Code.STORE_NONE)
        key = load_key(home)
        try:
            own = is_key_of(home.database, key)
        except OSError as error:
            raise StoreError(Code.STORE_FULL, error.strerror or "") from error
        if not own:
            raise StoreError(Code.STORE_KEY)
        engine = open_engine(home.database, key=key)
        try:
            migrations.bring_up(engine)
            with reading(engine) as connection:
                identity = load_identity(connection)
        except BaseException:
            engine.dispose()
            raise
        store = cls(home, engine, identity, clock, boot_time)
        try:
            store.note_fingerprint()
        except BaseException:
            store.close()
            raise
        return store

    def lookup(self, token: LookupToken) -> LocalLink | None:
        """The row of a token, with this counter's own waiting mutation laid over it."""
        with reading(self._engine) as connection:
            return links.find(connection, token)

    def token_of(self, service_id: ServiceId) -> LookupToken | None:
        """Whose service ID this is, as far as this counter knows."""
        with reading(self._engine) as connection:
            return links.find_token(connection, service_id)

    def check(self) -> None:
        """Read every page of the file, as one consistent view: each has a MAC and its place.

        Raises:
            StoreError: STORE_CORRUPT where a page is damaged or stands in the wrong place.
        """
        with reading(self._engine) as connection:
            answers = connection.exec_driver_sql("PRAGMA quick_check(1)").fetchall()
        if [tuple(answer) for answer in answers] != [("ok",)]:
            raise StoreError(Code.STORE_CORRUPT)
