"""A server that came back from a backup, and a counter that did: what is sent again, and under what.

A reset puts the journal in front of the queue. A counter whose file is a copy draws a new
incarnation and numbers anew what the server has not, with the seal's own number beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from secrets import token_bytes

from sqlalchemy import Connection, update
from sqlmodel import Session, col, select

from mykey_tui.domain.ids import Incarnation
from mykey_tui.store import loading, outbox, progress
from mykey_tui.store.base import StoreBase
from mykey_tui.store.engine import reading, writing
from mykey_tui.store.identity import incarnation_of
from mykey_tui.store.outbox import IS_OPEN
from mykey_tui.store.tables import MutationState, StoredMutation
from mykey_tui.wire.messages import (
    FIRST_PREV,
    KnownItem,
    PushItem,
    RecoveredItem,
    item_hash,
)

INCARNATION_LENGTH = 16
_MACHINE_ID = Path("/etc/machine-id")
_UNSENT = (MutationState.WAITING.value, MutationState.PARKED.value)


def fingerprint(database: Path) -> bytes:
    """Of this machine and this file: a copy on another machine, or in another file, has another.

    A keyed hash, 16 bytes: the machine's own number is not to be told to anybody (machine-id(5)).
    """
    try:
        machine = _MACHINE_ID.read_bytes()
    except OSError:
        machine = b""  # no systemd here: then the file alone tells
    where = b"%b %d" % (machine.strip(), database.stat().st_ino)
    return hashlib.blake2b(where, key=b"mykey-counter-file", digest_size=16).digest()


class Numbering(StoreBase):
    """The part of `CounterStore` that survives copies, on either side."""

    def incarnation(self) -> Incarnation:
        """The present one, also when another process has drawn it."""
        with reading(self._engine) as connection:
            return incarnation_of(connection)

    def note_fingerprint(self) -> None:
        """Look whether this is the file that it was. A copy sends nothing before `draw_anew`."""
        now = fingerprint(self.home.database)
        with reading(self._engine) as connection:
            known = progress.row_of(connection).fingerprint
        if known == now:
            return
        with writing(self._engine) as connection:
            progress.change(connection, fingerprint=now)
            if known is not None:
                progress.change(connection, recover_due=1)

    def unsure_items(self) -> Sequence[KnownItem]:
        """What the server must be asked about before numbers are drawn anew, in order."""
        with reading(self._engine) as connection:
            rows = _unsent(connection, incarnation_of(connection))
            return [KnownItem(row.number, item_hash(outbox.item_of(row))) for row in rows]

    def draw_anew(self, answers: Iterable[RecoveredItem]) -> None:
        """Draw a new incarnation, and number under it what the server has not, in one transaction.

        What it has decided with the same content goes on under its old number, and the next push
        brings its verdict. What it holds goes under a new number with all behind it: an act waits for
        the ones before it within one incarnation alone. These answers settle nothing: they were given
        without comparing places, and a verdict without the place that it belongs to would be lost
        with the server's disk. Nothing was sent while the answers were on their way, so that what was
        queued meanwhile is known to nobody.
        """
        decided = {answer.mid for answer in answers if _is_decided(answer)}
        with writing(self._engine) as connection:
            rows = _unsent(connection, incarnation_of(connection))
            self._renumber(connection, [row for row in rows if row.number not in decided])
            progress.change(connection, recover_due=0)
        self.identity = replace(self.identity, incarnation=self.incarnation())

    def number_anew(self, *, incarnation: bytes, first: int) -> None:
        """Draw a new incarnation: the server misses a number of one that cannot be sent.

        It has none from that one on. See `_move` for what goes along.
        """
        with writing(self._engine) as connection:
            self._move(connection, {incarnation: first - 1})

    def adopt_epoch(self, epoch: str) -> None:
        """The same history under a new name: a failover. Nothing is sent again."""
        with writing(self._engine) as connection:
            progress.change(connection, epoch=epoch)

    def journal_incarnations(self) -> Sequence[bytes]:
        """Under which incarnations the journal has items, the newest first."""
        with reading(self._engine) as connection:
            return _incarnations(connection)

    def reset(self, *, epoch: str, by_log: bool, last_mids: Mapping[bytes, int] | None) -> None:
        """The server's history is another one: begin anew, and lose nothing. One transaction.

        Place and mark go; what the server had acknowledged waits again, in front of what waited
        already, and its effect here stays; a load of all rows begins, while the old ones serve.

        Numbers are gapless, so a refused mutation that the server has lost would have to be sent
        again, and might now be accepted behind the back of a person who was told no. Where one comes
        after `last_mids` (newest number that the server has, by incarnation), what waits is numbered
        anew without it. None for a server that knows no origins: then it is sent again, and so it is
        for an incarnation that nobody asked about.
        """
        with writing(self._engine) as connection:
            _journal_to_queue(connection)
            progress.change(
                connection,
                epoch=epoch,
                cursor=0,
                position_seq=None,
                position_digest=None,
                mark_seq=None,
                mark_digest=None,
                durable_through=0,
                parked_sent_at=None,
            )
            loading.begin(connection, epoch=epoch, by_log=by_log)
            if last_mids is not None and _has_lost_a_refusal(connection, last_mids):
                self._move(connection, last_mids)
        self.identity = replace(self.identity, incarnation=self.incarnation())

    def _move(self, connection: Connection, last_mids: Mapping[bytes, int]) -> None:
        """Number anew what waits and comes after these numbers: the server has none of it.

        What it may hold goes along, because at the server an act waits for a held one before it
        within one incarnation alone. It knows that by the number of the seal; what had been numbered
        anew before it knows by another, so that stays, and its verdict comes under that.
        """
        rows = [
            row
            for row in _unsent(connection)
            if row.origin_incarnation is None
            or row.number > last_mids.get(row.incarnation, row.number)
        ]
        self._renumber(connection, rows)

    def _renumber(self, connection: Connection, rows: Sequence[StoredMutation]) -> None:
        """Draw an incarnation and number these under it, from 1, in their order."""
        drawn = token_bytes(INCARNATION_LENGTH)
        prev, number = FIRST_PREV, 0
        for number, row in enumerate(rows, start=1):
            origin = outbox.sealed_under(row)
            item = PushItem(
                mid=number,
                op=row.op,
                v=row.v,
                token=row.token,
                sid=row.service_id,
                seen_seq=row.seen_seq,
                prev=prev,
                sealed=row.sealed,
                origin=origin,
                replaces=row.replaces,
            )
            connection.execute(
                update(StoredMutation)
                .where(col(StoredMutation.mid) == row.mid)
                .values(
                    incarnation=drawn,
                    number=number,
                    prev=prev,
                    origin_incarnation=origin.incarnation,
                    origin_number=origin.mid,
                    origin_op=origin.op,
                )
            )
            prev = item_hash(item)
        connection.exec_driver_sql("UPDATE identity SET incarnation = ?", (drawn,))
        progress.change(connection, last_number=number, last_hash=prev)


def _is_decided(answer: RecoveredItem) -> bool:
    verdict = answer.verdict
    return answer.state == "same" and verdict is not None and verdict.verdict != "held"


def _unsent(connection: Connection, incarnation: bytes | None = None) -> Sequence[StoredMutation]:
    """What the server has not decided, in the order of the acts; of one incarnation, or of all."""
    among = select(StoredMutation).where(IS_OPEN, col(StoredMutation.state).in_(_UNSENT))
    if incarnation is not None:
        among = among.where(col(StoredMutation.incarnation) == incarnation)
    return Session(connection).exec(among.order_by(col(StoredMutation.mid))).all()


def _journal_to_queue(connection: Connection) -> None:
    """What is in effect at the server waits again; what it refused does not.

    Its effect is laid over the rows where they say the same now: they will be swapped soon. What
    has changed since elsewhere is not, and what waited already lies there and stays.
    """
    connection.exec_driver_sql(
        "INSERT OR IGNORE INTO local_link (token, service_id, mid) "
        "SELECT token, effect, mid FROM (SELECT o.token AS token, o.mid AS mid, "
        "CASE o.op WHEN 'unlink' THEN NULL ELSE o.service_id END AS effect, "
        "max(o.mid) FROM outbox AS o WHERE o.state = 'done' AND o.code IS NULL "
        "GROUP BY o.token) AS newest "
        "WHERE effect IS (SELECT service_id FROM link WHERE link.token = newest.token)"
    )
    connection.execute(
        update(StoredMutation)
        .where(
            col(StoredMutation.state) == MutationState.DONE.value,
            col(StoredMutation.code).is_(None),
        )
        .values(state=MutationState.WAITING.value, tries=0)
    )
    connection.execute(update(StoredMutation).values(acked_seq=None))


def _has_lost_a_refusal(connection: Connection, last_mids: Mapping[bytes, int]) -> bool:
    """Whether a refused mutation is among what comes after these numbers.

    Also where nothing waits: the next number would stand behind the refused one.
    """
    for incarnation, last_mid in last_mids.items():
        behind = col(StoredMutation.number) > last_mid
        among = select(StoredMutation.state).where(
            StoredMutation.incarnation == incarnation, behind
        )
        if any(state not in _UNSENT for state in Session(connection).exec(among)):
            return True
    return False


def _incarnations(connection: Connection) -> Sequence[bytes]:
    found = connection.exec_driver_sql(
        "SELECT incarnation FROM outbox GROUP BY incarnation ORDER BY max(mid) DESC"
    )
    return [bytes(each) for each in found.scalars()]
