"""How far this counter has come with the server: one row, changed in the transaction of each change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, select, update
from sqlmodel import col

from mykey_tui.store.links import Tally
from mykey_tui.store.tables import StoredProgress, table_of
from mykey_tui.wire.messages import Position, is_epoch

_ROW = select(table_of(StoredProgress))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far this counter has come with the server. `position` and `mark` as in the protocol."""

    epoch: str | None
    cursor: int
    digest: bytes
    rows: int
    position: Position | None
    """The last complete place: digest compared and equal."""
    mark: Position | None
    """The newest place that a push reply told of."""
    durable_through: int
    last_mid: int
    last_hash: bytes
    refused_rows: int
    """Rows of the server's that could not be read and are therefore not here."""
    synced_at: int | None
    """Unix time of the last complete pull, by the server's clock."""
    clock_offset: timedelta
    """How far the server's clock was ahead of this box's, when last told."""
    time_floor: int | None
    """Unix time that has certainly come, as far as this counter was running."""
    recover_due: bool
    """This file may have come from a copy: its numbers are drawn anew before anything is sent."""
    last_number: int
    """Newest number given within the present incarnation."""
    parked_sent_at: int | None
    """Unix time when parked mutations last went again by themselves."""
    parked_next: int
    """The mid from which they go on the next time."""
    repaired_at: int | None
    """Unix time when rows that differ from the server's were last fetched anew."""


def read(connection: Connection) -> Progress:
    """How far this counter is."""
    row = row_of(connection)
    return Progress(
        epoch=row.epoch,
        cursor=row.cursor,
        digest=row.digest,
        rows=row.rows,
        position=_position(row.epoch, row.position_seq, row.position_digest),
        mark=_position(row.epoch, row.mark_seq, row.mark_digest),
        durable_through=row.durable_through,
        last_mid=row.last_mid,
        last_hash=row.last_hash,
        refused_rows=row.refused_rows,
        synced_at=row.synced_at,
        clock_offset=timedelta(milliseconds=row.clock_offset_ms),
        time_floor=row.time_floor,
        recover_due=bool(row.recover_due),
        last_number=row.last_number,
        parked_sent_at=row.parked_sent_at,
        parked_next=row.parked_next,
        repaired_at=row.repaired_at,
    )


def change(connection: Connection, **values: object) -> None:
    """Set columns of the row."""
    connection.execute(update(StoredProgress).values(**values))


def start_tally(connection: Connection) -> Tally:
    """The sums as they stand, to be changed with `link` in this transaction."""
    row = row_of(connection)
    return Tally(digest=int.from_bytes(row.digest, "big"), rows=row.rows)


def save_tally(connection: Connection, tally: Tally, *, refused: int) -> None:
    """Store the sums, and how many more rows could not be read."""
    change(
        connection,
        digest=tally.digest_bytes,
        rows=tally.rows,
        refused_rows=col(StoredProgress.refused_rows) + refused,
    )


def row_of(connection: Connection) -> StoredProgress:
    """The row itself, as it stands: setting its fields changes nothing.

    Read a dozen times in a round, and with each look-up. As a mapped object it would cost four times
    as much.
    """
    return StoredProgress.model_construct(**connection.execute(_ROW).one()._asdict())


def _position(epoch: str | None, seq: int | None, digest: bytes | None) -> Position | None:
    """None too for the place of an epoch that a server refuses: earlier versions took any name in.

    Without a place to compare, the next round counts the server's history as another one: the
    journal goes out again, and all rows are loaded anew under a sound name.
    """
    if epoch is None or seq is None or digest is None or not is_epoch(epoch):
        return None
    return Position(epoch=epoch, seq=seq, digest=digest)
