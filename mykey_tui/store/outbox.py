"""What this counter did and the server may not know yet: queue first, journal afterwards.

A mutation is stored in one transaction with its effect here. It is numbered without gaps and
chained to the one before it. It leaves the queue with the server's verdict and stays as journal,
with no time, until a verified backup of the server holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from sqlalchemy import Connection, delete, func, insert, literal_column, update
from sqlmodel import Session, col, select

from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import LookupToken, ServiceId
from mykey_tui.store.tables import MutationState, StoredMutation
from mykey_tui.wire.messages import ItemVerdict, PushItem, to_msgpack
from mykey_tui.wire.seal import seal_context

Operation: TypeAlias = Literal["link", "unlink"]

MUTATION_VERSION = 1
"""Form of a mutation's arguments; a changed meaning gets a new `op` name instead."""

TRIES_MAX = 3
"""A mutation that the server puts off this often is parked, so that somebody looks (M37)."""

PARKED_AGAIN_SECONDS = 600
"""Parked mutations go again by themselves this often: the server may have been mended, and what a
person was promised must not wait for somebody to press a key."""

# With the value in the statement: only then does the index of the open ones serve, and the journal,
# which may have tens of thousands of rows, is not read in every round.
_IS_OPEN = col(StoredMutation.state) != literal_column("'done'")

_CONFLICT_CODES = {
    "key_linked": Code.LINK_DUPLICATE,
    "sid_taken": Code.SERVICE_ID_TAKEN,
    "id_suspended": Code.SUSPENDED,
    "id_revoked": Code.SUSPENDED,
    "id_renewed": Code.RENEWED,
    "not_registered": Code.NOT_REGISTERED,
}

_OVERLAY = (
    "INSERT INTO local_link (token, service_id, mid) VALUES (?, ?, ?) "
    "ON CONFLICT (token) DO UPDATE SET service_id = excluded.service_id, mid = excluded.mid"
)


@dataclass(frozen=True, slots=True, repr=False)
class QueuedFrame:
    """All that stands outside the seal of a mutation; the seal is bound to it."""

    device: str
    incarnation: bytes
    scope: str
    mid: int
    op: Operation
    v: int
    token: LookupToken
    sid: str

    @property
    def context(self) -> bytes:
        """What `wire.seal.seal` takes."""
        return seal_context(
            device=self.device,
            incarnation=self.incarnation,
            scope=self.scope,
            mid=self.mid,
            op=self.op,
            v=self.v,
            token=self.token,
            sid=self.sid,
        )


Seal: TypeAlias = Callable[[QueuedFrame], bytes]


@dataclass(frozen=True, slots=True)
class QueuedMutation:
    """A line of the queue: what waits, and what somebody must look at."""

    mid: int
    op: str
    service_id: ServiceId
    queued_at: datetime | None
    state: MutationState
    code: Code | None


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How much is open."""

    waiting: int
    attention: int
    oldest: datetime | None
    """When the oldest that has no answer yet was made."""


def append(connection: Connection, item: PushItem, *, queued_at: datetime) -> None:
    """Store a mutation and lay its effect over the server's rows."""
    connection.execute(
        insert(StoredMutation).values(
            mid=item.mid,
            op=item.op,
            v=item.v,
            token=item.token,
            service_id=item.sid,
            prev=item.prev,
            sealed=item.sealed,
            seen_seq=item.seen_seq,
            state=MutationState.WAITING.value,
            tries=0,
            queued_at=int(queued_at.timestamp()),
        )
    )
    effect = item.sid if item.op == "link" else None
    connection.exec_driver_sql(_OVERLAY, (item.token, effect, item.mid))


def batch(
    connection: Connection,
    *,
    first: int,
    items_max: int,
    bytes_max: int,
    parked: bool = False,
    whole_journal: bool = False,
) -> list[PushItem]:
    """What to send next, in order, from mid `first` on: never more than fits, at least one.

    `parked` takes the parked ones instead of those that wait. `whole_journal` takes everything from `first` on, whatever its state: the server has asked for
    what lies before the waiting ones.
    """
    statement = select(StoredMutation).where(col(StoredMutation.mid) >= first)
    if not whole_journal:
        state = MutationState.PARKED if parked else MutationState.WAITING
        statement = statement.where(_IS_OPEN, col(StoredMutation.state) == state.value)
    chosen: list[PushItem] = []
    size = 0
    rows = Session(connection).exec(statement.order_by(col(StoredMutation.mid)).limit(items_max))
    for row in rows:
        item = _item(row)
        size += len(to_msgpack(item))
        if chosen and size > bytes_max:
            break
        chosen.append(item)
    return chosen


def _item(row: StoredMutation) -> PushItem:
    """The item as it was first made: its hash is in the chain, and the server keeps it."""
    return PushItem(
        mid=row.mid,
        op="link" if row.op == "link" else "unlink",
        v=row.v,
        token=row.token,
        sid=row.service_id,
        seen_seq=row.seen_seq,
        prev=row.prev,
        sealed=row.sealed,
    )


def settle(connection: Connection, verdict: ItemVerdict, *, seq: int) -> None:
    """Store a final verdict: the effect here gives way to the server's row, and the time goes."""
    state, code = _outcome(verdict)
    connection.execute(
        update(StoredMutation)
        .where(col(StoredMutation.mid) == verdict.mid)
        .values(
            state=state.value,
            code=code.value if code else None,
            queued_at=None,
            acked_seq=seq,
        )
    )
    if state is MutationState.DONE and verdict.row is None:
        return  # in effect, and the reply shows no row: the effect here lasts until the next pull
    # A later mutation of the same token may lie there by now; that one stays.
    connection.exec_driver_sql("DELETE FROM local_link WHERE mid = ?", (verdict.mid,))


def _outcome(verdict: ItemVerdict) -> tuple[MutationState, Code | None]:
    if verdict.verdict in ("applied", "already"):
        return MutationState.DONE, None
    if verdict.verdict == "conflict":
        return MutationState.CONFLICT, _CONFLICT_CODES.get(
            verdict.kind or "", Code.MUTATION_INVALID
        )
    if verdict.kind == "sid":
        return MutationState.INVALID, Code.SERVICE_ID_MALFORMED
    return MutationState.INVALID, Code.MUTATION_INVALID


def count_try(connection: Connection, mids: Iterable[int]) -> int:
    """Count a try that ended without verdict; park at `TRIES_MAX`. Returns how many were parked."""
    chosen = list(mids)
    waiting = col(StoredMutation.state) == MutationState.WAITING.value
    among = col(StoredMutation.mid).in_(chosen)
    connection.execute(
        update(StoredMutation).where(among, waiting).values(tries=col(StoredMutation.tries) + 1)
    )
    parked = connection.execute(
        update(StoredMutation)
        .where(among, waiting, col(StoredMutation.tries) >= TRIES_MAX)
        .values(state=MutationState.PARKED.value, code=Code.MUTATION_PARKED.value)
    )
    return int(parked.rowcount)


def release(connection: Connection, mid: int) -> bool:
    """Put a parked mutation back in line."""
    done = connection.execute(
        update(StoredMutation)
        .where(
            col(StoredMutation.mid) == mid,
            col(StoredMutation.state) == MutationState.PARKED.value,
        )
        .values(state=MutationState.WAITING.value, code=None, tries=0)
    )
    return done.rowcount == 1


def dismiss(connection: Connection, mid: int) -> bool:
    """Take a refused mutation off the list: a person has looked. Its number stays as journal."""
    refused = (MutationState.CONFLICT.value, MutationState.INVALID.value)
    done = connection.execute(
        update(StoredMutation)
        .where(col(StoredMutation.mid) == mid, col(StoredMutation.state).in_(refused))
        .values(state=MutationState.DONE.value)
    )
    return done.rowcount == 1


def drop_settled_effects(connection: Connection) -> None:
    """After a complete pull: what is answered has come back as the server's rows."""
    connection.exec_driver_sql(
        "DELETE FROM local_link WHERE mid NOT IN "
        "(SELECT mid FROM outbox WHERE state <> 'done' AND state IN ('waiting', 'parked'))"
    )


def prune(connection: Connection, *, durable_through: int) -> None:
    """Drop what a verified backup of the server holds."""
    connection.execute(
        delete(StoredMutation).where(
            col(StoredMutation.state) == MutationState.DONE.value,
            col(StoredMutation.acked_seq) <= durable_through,
        )
    )


def open_ones(connection: Connection, *, limit: int) -> Sequence[QueuedMutation]:
    """What is not done, oldest first."""
    rows = Session(connection).exec(
        select(StoredMutation).where(_IS_OPEN).order_by(col(StoredMutation.mid)).limit(limit)
    )
    return [_line(row) for row in rows]


def open_one(connection: Connection, mid: int) -> QueuedMutation | None:
    """One of them; None when it is done."""
    row = (
        Session(connection)
        .exec(
            select(StoredMutation).where(
                col(StoredMutation.mid) == mid,
                _IS_OPEN,
            )
        )
        .first()
    )
    return None if row is None else _line(row)


def _line(row: StoredMutation) -> QueuedMutation:
    return QueuedMutation(
        mid=row.mid,
        op=row.op,
        service_id=ServiceId(row.service_id),
        queued_at=_moment(row.queued_at),
        state=MutationState(row.state),
        code=Code(row.code) if row.code else None,
    )


def counts(connection: Connection) -> QueueCounts:
    """How much is open, from the index of the open ones."""
    waiting = attention = 0
    oldest: int | None = None
    for state, number, first in connection.execute(
        select(col(StoredMutation.state), func.count(), func.min(col(StoredMutation.queued_at)))
        .where(_IS_OPEN)
        .group_by(col(StoredMutation.state))
    ):
        if state == MutationState.WAITING.value:
            waiting = number
        else:
            attention += number
        if first is not None:
            oldest = first if oldest is None else min(oldest, first)
    return QueueCounts(waiting=waiting, attention=attention, oldest=_moment(oldest))


def _moment(unix_seconds: int | None) -> datetime | None:
    return None if unix_seconds is None else datetime.fromtimestamp(unix_seconds, UTC)
