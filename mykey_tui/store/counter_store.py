"""The counter's store as the rest of the program knows it: every change is one transaction.

Any thread may call; several processes may have the file open, so that `mykey link` in a script
works beside the running screen. What an operation has returned from is on disk (WAL, FULL).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, Engine

from mykey_tui.domain.clock import Clock, SystemClock
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.domain.ids import LookupToken, ServiceId
from mykey_tui.store import links, migrations, outbox, progress
from mykey_tui.store.engine import is_key_of, open_engine, reading, writing
from mykey_tui.store.home import Home, on_disk, sync_directory
from mykey_tui.store.identity import Identity, load_identity, store_identity
from mykey_tui.store.keys import load_key, make_key
from mykey_tui.store.links import LocalLink
from mykey_tui.store.outbox import Operation, QueueCounts, QueuedFrame, QueuedMutation, Seal
from mykey_tui.store.progress import Progress
from mykey_tui.wire.messages import (
    SEALED_BYTES_MAX,
    PushItem,
    PushReply,
    Row,
    ScopeHead,
    item_hash,
)

QUEUE_SHOWN_MAX = 500
"""More lines than anybody reads; the counts are of all."""

CLOCK_DOUBT = timedelta(seconds=300)
"""A time that has come already and lies further ahead than this means that the clock was put back."""

TIME_NOTED_EVERY_SECONDS = 300
"""How often the passing of time is written down: rarely, for the disk's sake."""


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


@dataclass(frozen=True, slots=True, repr=False)
class RowsNow:
    """The rows as a transaction sees them: nobody, in no process, changes them until it ends."""

    connection: Connection
    identity: Identity

    def lookup(self, token: LookupToken) -> LocalLink | None:
        """As `CounterStore.lookup`."""
        return links.find(self.connection, token)

    def token_of(self, service_id: ServiceId) -> LookupToken | None:
        """As `CounterStore.token_of`."""
        return links.find_token(self.connection, service_id)


class CounterStore:
    """One counter's links, queue and progress. Make it with `create` or `open`."""

    def __init__(self, home: Home, engine: Engine, identity: Identity, clock: Clock) -> None:
        self.home = home
        self.identity = identity
        self._engine = engine
        self._clock = clock
        self._pulled_here: tuple[int, float] | None = None

    @classmethod
    def create(cls, home: Home, identity: Identity, *, clock: Clock | None = None) -> CounterStore:
        """Make the store of a newly enrolled counter. It appears whole or not at all.

        Raises:
            StoreError: ENROL_ALREADY when there is a store, readable or not: see `Home.set_aside`.
                STORE_FULL when the disk does not take it.
        """
        with on_disk():
            cls._create(home, identity)
        return cls.open(home, clock=clock)

    @staticmethod
    def _create(home: Home, identity: Identity) -> None:
        if home.database.exists():
            raise StoreError(Code.ENROL_ALREADY)
        home.prepare()
        if home.has_leftovers:
            home.set_aside()
        key = make_key(home)
        beside = home.database.with_name(home.database.name + ".new")
        for leftover in home.path.glob(beside.name + "*"):
            leftover.unlink()  # of a `create` that was cut off; nothing was ever stored in it
        engine = open_engine(beside, key=key, create=True)
        try:
            migrations.bring_up(engine)
            with writing(engine) as connection:
                store_identity(connection, identity)
        finally:
            engine.dispose()  # the last connection moves the log into the file
        beside.chmod(0o600)
        beside.replace(home.database)
        sync_directory(home.path)

    @classmethod
    def open(cls, home: Home, *, clock: Clock | None = None) -> CounterStore:
        """Open the store.

        Raises:
            StoreError: STORE_NONE (not enrolled), STORE_KEY, STORE_CORRUPT, STORE_NEWER,
                STORE_ENGINE, STORE_FULL or STORE_BUSY. The file is left as it is.
        """
        if not home.database.exists():
            raise StoreError(Code.STORE_NONE)
        key = load_key(home)
        try:
            own = is_key_of(home.database, key)
        except OSError as error:
            raise StoreError(Code.STORE_FULL, error.strerror or "") from error
        if not own:
            raise StoreError(Code.STORE_KEY)
        engine = open_engine(home.database, key=key)
        try:
            migrations.bring_up(engine)
            with reading(engine) as connection:
                identity = load_identity(connection)
        except BaseException:
            engine.dispose()
            raise
        return cls(home, engine, identity, clock or SystemClock())

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    # Looking up

    def lookup(self, token: LookupToken) -> LocalLink | None:
        """The row of a token, with this counter's own waiting mutation laid over it."""
        with reading(self._engine) as connection:
            return links.find(connection, token)

    def token_of(self, service_id: ServiceId) -> LookupToken | None:
        """Whose service ID this is, as far as this counter knows."""
        with reading(self._engine) as connection:
            return links.find_token(connection, service_id)

    # The queue

    def queue_mutation(
        self,
        op: Operation,
        token: LookupToken,
        service_id: ServiceId,
        seal: Seal,
        *,
        guard: Callable[[RowsNow], None] | None = None,
    ) -> int:
        """Store a mutation and its effect here; on disk when this returns. Returns its number.

        `seal` gets the frame that the sealed part is bound to and returns the sealed bytes; it is
        called inside the transaction, because the number is given there. So is `guard`, before
        anything is stored: what it raises passes through, and nothing is stored. Two programs that
        would link one person, or one service ID, can therefore not both be told that it is done.

        Raises:
            ValueError: a seal that no server would take; an item must never be stuck for its form.
        """
        now = self._clock.now()
        with writing(self._engine) as connection:
            if guard is not None:
                guard(RowsNow(connection, self.identity))
            known = progress.read(connection)
            frame = QueuedFrame(
                device=str(self.identity.device_id),
                incarnation=self.identity.incarnation,
                scope=self.identity.scope,
                mid=known.last_mid + 1,
                op=op,
                v=outbox.MUTATION_VERSION,
                token=token,
                sid=service_id.text,
            )
            item = PushItem(
                mid=frame.mid,
                op=op,
                v=frame.v,
                token=token,
                sid=service_id.text,
                seen_seq=known.cursor,
                prev=known.last_hash,
                sealed=seal(frame),
            )
            if not 1 <= len(item.sealed) <= SEALED_BYTES_MAX:
                raise ValueError("a seal has at most 4096 bytes")
            outbox.append(connection, item, queued_at=now)
            progress.change(connection, last_mid=item.mid, last_hash=item_hash(item))
        return item.mid

    def next_batch(
        self,
        *,
        first: int,
        items_max: int,
        bytes_max: int,
        parked: bool = False,
        whole_journal: bool = False,
    ) -> list[PushItem]:
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

    def settle(self, reply: PushReply, *, sent: Sequence[int]) -> Settled:
        """Take a push reply in: verdicts, the rows as they now stand, and the mark, all at once.

        Verdicts for mids that were not `sent` are ignored; a mid that was sent and has no verdict
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
            cursor = progress.read(connection).cursor
            tally = progress.start_tally(connection)
            # What lies at or before the cursor is here already, or was superseded: a replayed
            # verdict may show a row that has been removed since.
            rows, refused = links.sort_out(v.row for v in final if v.row and v.row[4] > cursor)
            links.put(connection, self.identity.digest_key, tally, rows)
            for verdict in final:
                outbox.settle(connection, verdict, seq=reply.seq)
            parked = outbox.count_try(connection, tried)
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
            return outbox.count_try(connection, mids)

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

    def retry(self, mid: int) -> bool:
        """Put a parked mutation back in line; False when it is not parked."""
        with writing(self._engine) as connection:
            return outbox.release(connection, mid)

    def resolve(self, mid: int) -> bool:
        """Take a refused mutation off the list, looked at; False when it is not refused."""
        with writing(self._engine) as connection:
            return outbox.dismiss(connection, mid)

    # Pulling

    def progress(self) -> Progress:
        """How far this counter is."""
        with reading(self._engine) as connection:
            return progress.read(connection)

    def apply_page(self, rows: Iterable[Row], *, epoch: str, cursor: int, refused: int = 0) -> int:
        """Take rows in and move the cursor, in one transaction. Returns how many were bad.

        A bad row (see `links.sort_out`) never stops the others. `refused` are those that the
        reader of the page had already found bad.
        """
        sound, bad = links.sort_out(rows)
        refused += bad
        with writing(self._engine) as connection:
            known = progress.read(connection)
            tally = progress.start_tally(connection)
            take = links.put_new if known.position is None else links.put
            take(connection, self.identity.digest_key, tally, sound)
            progress.save_tally(connection, tally, refused=refused)
            progress.change(connection, epoch=epoch, cursor=max(known.cursor, cursor))
        return refused

    def finish_pull(self, head: ScopeHead, *, epoch: str) -> bool:
        """The last page is in: compare digests, and move the position when they are equal.

        The age of the revocation data starts anew either way: every change was received.
        """
        now = int(self._clock.now().timestamp())
        with writing(self._engine) as connection:
            known = progress.read(connection)
            same = (known.cursor, known.digest) == (head.seq, head.digest)
            if same:
                progress.change(connection, position_seq=head.seq, position_digest=head.digest)
            # Also where the floor was ahead: these rows are fresh, whatever a wrong clock had said.
            progress.change(connection, epoch=epoch, synced_at=now, time_floor=now)
            # In effect at the server, and the pull has now brought what the reply did not show.
            outbox.drop_settled_effects(connection)
            connection.exec_driver_sql(links.INDEX_BY_SERVICE_ID)
        self._pulled_here = (now, self._clock.monotonic())
        return same

    def pull_age_seconds(self) -> float | None:
        """Seconds since the last complete pull; None when there was none or no clock tells.

        The longer of two measures, so that neither a clock put back nor a box that slept makes
        old data look fresh: the monotonic clock where this process pulled, and the wall clock. A wall
        clock that stands before a time that has come already (`note_time`) tells nothing.
        """
        known = self.progress()
        synced_at = known.synced_at
        if synced_at is None:
            return None
        now = self._clock.now().timestamp()
        floor = max(synced_at, known.time_floor or synced_at)
        if self._pulled_here is not None and self._pulled_here[0] == synced_at:
            here = self._clock.monotonic() - self._pulled_here[1]
            return max(now - synced_at, floor - synced_at, here)
        if now < floor - CLOCK_DOUBT.total_seconds():
            return None
        return max(now, floor) - synced_at

    def block_pushes(self) -> None:
        """Send nothing more from this file, also after a restart: it came back from a copy.

        Later mutations would take numbers that the server has with other content, and a counter
        that does so is shut out as a copied disk. Nothing lifts this yet; the queue stays as it is.
        """
        with writing(self._engine) as connection:
            progress.change(connection, push_blocked=1)

    def note_time(self) -> None:
        """Write down that this time has come; every round calls it, also one that fails.

        It only moves forward here, at most every `TIME_NOTED_EVERY_SECONDS`; a complete pull sets it
        to the server's time. It is the counter's own time and of nobody's act.
        """
        now = int(self._clock.now().timestamp())
        floor = self.progress().time_floor
        if floor is None or now - floor >= TIME_NOTED_EVERY_SECONDS:
            with writing(self._engine) as connection:
                progress.change(connection, time_floor=now)

    def note_durable(self, seq: int) -> None:
        """A verified backup of the server holds everything up to `seq`: the journal may forget it."""
        with writing(self._engine) as connection:
            progress.change(connection, durable_through=seq)
            outbox.prune(connection, durable_through=seq)

    def save_clock_offset(self, offset: timedelta) -> None:
        """Remember the offset for the next start."""
        with writing(self._engine) as connection:
            progress.change(connection, clock_offset_ms=round(offset / timedelta(milliseconds=1)))
