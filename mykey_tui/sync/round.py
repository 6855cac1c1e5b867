"""One round of reconciliation. `mykey sync` is one round; the background does one after another.

Suspensions first; then whether both are of one history; then what waits goes out; then what is new
comes in. What one part cannot do never keeps the next one from being tried, where that is safe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import MyKeyError, ServerError
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.sync.client import ResetError, ServerClient
from mykey_tui.sync.following import greet, is_known
from mykey_tui.sync.plan import (
    Abilities,
    Limits,
    abilities_of,
    check_version,
    is_older_than_sent,
    limits_of,
)
from mykey_tui.sync.pull import LoadingRows, Pulled, ServingRows, Sink, pull_log, pull_parts
from mykey_tui.sync.push import JournalEndsError, Pace, Pushed, push_queue
from mykey_tui.sync.repair import is_due, repair
from mykey_tui.sync.retire import ends_when_retired
from mykey_tui.sync.standing import agree, recover
from mykey_tui.sync.suspend import pull_suspensions
from mykey_tui.wire.messages import HeadReply, HelloReply, ScopeHead

LOCK_WAIT_SECONDS = 15.0
"""How long a round waits for another process's round; that one is bounded by its time-outs."""

TRIES_MAX = 2
"""How often one round begins anew because the history is another one. A server that always says so
ends in a visible state, not in requests."""


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What one round did."""

    pushed: int
    """Mutations sent."""
    applied: int
    already: int
    conflicts: int
    invalid: int
    put_off: int
    """Without verdict yet; they go again."""
    parked: int
    """Put off too often; somebody must look."""
    pulled: int
    """Rows received."""
    refused_rows: int
    """Rows of the server's that could not be read and are not here."""
    rows: int
    """Rows here now."""
    seq: int
    epoch: str
    digest: Literal["match", "mismatch"]
    poll_after_seconds: float
    """When the server wants to be asked again."""
    retry_after_seconds: float | None


@dataclass(slots=True)
class _Round:
    """One round's tools, and what has come of it so far."""

    store: CounterStore
    client: ServerClient
    hello: HelloReply
    able: Abilities
    limits: Limits
    pace: Pace
    pushed: Pushed
    pulled: Pulled
    failure: MyKeyError | None = None
    """What could not be done although the round went on; raised at its end."""
    suspensions_proven: bool = True
    keys_differ: bool = False
    """The server shows keys that nothing here leads to: it may not be able to open what waits."""

    def fail(self, error: MyKeyError) -> None:
        """Remember the first failure."""
        self.failure = self.failure or error


def sync_round(
    store: CounterStore,
    client: ServerClient,
    *,
    lock_wait_seconds: float = LOCK_WAIT_SECONDS,
    pace: Pace | None = None,
) -> SyncReport:
    """Suspensions, push, pull. What was settled or stored before an error stays.

    The pull comes even where the push broke off on a slow line or met a server in trouble, and all
    of it where the suspensions could not be verified: a suspension must arrive although nothing
    leaves, and the queue leaves although a list is not believed. Those errors are raised at the end.
    `pace` remembers from round to round what the line bears.

    Where the server's history is another one (it came back from a backup), the journal goes out
    again and all rows are loaded anew, while the old ones serve. A file that came back from a copy
    asks what became of its numbers and draws new ones for the rest. Neither needs a person.

    Raises:
        LineError: the server was not reached, or no longer.
        ServerError: it refused this counter (SERVER_DENIED, SERVER_CLOCK, SERVER_COPIED, SERVER_BUSY),
            its suspensions or its keys are not proven (SERVER_SUSPENSIONS, SERVER_KEYS), its history
            is another one each time (SERVER_RESET; nothing is dropped), or it made no sense
            (SERVER_BROKEN).
        RetiredError: the server proved that the operator retired this counter. Its keys and its
            store are destroyed by then (`sync.retire`).
        StoreError: the counter's own file; STORE_BUSY when another round runs for too long.
    """
    with store.home.syncing(lock_wait_seconds):
        return locked_round(store, client, pace=pace)


def locked_round(
    store: CounterStore, client: ServerClient, *, pace: Pace | None = None
) -> SyncReport:
    """As `sync_round`, for a caller that holds the home's lock (`Home.syncing`) already."""
    with ends_when_retired(store):
        store.note_time()
        try:
            hello, _ = greet(store, client)
            round_ = _begin(store, client, hello, pace or Pace())
            _judge_keys(round_, hello)
            _bring_suspensions(round_)
            _keep_numbers_right(round_)
            _reconcile(round_)
        except ServerError as error:
            if error.code is Code.SERVER_COPIED:
                # When the operator lets it in again, its numbers are drawn anew first.
                store.require_recovery()
            raise
        # The server answers all else, so what failed alone failed by itself.
        suspects = round_.pushed.suspects
        parked = store.count_try(suspects) if suspects else 0
        if round_.failure is not None:
            raise round_.failure
        return _report(round_, parked=parked)


def _begin(store: CounterStore, client: ServerClient, hello: HelloReply, pace: Pace) -> _Round:
    check_version(hello)
    store.note_server_time()
    known = store.progress()
    if hello.staleness is not None:
        store.note_staleness(hello.staleness)
    if is_older_than_sent(hello, known) and not known.recover_due:
        store.require_recovery()
    return _Round(
        store=store,
        client=client,
        hello=hello,
        able=abilities_of(hello),
        limits=limits_of(hello),
        pace=pace,
        pushed=Pushed(),
        pulled=Pulled(),
    )


def _judge_keys(round_: _Round, hello: HelloReply) -> None:
    """Keep the queue from a server that shows keys which nothing here leads to."""
    if is_known(round_.store, hello):
        return
    round_.keys_differ = True
    round_.suspensions_proven = False
    round_.fail(ServerError(Code.SERVER_KEYS, "no proof leads from the key here to the server's"))


def _bring_suspensions(round_: _Round) -> None:
    if round_.keys_differ or not round_.able.suspensions:
        return  # not to be proven, or they come as rows of the scope itself
    for tries_left in reversed(range(TRIES_MAX)):
        try:
            _pull_suspensions(round_)
        except ServerError as error:
            if error.code not in (Code.SERVER_SUSPENSIONS, Code.SERVER_BROKEN):
                raise
            if tries_left and greet(round_.store, round_.client)[1]:
                continue  # the keys changed between the greeting and what was signed
            round_.suspensions_proven = False
            round_.fail(error)
        return


def _pull_suspensions(round_: _Round) -> None:
    store = round_.store
    pull_suspensions(
        store,
        round_.client,
        round_.limits,
        server_key=store.believed().server_key,
        now=store.time_now(),
    )


def _keep_numbers_right(round_: _Round) -> None:
    if not round_.store.progress().recover_due:
        return
    try:
        recover(round_.store, round_.client, round_.able)
    except ServerError as error:
        if error.code is not Code.SERVER_RESET:
            raise
        round_.fail(error)


def _reconcile(round_: _Round) -> None:
    """Push and pull within one history; once more where that turns out to be another one."""
    for tries_left in reversed(range(TRIES_MAX)):
        try:
            head = agree(round_.store, round_.client, round_.hello, round_.able)
            before = round_.pushed.requests
            _push(round_, is_last_try=not tries_left)
            _pull(round_, head if round_.pushed.requests == before else None)
        except ResetError:
            if not tries_left:
                raise
            # Put back since the greeting, perhaps to before it had the keys of what waits here.
            _judge_keys(round_, greet(round_.store, round_.client)[0])
        else:
            return


def _push(round_: _Round, *, is_last_try: bool) -> None:
    store, known = round_.store, round_.store.progress()
    if known.recover_due or round_.keys_differ:
        return
    durable = round_.hello.durable_through
    if known.mark is not None and known.position is not None and known.durable_through < durable:
        # Nothing newer than what this counter was told of can be said to be safe.
        store.note_durable(min(durable, known.mark.seq))
    try:
        _push_queue(round_)
    except ResetError as error:
        if not is_last_try:
            raise
        round_.fail(error)  # what is new comes in all the same
    if round_.pushed.failure is not None:
        round_.fail(round_.pushed.failure)


def _push_queue(round_: _Round) -> None:
    """As `push_queue`, and once more with new numbers where the server cannot take the old ones.

    Another history may have the same rows without our numbers: another counter made them there. What
    a backup of it holds the journal has forgotten, and what was refused does not go again: the
    numbers behind it would wait for ever.
    """
    store, tools = round_.store, (round_.client, round_.limits, round_.pace, round_.pushed)
    try:
        push_queue(store, *tools)
    except JournalEndsError as error:
        if round_.able.origin:
            store.number_anew(incarnation=error.incarnation, first=error.number)
        push_queue(store, *tools, refused_too=not round_.able.origin)


def _pull(round_: _Round, head: HeadReply | None) -> None:
    """What is new since the cursor; all rows where there are none, or a load is under way.

    `head` where the server has just told it and nothing was sent since: mostly there is no news.
    """
    store, client, able = round_.store, round_.client, round_.able
    known, load = store.progress(), store.load()
    epoch = known.epoch or round_.hello.epoch
    is_fresh = known.synced_at is None and known.cursor == 0
    if (load is None and is_fresh) or (load is not None and load.epoch != epoch):
        store.begin_load(epoch=epoch, by_log=not able.snapshot)
    if store.load() is not None:
        _load(round_, epoch, serves_nothing=known.synced_at is None)
        return
    sink = ServingRows(store, epoch, round_.suspensions_proven)
    if head is not None and head.seq == known.cursor:
        round_.pulled.match = sink.finish(ScopeHead(head.seq, head.digest))
    else:
        try:
            pull_log(client, round_.limits, sink, epoch, round_.pulled)
        except ResetError:
            # Below the horizon, though the place is not: 0 is in every history.
            store.begin_load(epoch=epoch, by_log=not able.snapshot)
            raise
    _mend(round_, sink, epoch)


def _load(round_: _Round, epoch: str, *, serves_nothing: bool) -> None:
    store, client, able = round_.store, round_.client, round_.able
    sink = LoadingRows(store, epoch, round_.suspensions_proven)
    try:
        pull_parts(store, client, epoch, round_.pulled)
        last = pull_log(client, round_.limits, sink, epoch, round_.pulled)
        _mend(round_, sink, epoch)
    except ResetError:
        store.begin_load(epoch=epoch, by_log=not able.snapshot)  # its places are gone
        raise
    if last is not None and not round_.pulled.match and (serves_nothing or not able.digest):
        # There are no other rows to answer from, or no better ones to be had; that these differ is
        # said all the same.
        sink.finish(last, anyway=True)


def _mend(round_: _Round, sink: Sink, epoch: str) -> None:
    """Fetch anew what differs, where it does and the last attempt is long enough ago."""
    store = round_.store
    if round_.pulled.match is not False or not round_.able.digest:
        return
    if is_due(store.progress().repaired_at, now=store.time_now()):
        repair(store, round_.client, round_.limits, sink, epoch, round_.pulled)


def _report(round_: _Round, *, parked: int) -> SyncReport:
    now, pushed, pulled = round_.store.progress(), round_.pushed, round_.pulled
    return SyncReport(
        pushed=pushed.sent,
        applied=pushed.total("applied"),
        already=pushed.total("already"),
        conflicts=pushed.total("conflicts"),
        invalid=pushed.total("invalid"),
        put_off=pushed.total("put_off") + len(pushed.suspects),
        parked=pushed.total("parked") + parked,
        pulled=pulled.rows,
        refused_rows=pulled.refused,
        rows=now.rows,
        seq=now.cursor,
        epoch=now.epoch or "",
        digest="match" if pulled.match else "mismatch",
        poll_after_seconds=round_.hello.poll_after_s,
        retry_after_seconds=pushed.retry_after_seconds,
    )
