"""What the parts of the store share: the file, who the counter is, and the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from mykey_tui.domain.clock import Clock
from mykey_tui.domain.ids import LookupToken, ServiceId
from mykey_tui.store import links
from mykey_tui.store.freshness import BootTime
from mykey_tui.store.home import Home
from mykey_tui.store.identity import Identity
from mykey_tui.store.links import LocalLink
from mykey_tui.store.presence import Presence


@dataclass(frozen=True, slots=True, repr=False)
class RowsNow:
    """The rows as a transaction sees them: nobody, in no process, changes them until it ends."""

    connection: Connection
    identity: Identity

    def lookup(self, token: LookupToken) -> LocalLink | None:
        """As `CounterStore.lookup`."""
        return links.find(self.connection, token)

    def token_of(self, service_id: ServiceId) -> LookupToken | None:
        """As `CounterStore.token_of`."""
        return links.find_token(self.connection, service_id)


class StoreBase:
    """The open file. Made by `CounterStore.create` and `CounterStore.open`."""

    def __init__(
        self,
        home: Home,
        engine: Engine,
        identity: Identity,
        clock: Clock,
        boot_time: Callable[[], BootTime],
    ) -> None:
        self.home = home
        self.identity = identity
        self._engine = engine
        self._clock = clock
        self._boot_time = boot_time
        self._presence: Presence | None = None

    def hold(self, presence: Presence | None) -> None:
        """Be a user of the home until `close`; None where whoever opened the store is one."""
        self._presence = presence

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()
        if self._presence is not None:
            self._presence.end()
