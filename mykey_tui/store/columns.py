"""Rows as columns, and many of them into a table by one statement, whatever their number.

A snapshot comes as columns and is stored from columns: no object is made for a row. Bound value by
value the same rows cost three times the processor time, and Python's lock is taken for each; beside
a busy thread, such as the one that fetches the next ones, 20,000 rows took 283 ms instead of 40.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from struct import iter_unpack
from typing import Literal, TypeAlias

import msgspec
from sqlalchemy import Connection

from mykey_tui.wire.messages import Row

Rows: TypeAlias = Literal["link", "link_next"]
"""Which table: the rows that serve, or those of a load that is not complete."""

How: TypeAlias = Literal["INSERT", "INSERT OR IGNORE", "INSERT OR REPLACE"]

_WIDTH = 16
"""Bytes of a token, and of a slot for a seq or a binding."""
_NO_BINDING = b"-" * _WIDTH
"""`unhex` makes NULL of it."""

# Service IDs are of many lengths and come as a JSON array; its index finds the rest in columns of
# fixed width. `hex` turns the one byte of a status, below 10, into its digits.
_TAKEN_APART = (
    "SELECT substr(?1, key * 16 + 1, 16), unhex(substr(?2, key * 16 + 1, 16)), value, "
    "CAST(hex(substr(?3, key + 1, 1)) AS INTEGER), "
    "CAST(substr(?4, key * 16 + 1, 16) AS INTEGER) FROM json_each(?5)"
)


@dataclass(frozen=True, slots=True)
class Columns:
    """Sound rows (`links.sort_out`), in an order of the caller's; in token order they go in fastest."""

    tokens: bytes
    """16 bytes each."""
    bindings: Mapping[int, bytes]
    """By row number, 8 bytes each; most rows have none."""
    service_ids: Sequence[str]
    statuses: bytes
    """One byte each, below 10."""
    seqs: bytes
    """16 digits each."""

    def __len__(self) -> int:
        """How many rows."""
        return len(self.service_ids)

    def rows(self) -> Iterator[tuple[bytes, bytes | None, str, int, int]]:
        """Row by row, for `digest.weigh`, which does not look at the seq: it is 0 here."""
        tokens = (token for (token,) in iter_unpack("16s", self.tokens))
        bindings: Iterable[bytes | None] = repeat(None, len(self))
        if self.bindings:
            bindings = map(self.bindings.get, range(len(self)))
        return zip(tokens, bindings, self.service_ids, self.statuses, repeat(0), strict=False)


def of_rows(rows: Sequence[Row]) -> Columns:
    """The same rows as columns."""
    return Columns(
        tokens=b"".join([row[0] for row in rows]),
        bindings={number: row[1] for number, row in enumerate(rows) if row[1]},
        service_ids=[row[2] for row in rows],
        statuses=bytes([row[3] for row in rows]),
        seqs=b"".join([slot_of(row[4]) for row in rows]),
    )


def slot_of(seq: int) -> bytes:
    """A seq in its slot; the wire has none of more than 16 digits."""
    return b"%016d" % seq


def insert(connection: Connection, how: How, into: Rows, columns: Columns) -> int:
    """Insert the rows in their order. Returns how many were inserted."""
    values = (
        columns.tokens,
        _in_slots(columns.bindings, len(columns)) if columns.bindings else None,
        columns.statuses,
        columns.seqs,
        msgspec.json.encode(columns.service_ids).decode(),
    )
    return connection.exec_driver_sql(f"{how} INTO {into} {_TAKEN_APART}", values).rowcount


def _in_slots(bindings: Mapping[int, bytes], count: int) -> bytes:
    slots = bytearray(_NO_BINDING * count)
    for number, binding in bindings.items():
        slots[number * _WIDTH : (number + 1) * _WIDTH] = binding.hex().encode()
    return bytes(slots)
