"""The store's queue: what this counter does, until the server has said what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from mykey_tui.domain.ids import LookupToken, ServiceId
from mykey_tui.store import links, outbox, progress, verdicts
from mykey_tui.store.base import RowsNow, StoreBase
from mykey_tui.store.engine import reading, writing
from mykey_tui.store.identity import incarnation_of
from mykey_tui.store.load_progress import load_row
from mykey_tui.store.outbox import (
    Batch,
    Operation,
    QueueCounts,
    QueuedFrame,
    QueuedMutation,
    Seal,
)
from mykey_tui.store.tables import MutationState
from mykey_tui.wire.messages import SEALED_BYTES_MAX, Origin, PushItem, PushReply, item_hash

QUEUE_SHOWN_MAX = 500
"""More lines than anybody reads; the counts are of all."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What one push reply did."""

    applied: int = 0
    already: int = 0
    conflicts: int = 0
    invalid: int = 0
    put_off: int = 0
    """Not decided now, or waiting for an earlier one; they go again."""
    parked: int = 0

    @property
    def decided(self) -> int:
        """How many got a final verdict."""
        return self.applied + self.already + self.conflicts + self.invalid


class Queueing(StoreBase):
    """The part of `CounterStore` that has to do with the queue and its journal."""

    def queue_mutation(
        self,
        op: Operation,
        token: LookupToken,
        service_id: ServiceId,
        seal: Seal,
        *,
        guard: Callable[[RowsNow], None] | None = None,
    ) -> int:
        """Store a mutation and its effect here; on disk when this returns. Returns its mid.

        `seal` gets the frame that the sealed part is bound to and returns the sealed bytes; it is
        called inside the transaction, because the number is given there. So is `guard`, before
        anything is stored: what it raises passes through, and nothing is stored. Two programs that
        would link one person, or one service ID, can therefore not both be told that it is done.

        Raises:
            ValueError: a seal that no server would take; an item must never be stuck for its form.
        """
        with writing(self._engine) as connection:
            if guard is not None:
                guard(RowsNow(connection, self.identity))
            frame = QueuedFrame(
                device=str(self.identity.device_id),
                incarnation=incarnation_of(connection),
                scope=self.identity.scope,
                mid=progress.read(connection).last_number + 1,
                op=op,
                v=outbox.MUTATION_VERSION,
                token=token,
                sid=service_id.text,
            )
            return self._append(connection, frame, seal(frame))

    def replace_conflict(self, mid: int) -> int:
        """Answer a refused link (S-DUP) with: the new service ID all the same. Returns the new mid.

        A new mutation `replace` names the refused one as the origin of its seal, because the card is
        gone, and the service ID that the person saw standing there. It takes effect here at once; the
        refused one is off the list. All of it is one transaction.

        Raises:
            NotReplaceableError: another kind of refusal, or the server's row has changed since:
                nothing is overwritten that nobody saw.
        """
        with writing(self._engine) as connection:
            refused = verdicts.to_replace(connection, mid)
            frame = QueuedFrame(
                device=str(self.identity.device_id),
                incarnation=incarnation_of(connection),
                scope=self.identity.scope,
                mid=progress.read(connection).last_number + 1,
                op="replace",
                v=refused.v,
                token=LookupToken(refused.token),
                sid=refused.service_id,
            )
            queued = self._append(
                connection,
                frame,
                refused.sealed,
                origin=outbox.sealed_under(refused),
                replaces=refused.other_service_id,
            )
            verdicts.dismiss(connection, mid)
        return queued

    def _append(
        self,
        connection: Connection,
        frame: QueuedFrame,
        sealed: bytes,
        *,
        origin: Origin | None = None,
        replaces: str | None = None,
    ) -> int:
        if not 1 <= len(sealed) <= SEALED_BYTES_MAX:
            raise ValueError(f"a seal has at most {SEALED_BYTES_MAX} bytes")
        known = progress.read(connection)
        item = PushItem(
            mid=frame.mid,
            op=frame.op,
            v=frame.v,
            token=frame.token,
            sid=frame.sid,
            seen_seq=known.cursor,
            prev=known.last_hash,
            sealed=sealed,
            origin=origin,
            replaces=replaces,
        )
        mid = known.last_mid + 1
        outbox.append(
            connection, item, mid=mid, incarnation=frame.incarnation, queued_at=self._clock.now()
        )
        progress.change(connection, last_mid=mid, last_number=item.mid, last_hash=item_hash(item))
        return mid

    def next_batch(
        self,
        *,
        first: int,
        items_max: int,
        bytes_max: int,
        parked: bool = False,
        whole_journal: bool = False,
    ) -> Batch:
        """What to send, in order, from mid `first` on. See `outbox.batch`."""
        with reading(self._engine) as connection:
            return outbox.batch(
                connection,
                first=first,
                items_max=items_max,
                bytes_max=bytes_max,
                parked=parked,
                whole_journal=whole_journal,
            )

    def mid_of(self, number: int, *, incarnation: bytes | None = None) -> int | None:
        """The mid of what is called `number` on the wire; None when the journal has it no more."""
        with reading(self._engine) as connection:
            return outbox.mid_of_number(
                connection, incarnation or incarnation_of(connection), number
            )

    def was_refused(self, mid: int) -> bool:
        """Whether the server refused it, dismissed since or not: a person was told no."""
        with reading(self._engine) as connection:
            return outbox.was_refused(connection, mid)

    def unsent_hashes(self, numbers: Iterable[int], *, incarnation: bytes) -> Mapping[int, bytes]:
        """Of these numbers of the wire, those that wait or are parked, with what their items hash to."""
        with reading(self._engine) as connection:
            return outbox.unsent_hashes(connection, incarnation, numbers)

    def settle(
        self, reply: PushReply, *, sent: Sequence[int], incarnation: bytes | None = None
    ) -> Settled:
        """Take a push reply in: verdicts, the rows as they now stand, and the mark, all at once.

        `sent` are numbers of the wire, of the present incarnation or of the one that is named.
        Verdicts for numbers that were not sent are ignored; one that was sent and has no verdict
        is put off, like one with `retry` or `held`. Nothing is counted against items that the server
        holds back because it waits for an earlier one (`expect_mid`); `held` is always counted: the
        server has that item and could not decide it.
        """
        asked = set(sent)
        final = [v for v in reply.items if v.mid in asked and v.verdict not in ("retry", "held")]
        held = {v.mid for v in reply.items if v.verdict == "held"}
        put_off = sorted(asked - {verdict.mid for verdict in final})
        behind = reply.expect_mid if reply.expect_mid is not None else max(sent, default=0)
        tried = [mid for mid in put_off if mid <= behind or mid in held]
        with writing(self._engine) as connection:
            series = incarnation or incarnation_of(connection)
            cursor = progress.read(connection).cursor
            tally = progress.start_tally(connection)
            loading = load_row(connection) is not None
            # What lies at or before the cursor is here already, or was superseded: a replayed
            # verdict may show a row that has been removed since.
            rows, refused = links.sort_out(v.row for v in final if v.row and v.row[4] > cursor)
            links.put(connection, self.identity.digest_key, tally, rows)
            for verdict in final:
                mid = outbox.mid_of_number(connection, series, verdict.mid)
                if mid is not None:
                    verdicts.settle(connection, mid, verdict, seq=reply.seq, loading=loading)
            mids = (outbox.mid_of_number(connection, series, number) for number in tried)
            parked = verdicts.count_try(connection, [mid for mid in mids if mid is not None])
            progress.save_tally(connection, tally, refused=refused)
            progress.change(
                connection, epoch=reply.epoch, mark_seq=reply.seq, mark_digest=reply.digest
            )
        names = [verdict.verdict for verdict in final]
        return Settled(
            applied=names.count("applied"),
            already=names.count("already"),
            conflicts=names.count("conflict"),
            invalid=names.count("invalid"),
            put_off=len(put_off),
            parked=parked,
        )

    def count_try(self, mids: Iterable[int]) -> int:
        """Count a try of items that brought the whole request down. Returns how many it parked."""
        with writing(self._engine) as connection:
            return verdicts.count_try(connection, mids)

    def parked_due(self) -> int | None:
        """From which mid on parked mutations are to go again now; None when it is not yet time."""
        with reading(self._engine) as connection:
            if outbox.counts(connection).attention == 0:
                return None
            known = progress.read(connection)
        if known.parked_sent_at is None:
            return known.parked_next
        since = self._clock.now().timestamp() - known.parked_sent_at
        # A clock put back must not make them wait for it to come round again.
        return None if 0 <= since < outbox.PARKED_AGAIN_SECONDS else known.parked_next

    def note_parked_sent(self, following: int) -> None:
        """They go again now; the next time they go on from mid `following`."""
        now = int(self._clock.now().timestamp())
        with writing(self._engine) as connection:
            progress.change(connection, parked_sent_at=now, parked_next=following)

    def queue(self, *, limit: int = QUEUE_SHOWN_MAX) -> Sequence[QueuedMutation]:
        """What waits and what needs a person, oldest first."""
        with reading(self._engine) as connection:
            return outbox.open_ones(connection, limit=limit)

    def open_mutation(self, mid: int) -> QueuedMutation | None:
        """One line of the queue; None when the mutation is in effect at the server."""
        with reading(self._engine) as connection:
            return outbox.open_one(connection, mid)

    def counts(self) -> QueueCounts:
        """How much waits, how much needs a person, and since when."""
        with reading(self._engine) as connection:
            return outbox.counts(connection)

    def unsent(self) -> int:
        """How many mutations the server has not decided yet. Above 0, nothing may be wiped."""
        with reading(self._engine) as connection:
            return outbox.count_in(connection, MutationState.WAITING, MutationState.PARKED)

    def unbacked(self) -> int:
        """How many acknowledged mutations only this journal could bring back to a lost server."""
        with reading(self._engine) as connection:
            return outbox.count_unbacked(connection)

    def provisional_place(self, token: LookupToken) -> int:
        """Which of the unsent links of unknown people this token's is, from 1, oldest first.

        0 where it is none: nothing of it waits, or the server has told of a row for this person.
        """
        with reading(self._engine) as connection:
            return outbox.unknown_before(connection, token)

    def retry(self, mid: int) -> bool:
        """Put a parked mutation back in line; False when it is not parked."""
        with writing(self._engine) as connection:
            return verdicts.release(connection, mid)

    def resolve(self, mid: int) -> bool:
        """Take a refused mutation off the list, looked at; False when it is not refused."""
        with writing(self._engine) as connection:
            return verdicts.dismiss(connection, mid)
