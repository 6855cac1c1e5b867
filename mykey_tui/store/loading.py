"""Loading all rows anew beside those that serve, and mending single buckets of either.

A first load and a reset are the same: rows go into `link_next` bucket by bucket, with how far it is
in the same transaction, so that a load goes on after a kill; when its digest is the server's, the
two tables change places in one transaction. Until then the old rows answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, update

from mykey_tui.domain.digest import DIGEST_LENGTH, EMPTY_DIGEST
from mykey_tui.store import ageing, links, migrations, progress, verdicts
from mykey_tui.store.base import StoreBase
from mykey_tui.store.columns import Columns, Rows
from mykey_tui.store.engine import reading, writing
from mykey_tui.store.links import Tally
from mykey_tui.store.load_progress import load_row
from mykey_tui.store.tables import StoredLoading
from mykey_tui.wire.messages import Row, ScopeHead


@dataclass(frozen=True, slots=True)
class Load:
    """How far a load is."""

    epoch: str
    next_bucket: int | None
    """The first bucket still to come; None when only the log is."""
    cursor: int | None
    """From which seq on the log is to be read; None before the first part."""
    rows: int


def begin(connection: Connection, *, epoch: str, by_log: bool) -> None:
    """Start with nothing; what an older load had received is dropped.

    `by_log` for a server without snapshots: the log from 0 on brings the same rows.
    """
    connection.exec_driver_sql("DROP TABLE link_next")
    connection.exec_driver_sql(migrations.LINK_NEXT)
    connection.execute(delete(StoredLoading))
    connection.execute(
        insert(StoredLoading).values(
            id=1,
            epoch=epoch,
            by_log=int(by_log),
            next_bucket=None if by_log else 0,
            cursor=0 if by_log else None,
            digest=EMPTY_DIGEST,
            rows=0,
            refused=0,
        )
    )


class Loading(StoreBase):
    """The part of `CounterStore` that loads all rows anew, and mends some."""

    def load(self) -> Load | None:
        """The load that is under way, also one that an earlier process began."""
        with reading(self._engine) as connection:
            row = load_row(connection)
        return None if row is None else Load(row.epoch, row.next_bucket, row.cursor, row.rows)

    def begin_load(self, *, epoch: str, by_log: bool) -> None:
        """Start to load all rows anew; those that are here serve on."""
        with writing(self._engine) as connection:
            begin(connection, epoch=epoch, by_log=by_log)

    def store_part(
        self,
        rows: Columns,
        *,
        next_bucket: int | None,
        seq: int,
        refused: int,
    ) -> None:
        """Take a part of a snapshot in, with how far the load now is, in one transaction.

        `rows` in token order, of buckets from which there are none yet. The log is read later from
        the seq of the *first* part on: what moved in between comes again.
        """
        weight = links.weight_of(self.identity.digest_key, rows)
        with writing(self._engine) as connection:
            load = _require(connection)
            tally = _stored(connection, "link_next")
            links.add(connection, tally, rows, weight)
            _save(
                connection,
                tally,
                next_bucket=next_bucket,
                cursor=seq if load.cursor is None else load.cursor,
                refused=load.refused + refused,
            )

    def apply_load_page(self, rows: Iterable[Row], *, cursor: int, refused: int = 0) -> int:
        """As `apply_page`, for the rows of the load."""
        sound, bad = links.sort_out(rows)
        refused += bad
        with writing(self._engine) as connection:
            load = _require(connection)
            tally = _stored(connection, "link_next")
            take = links.put if load.cursor else links.put_new
            take(connection, self.identity.digest_key, tally, sound, into="link_next")
            _save(
                connection,
                tally,
                cursor=max(load.cursor or 0, cursor),
                refused=load.refused + refused,
            )
        return refused

    def finish_load(
        self, head: ScopeHead, *, epoch: str, anyway: bool, renew_age: bool = True
    ) -> bool:
        """The last page of the load is in: where the digests are equal, its rows serve from now on.

        `anyway` lets them serve although the digests differ: for a counter that has no other rows.
        Then the place stays unproven, and every pull tries to mend it. `renew_age` as in
        `finish_pull`. Returns whether they are equal.
        """
        with writing(self._engine) as connection:
            load = _require(connection)
            same = (load.cursor, load.digest) == (head.seq, head.digest)
            if not (same or anyway):
                return False
            connection.exec_driver_sql("DROP TABLE link")
            connection.exec_driver_sql("ALTER TABLE link_next RENAME TO link")
            connection.exec_driver_sql(migrations.LINK_NEXT)
            connection.execute(delete(StoredLoading))
            progress.change(
                connection,
                epoch=epoch,
                cursor=load.cursor or 0,
                digest=load.digest,
                rows=load.rows,
                refused_rows=load.refused,
                position_seq=head.seq if same else None,
                position_digest=head.digest if same else None,
            )
            if renew_age:
                ageing.start_anew(connection, wall=self._clock.now(), boot=self._boot_time())
            verdicts.acknowledge_all(connection, seq=head.seq)
        return same

    def bucket_digests(self, *, of: Rows = "link") -> bytes:
        """The digest of the rows themselves in 256 parts, 4 KB: a scan, for when sums differ."""
        with reading(self._engine) as connection:
            sums, _ = links.bucket_sums(connection, self.identity.digest_key, of=of)
        return b"".join(value.to_bytes(DIGEST_LENGTH, "big") for value in sums)

    def replace_bucket(self, bucket: int, rows: Columns, *, of: Rows = "link") -> None:
        """Put the server's rows of one bucket in the place of those here, in one transaction."""
        with writing(self._engine) as connection:
            tally = _stored(connection, of)
            links.replace_bucket(connection, self.identity.digest_key, tally, bucket, rows, into=of)
            if of == "link":
                progress.save_tally(connection, tally, refused=0)
            else:
                _save(connection, tally)

    def recount(self, *, of: Rows = "link") -> bool:
        """Compare the stored sums with the rows themselves, and put them right. A whole scan.

        False when they differed: a bug, or a damage that the cipher did not see. The place is then
        not proven any more, so that the next pull compares with the server and mends what differs.
        """
        with reading(self._engine) as connection:
            if self._counted(connection, of) == _stored(connection, of):
                return True
        with writing(self._engine) as connection:
            tally = self._counted(connection, of)
            if of == "link_next":
                _save(connection, tally)
            else:
                progress.save_tally(connection, tally, refused=0)
                progress.change(connection, position_seq=None, position_digest=None)
        return False

    def _counted(self, connection: Connection, of: Rows) -> Tally:
        sums, rows = links.bucket_sums(connection, self.identity.digest_key, of=of)
        return Tally(sum(sums) % (1 << 8 * DIGEST_LENGTH), rows)

    def note_repair(self) -> None:
        """Rows that differ are fetched anew now; not again for a while."""
        with writing(self._engine) as connection:
            progress.change(connection, repaired_at=int(self._clock.now().timestamp()))


def _require(connection: Connection) -> StoredLoading:
    load = load_row(connection)
    if load is None:
        raise RuntimeError("no load is under way")
    return load


def _stored(connection: Connection, of: Rows) -> Tally:
    """The sums as they stand, to be changed with the rows in this transaction."""
    if of == "link":
        return progress.start_tally(connection)
    load = _require(connection)
    return Tally(int.from_bytes(load.digest, "big"), load.rows)


def _save(connection: Connection, tally: Tally, **values: object) -> None:
    connection.execute(
        update(StoredLoading).values(digest=tally.digest_bytes, rows=tally.rows, **values)
    )
