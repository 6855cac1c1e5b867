"""What this counter did and the server may not know yet: queue first, journal afterwards.

A mutation is stored in one transaction with its effect here. On the wire it is numbered without
gaps within an incarnation, and chained to the one before it. It leaves the queue with the server's
verdict (`store.verdicts`) and stays as journal, with no time, until a verified backup of the server
holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias, overload

from sqlalchemy import Connection, func, insert, literal_column
from sqlmodel import Session, col, select

from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import LookupToken, ServiceId
from mykey_tui.store.tables import MutationState, StoredMutation
from mykey_tui.wire.messages import Origin, PushItem, item_hash, to_msgpack
from mykey_tui.wire.seal import seal_context

Operation: TypeAlias = Literal["link", "unlink", "replace"]

MUTATION_VERSION = 1
"""Form of a mutation's arguments; a changed meaning gets a new `op` name instead."""

PARKED_AGAIN_SECONDS = 600
"""Parked mutations go again by themselves this often: the server may have been mended, and what a
person was promised must not wait for somebody to press a key."""

# With the value in the statement: only then does the index of the open ones serve, and the journal,
# which may have tens of thousands of rows, is not read in every round.
IS_OPEN = col(StoredMutation.state) != literal_column("'done'")

UNSENT = (MutationState.WAITING, MutationState.PARKED)
"""What the server has not decided yet."""

_OVERLAY = (
    "INSERT INTO local_link (token, service_id, mid) VALUES (?, ?, ?) "
    "ON CONFLICT (token) DO UPDATE SET service_id = excluded.service_id, mid = excluded.mid"
)

# An unsent link of a person for whom the server has told of no row: what became of that person at
# the platform is not known here.
_UNBACKED = (
    "SELECT count(*) FROM outbox WHERE state = 'done' AND code IS NULL "
    "AND (acked_seq IS NULL OR acked_seq > (SELECT durable_through FROM progress))"
)
_UNKNOWN_BEFORE = (
    "WITH unsent AS (SELECT o.token, o.mid FROM local_link AS o JOIN outbox AS q ON q.mid = o.mid "
    "WHERE q.state IN ('waiting', 'parked') AND o.service_id IS NOT NULL "
    "AND NOT EXISTS (SELECT 1 FROM link AS l WHERE l.token = o.token)) "
    "SELECT count(*) FROM unsent AS mine JOIN unsent AS other ON other.mid <= mine.mid "
    "WHERE mine.token = ?"
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
    """This counter's own number of it: never changes, and is never given twice."""
    op: str
    service_id: ServiceId
    queued_at: datetime | None
    state: MutationState
    code: Code | None
    other_service_id: ServiceId | None = None
    """Of a refusal because the person has another service ID here (S-DUP): that one."""


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How much is open."""

    waiting: int
    attention: int
    oldest: datetime | None
    """When the oldest that has no answer yet was made."""
    unsent: int
    """What the server has not decided yet: what waits, and what is parked."""


@dataclass(frozen=True, slots=True, repr=False)
class Batch(Sequence[PushItem]):
    """Items of one incarnation, in order, as they are to be sent."""

    incarnation: bytes
    items: tuple[PushItem, ...]
    mids: tuple[int, ...]
    """This counter's own numbers, beside `items`; an item's `mid` is its number on the wire."""

    def __len__(self) -> int:
        """How many items."""
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> PushItem: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[PushItem]: ...
    def __getitem__(self, index: int | slice) -> PushItem | Sequence[PushItem]:
        """One item, or some of them."""
        return self.items[index]


def append(
    connection: Connection,
    item: PushItem,
    *,
    mid: int,
    incarnation: bytes,
    queued_at: datetime,
) -> None:
    """Store a mutation and lay its effect over the server's rows."""
    origin = item.origin
    connection.execute(
        insert(StoredMutation).values(
            mid=mid,
            incarnation=incarnation,
            number=item.mid,
            op=item.op,
            v=item.v,
            token=item.token,
            service_id=item.sid,
            prev=item.prev,
            sealed=item.sealed,
            seen_seq=item.seen_seq,
            origin_incarnation=origin.incarnation if origin else None,
            origin_number=origin.mid if origin else None,
            origin_op=origin.op if origin else None,
            replaces=item.replaces,
            state=MutationState.WAITING.value,
            tries=0,
            queued_at=int(queued_at.timestamp()),
        )
    )
    effect = None if item.op == "unlink" else item.sid
    connection.exec_driver_sql(_OVERLAY, (item.token, effect, mid))


def batch(
    connection: Connection,
    *,
    first: int,
    items_max: int,
    bytes_max: int,
    parked: bool = False,
    whole_journal: bool = False,
) -> Batch:
    """What to send next, in order, from mid `first` on: never more than fits, at least one.

    All of one incarnation: where another one begins, the batch ends. `parked` takes the parked ones
    instead of those that wait. `whole_journal` takes everything from `first` on, whatever its state:
    the server has asked for what lies before the waiting ones.
    """
    statement = select(StoredMutation).where(col(StoredMutation.mid) >= first)
    if not whole_journal:
        state = MutationState.PARKED if parked else MutationState.WAITING
        statement = statement.where(IS_OPEN, col(StoredMutation.state) == state.value)
    incarnation = b""
    items: list[PushItem] = []
    mids: list[int] = []
    size = 0
    rows = Session(connection).exec(statement.order_by(col(StoredMutation.mid)).limit(items_max))
    for row in rows:
        item = item_of(row)
        size += len(to_msgpack(item))
        if items and (size > bytes_max or row.incarnation != incarnation):
            break
        incarnation = row.incarnation
        items.append(item)
        mids.append(row.mid)
    return Batch(incarnation, tuple(items), tuple(mids))


def item_of(row: StoredMutation) -> PushItem:
    """The item as it was first made: its hash is in the chain, and the server keeps it."""
    origin = None
    if row.origin_incarnation is not None:
        origin = Origin(row.origin_incarnation, row.origin_number or 0, row.origin_op or "")
    return PushItem(
        mid=row.number,
        op=row.op,
        v=row.v,
        token=row.token,
        sid=row.service_id,
        seen_seq=row.seen_seq,
        prev=row.prev,
        sealed=row.sealed,
        origin=origin,
        replaces=row.replaces,
    )


def sealed_under(row: StoredMutation) -> Origin:
    """Under which number and operation the item's seal was made: what it says when it goes again."""
    return item_of(row).origin or Origin(row.incarnation, row.number, row.op)


def mid_of_number(connection: Connection, incarnation: bytes, number: int) -> int | None:
    """This counter's own number of what is called `number` on the wire."""
    found = connection.exec_driver_sql(
        "SELECT mid FROM outbox WHERE incarnation = ? AND number = ?", (incarnation, number)
    ).scalar()
    return None if found is None else int(found)


def was_refused(connection: Connection, mid: int) -> bool:
    """Whether the server refused it, dismissed since or not."""
    found = connection.exec_driver_sql(
        "SELECT state IN ('conflict', 'invalid') OR (state = 'done' AND code IS NOT NULL) "
        "FROM outbox WHERE mid = ?",
        (mid,),
    ).scalar()
    return bool(found)


def unsent_hashes(
    connection: Connection, incarnation: bytes, numbers: Iterable[int]
) -> Mapping[int, bytes]:
    """What the items of these numbers hash to, as far as they wait or are parked."""
    rows = Session(connection).exec(
        select(StoredMutation).where(
            IS_OPEN,
            col(StoredMutation.state).in_([state.value for state in UNSENT]),
            col(StoredMutation.incarnation) == incarnation,
            col(StoredMutation.number).in_(list(numbers)),
        )
    )
    return {row.number: item_hash(item_of(row)) for row in rows}


def open_ones(connection: Connection, *, limit: int) -> Sequence[QueuedMutation]:
    """What is not done, oldest first."""
    rows = Session(connection).exec(
        select(StoredMutation).where(IS_OPEN).order_by(col(StoredMutation.mid)).limit(limit)
    )
    return [_line(row) for row in rows]


def open_one(connection: Connection, mid: int) -> QueuedMutation | None:
    """One of them; None when it is done."""
    row = (
        Session(connection)
        .exec(
            select(StoredMutation).where(
                col(StoredMutation.mid) == mid,
                IS_OPEN,
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
        other_service_id=(
            None if row.other_service_id is None else ServiceId(row.other_service_id)
        ),
    )


def counts(connection: Connection) -> QueueCounts:
    """How much is open, from the index of the open ones."""
    waiting = attention = parked = 0
    oldest: int | None = None
    for state, number, first in connection.execute(
        select(col(StoredMutation.state), func.count(), func.min(col(StoredMutation.queued_at)))
        .where(IS_OPEN)
        .group_by(col(StoredMutation.state))
    ):
        if state == MutationState.WAITING.value:
            waiting = number
        else:
            attention += number
            parked += number if state == MutationState.PARKED.value else 0
        if first is not None:
            oldest = first if oldest is None else min(oldest, first)
    return QueueCounts(waiting, attention, _moment(oldest), unsent=waiting + parked)


def count_unbacked(connection: Connection) -> int:
    """How many in effect at the server are not known to be in a checked backup of it."""
    return int(connection.exec_driver_sql(_UNBACKED).scalar_one())


def unknown_before(connection: Connection, token: bytes) -> int:
    """Which of the unsent links of unknown people this token's is, from 1; 0 where it is none."""
    return int(connection.exec_driver_sql(_UNKNOWN_BEFORE, (token,)).scalar_one())


def _moment(unix_seconds: int | None) -> datetime | None:
    return None if unix_seconds is None else datetime.fromtimestamp(unix_seconds, UTC)


def count_in(connection: Connection, *states: MutationState) -> int:
    """How many stand in one of these states, of the open ones."""
    among = [state.value for state in states]
    found = connection.execute(
        select(func.count())
        .select_from(StoredMutation)
        .where(IS_OPEN, col(StoredMutation.state).in_(among))
    )
    return int(found.scalar_one())
