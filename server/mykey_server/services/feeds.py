"""The two feeds that a provider's counters read: its links, and which of them are suspended.

Both have the same form on the wire: a scope with a head, a history of places, rows under a seq of
their own, and a digest in 256 buckets. They differ in the tables that they rest in. A change of
either goes through `Feed.move`, in the transaction of its rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    String,
    Table,
    bindparam,
    insert,
    literal,
    null,
    select,
    update,
)

from mykey_server.tables.base import table_of
from mykey_server.tables.management import LinkTable
from mykey_server.tables.site import ScopeHistoryTable, ScopeTable
from mykey_server.tables.suspension import (
    SuspensionHistoryTable,
    SuspensionScopeTable,
    SuspensionTable,
)
from mykey_tui.domain import digest
from mykey_tui.domain.digest import DIGEST_LENGTH
from mykey_tui.wire.messages import BUCKETS, SUSPENSION_PREFIX

RowColumns: TypeAlias = tuple[
    ColumnElement[Any],
    ColumnElement[Any],
    ColumnElement[Any],
    ColumnElement[Any],
    ColumnElement[Any],
]
EMPTY_BUCKETS = bytes(BUCKETS * DIGEST_LENGTH)


@dataclass(frozen=True, slots=True)
class Head:
    """Where a scope stands."""

    seq: int
    horizon: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """What one changed row takes from the digest and adds to it."""

    token: bytes
    removed: int
    added: int


class Feed:
    """The tables of one kind of scope, and the statements on them.

    `row_columns` are token, binding, service ID, status and seq: a row as it travels.
    """

    def __init__(
        self, *, prefix: str, rows: Table, heads: Table, places: Table, row_columns: RowColumns
    ) -> None:
        self.prefix = prefix
        self.rows = rows
        self.heads = heads
        self.places = places
        self.row_columns = row_columns
        # Built once: building a statement costs more than running it.
        head = select(heads.c.seq, heads.c.horizon, heads.c.digest)
        self._head = head.where(heads.c.scope == bindparam("scope"))
        self._locked = self._head.with_for_update()
        self._buckets = select(heads.c.buckets).where(heads.c.scope == bindparam("scope"))
        self._place = select(places.c.digest).where(
            places.c.scope == bindparam("scope"), places.c.seq == bindparam("seq")
        )
        self._new_place = insert(places)
        self._move = (
            update(heads)
            .where(heads.c.scope == bindparam("where"))
            .values(
                seq=heads.c.seq + bindparam("count"),
                digest=bindparam("digest"),
                buckets=bindparam("buckets"),
            )
            .returning(heads.c.seq)
        )

    def head(self, connection: Connection, scope: str) -> Head:
        """The scope's counter row. `scope` is the provider's alias, here and below."""
        row = connection.execute(self._head, {"scope": scope}).one()
        return Head(row.seq, row.horizon, row.digest)

    def lock(self, connection: Connection, scope: str) -> Head:
        """The same, and from here on no other writer in this scope until the commit.

        Taken first: whatever is read after it stands still (docs/adr/0020-postgresql.md). On SQLite
        the transaction has the file alone anyway.
        """
        row = connection.execute(self._locked, {"scope": scope}).one()
        return Head(row.seq, row.horizon, row.digest)

    def buckets(self, connection: Connection, scope: str) -> bytes:
        """The scope's digest in 256 parts of 16 bytes."""
        value: bytes = connection.execute(self._buckets, {"scope": scope}).scalar_one()
        return value

    def place(self, connection: Connection, scope: str, seq: int) -> bytes | None:
        """The digest that the history has at a seq; None where it has no such place."""
        value: bytes | None = connection.execute(self._place, {"scope": scope, "seq": seq}).scalar()
        return value

    def move(self, connection: Connection, scope: str, head: Head, changes: list[Change]) -> Head:
        """Move the counter row by one seq for each change, and remember the new place.

        Last, and once per transaction: the caller has the row locked, and writes the rows.
        """
        new_digest = total_after(head.digest, changes)
        buckets = buckets_after(self.buckets(connection, scope), changes)
        seq: int = connection.execute(
            self._move,
            {"where": scope, "count": len(changes), "digest": new_digest, "buckets": buckets},
        ).scalar_one()
        connection.execute(self._new_place, {"scope": scope, "seq": seq, "digest": new_digest})
        return Head(seq, head.horizon, new_digest)


def total_after(total: bytes, changes: Iterable[Change]) -> bytes:
    """The scope's digest after these changes."""
    return digest.replace(
        total,
        removed=sum(change.removed for change in changes),
        added=sum(change.added for change in changes),
    )


def buckets_after(buckets: bytes, changes: Iterable[Change]) -> bytes:
    """The 256 parts after these changes. Their sum stays the scope's digest."""
    parts = bytearray(buckets)
    for change in changes:
        start = change.token[0] * DIGEST_LENGTH
        part = slice(start, start + DIGEST_LENGTH)
        parts[part] = digest.replace(bytes(parts[part]), removed=change.removed, added=change.added)
    return bytes(parts)


_links, _suspensions = table_of(LinkTable), table_of(SuspensionTable)
LINKS = Feed(
    prefix="",
    rows=_links,
    heads=table_of(ScopeTable),
    places=table_of(ScopeHistoryTable),
    row_columns=(
        _links.c.token,
        _links.c.binding,
        _links.c.service_id,
        _links.c.status,
        _links.c.seq,
    ),
)
SUSPENSIONS = Feed(
    prefix=SUSPENSION_PREFIX,
    rows=_suspensions,
    heads=table_of(SuspensionScopeTable),
    places=table_of(SuspensionHistoryTable),
    row_columns=(
        _suspensions.c.token,
        null().cast(LargeBinary).label("binding"),
        literal("", String).label("service_id"),
        _suspensions.c.status,
        _suspensions.c.seq,
    ),
)
FEEDS = (LINKS, SUSPENSIONS)
