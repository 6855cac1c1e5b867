"""The suspended tokens: a verified list of the server's, apart from the rows and from any reset.

Nothing is stored before the whole new list has been verified (threat T13): the signature, that it is
no older than the one here, and that the digest and the number of its rows are what was signed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, update
from sqlmodel import Session, select

from mykey_tui.domain.digest import DIGEST_LENGTH, EMPTY_DIGEST, weight
from mykey_tui.domain.link import LinkStatus
from mykey_tui.store.base import StoreBase
from mykey_tui.store.engine import reading, writing
from mykey_tui.store.tables import StoredSuspensionHead
from mykey_tui.wire.messages import SuspensionState

_SUSPENDED = LinkStatus.SUSPENDED.value
_CHUNK = 500
_MODULUS = 1 << (8 * DIGEST_LENGTH)


DAMAGED = -1
"""As a total: the rows are not those of the state, and the whole list is needed."""


class ListDiffersError(Exception):
    """The list with these changes is not the one that was signed. Nothing was stored."""


@dataclass(frozen=True, slots=True)
class SuspensionHead:
    """Which signed state the suspensions here are of."""

    epoch: str
    seq: int
    digest: bytes
    total: int
    issued_at: int
    not_after: int


class Suspending(StoreBase):
    """The part of `CounterStore` that keeps who is suspended."""

    def suspension_head(self) -> SuspensionHead | None:
        """The newest state that was verified; None before the first one."""
        with reading(self._engine) as connection:
            return _read(connection)

    def apply_suspensions(
        self, state: SuspensionState, changes: Mapping[bytes, bool], *, whole: bool
    ) -> None:
        """Take a signed state in, with all tokens that changed since the one here (True: suspended).

        `whole` where the changes are the whole list, and nothing of what is here stays. The caller
        has verified the signature and that the state is no older; here digest and total are held
        against the rows, and only then anything is written: state and rows in one transaction.

        Raises:
            ListDiffersError: they do not fit.
        """
        with writing(self._engine) as connection:
            known = _read(connection)
            if whole or known is None:
                digest, total, here = int.from_bytes(EMPTY_DIGEST, "big"), 0, set[bytes]()
            else:
                digest, total = int.from_bytes(known.digest, "big"), known.total
                here = _among(connection, changes)
            added = {token for token, suspended in changes.items() if suspended} - here
            lifted = {token for token, suspended in changes.items() if not suspended} & here
            digest += self._sum(added) - self._sum(lifted)
            total += len(added) - len(lifted)
            if (digest % _MODULUS).to_bytes(DIGEST_LENGTH, "big") != state.digest:
                raise ListDiffersError
            if total != state.total:
                raise ListDiffersError
            if whole:
                connection.exec_driver_sql("DELETE FROM suspension")
            _write(connection, "DELETE FROM suspension WHERE token = ?", lifted)
            _write(connection, "INSERT INTO suspension VALUES (?)", added)
            connection.execute(delete(StoredSuspensionHead))
            connection.execute(
                insert(StoredSuspensionHead).values(
                    id=1,
                    epoch=state.epoch,
                    seq=state.seq,
                    digest=state.digest,
                    total=state.total,
                    issued_at=state.issued_at,
                    not_after=state.not_after,
                )
            )

    def recount_suspensions(self) -> bool:
        """Hold the stored digest and number against the rows. A whole scan.

        False when they differed: then the next round takes the whole list. Meanwhile the rows stay,
        and so does the state's number, that no older list may go below.
        """
        with reading(self._engine) as connection:
            known = _read(connection)
            if known is None:
                return True
            tokens = list(connection.exec_driver_sql("SELECT token FROM suspension").scalars())
        digest = (self._sum(tokens) % _MODULUS).to_bytes(DIGEST_LENGTH, "big")
        if (digest, len(tokens)) == (known.digest, known.total):
            return True
        with writing(self._engine) as connection:
            connection.execute(update(StoredSuspensionHead).values(total=DAMAGED))
        return False

    def _sum(self, tokens: Iterable[bytes]) -> int:
        key = self.identity.digest_key
        return sum(weight(key, token, None, "", _SUSPENDED) for token in tokens)


def _read(connection: Connection) -> SuspensionHead | None:
    row = Session(connection).exec(select(StoredSuspensionHead)).first()
    if row is None:
        return None
    return SuspensionHead(row.epoch, row.seq, row.digest, row.total, row.issued_at, row.not_after)


def _among(connection: Connection, tokens: Iterable[bytes]) -> set[bytes]:
    found: set[bytes] = set()
    wanted = list(tokens)
    for start in range(0, len(wanted), _CHUNK):
        part = wanted[start : start + _CHUNK]
        marks = ",".join("?" * len(part))
        statement = f"SELECT token FROM suspension WHERE token IN ({marks})"  # noqa: S608  # marks
        found.update(connection.exec_driver_sql(statement, tuple(part)).scalars())
    return found


def _write(connection: Connection, statement: str, tokens: Iterable[bytes]) -> None:
    values = [(token,) for token in sorted(tokens)]
    if values:
        connection.exec_driver_sql(statement, values)
