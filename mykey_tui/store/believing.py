"""Which of the server's keys this counter believes, and how it comes to newer ones.

Enrolment gives both. Later pairs are taken only over a chain of signatures that begins at the one
that is believed (`wire.succession`), both in one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from mykey_tui.store.base import StoreBase
from mykey_tui.store.engine import reading, writing
from mykey_tui.store.identity import load_identity
from mykey_tui.wire.messages import Succession
from mykey_tui.wire.succession import fingerprint, follow


@dataclass(frozen=True, slots=True)
class Believed:
    """The server's public keys, 32 bytes each."""

    server_key: bytes | None
    """What it signs with. None at an enrolment that is older than that."""
    seal_key: bytes
    """What is queued from now on is sealed to it."""

    @property
    def fingerprint(self) -> str | None:
        """Their short name, for the greeting."""
        if self.server_key is None:
            return None
        return fingerprint(server_key=self.server_key, seal_key=self.seal_key)


class Believing(StoreBase):
    """The part of `CounterStore` that knows the server's keys."""

    def believed(self) -> Believed:
        """The keys as they are now: another process may have taken newer ones over."""
        with reading(self._engine) as connection:
            return _read(connection)

    def take_over(self, told: bytes | None, successions: Sequence[Succession]) -> bool:
        """Take the server's newer keys over, where they are proven. Returns whether keys changed.

        `told` is the signing key that the server names as its own. A chain that does not begin at
        the key that is believed here, is not signed, or does not end at `told`, changes nothing. A
        counter that was enrolled before servers signed learns `told` once, from the greeting.
        """
        known = self.believed()
        if told is None or told == known.server_key:
            return False
        if known.server_key is None:
            keys = Believed(told, known.seal_key)
        else:
            newest = follow(successions, known=known.server_key)
            if newest is None or newest.server_key != told:
                return False
            keys = Believed(newest.server_key, newest.seal_key)
        with writing(self._engine) as connection:
            if _read(connection) != known:
                return False  # another process was quicker
            connection.exec_driver_sql(
                "UPDATE identity SET server_key = ?, seal_key = ?", (keys.server_key, keys.seal_key)
            )
            self.identity = load_identity(connection)
        return True


def _read(connection: Connection) -> Believed:
    row = connection.exec_driver_sql("SELECT server_key, seal_key FROM identity").one()
    return Believed(row.server_key, row.seal_key)
