"""One round of reconciliation: send what waits, then fetch what is new. `mykey sync` is one round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.sync.client import ServerClient
from mykey_tui.sync.plan import check_standing, is_older_than_sent, limits_of
from mykey_tui.sync.pull import Pulled, pull_scope
from mykey_tui.sync.push import Pace, Pushed, push_queue
from mykey_tui.sync.retire import ends_when_retired

LOCK_WAIT_SECONDS = 15.0
"""How long a round waits for another process's round; that one is bounded by its time-outs."""


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


def sync_round(
    store: CounterStore,
    client: ServerClient,
    *,
    lock_wait_seconds: float = LOCK_WAIT_SECONDS,
    pace: Pace | None = None,
) -> SyncReport:
    """Push, then pull. What was settled or stored before an error stays.

    The pull comes even where the push broke off on a slow line or met a server in trouble: a
    suspension must arrive although nothing leaves. The push's error is raised after it.
    `pace` remembers from round to round what the line bears.

    A file that came back from a copy (the server knows more of this counter's mutations than the
    counter) sends nothing from then on, also after a restart, and still fetches: its rows get fresh,
    a suspension arrives. Each round then ends with SERVER_RESET. How such a counter gets its numbers
    right again is not decided here yet; until then it is set aside and enrolled anew.

    Raises:
        LineError: the server was not reached, or no longer.
        ServerError: it refused this counter (SERVER_DENIED, SERVER_CLOCK), has another history
            or this counter's file came back from a copy (SERVER_RESET; nothing is dropped), or made no sense (SERVER_BROKEN).
        RetiredError: the server proved that the operator retired this counter. Its keys and its
            store are destroyed by then (`sync.retire`).
        StoreError: the counter's own file; STORE_BUSY when another round runs for too long.
    """
    with store.home.syncing(lock_wait_seconds), ends_when_retired(store):
        store.note_time()
        hello = client.hello()
        known = store.progress()
        check_standing(hello, known)
        limits = limits_of(hello)
        if known.mark is not None and known.durable_through < hello.durable_through:
            # Nothing newer than what this counter was told of can be said to be safe.
            store.note_durable(min(hello.durable_through, known.mark.seq))
        if not known.recover_due and is_older_than_sent(hello, known):
            store.require_recovery()
            known = store.progress()
        pushed = (
            Pushed() if known.recover_due else push_queue(store, client, limits, pace or Pace())
        )
        pulled = pull_scope(
            store, client, limits, epoch=hello.epoch, poll_first=pushed.requests == 0
        )
        # The server answers all else, so what failed alone failed by itself.
        parked = store.count_try(pushed.suspects) if pushed.suspects else 0
        if known.recover_due:
            raise ServerError(Code.SERVER_RESET, "this store is older than what it has sent")
        if pushed.failure is not None:
            raise pushed.failure
        return _report(store, pushed, pulled, parked=parked, poll_after=hello.poll_after_s)


def _report(
    store: CounterStore, pushed: Pushed, pulled: Pulled, *, parked: int, poll_after: float
) -> SyncReport:
    now = store.progress()
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
        poll_after_seconds=poll_after,
        retry_after_seconds=pushed.retry_after_seconds,
    )
