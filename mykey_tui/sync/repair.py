"""Rows that are not the server's: find the bad buckets, fetch only these anew, compare again."""

from __future__ import annotations

from mykey_tui.domain.digest import DIGEST_LENGTH
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.sync.client import ResetError, ServerClient
from mykey_tui.sync.plan import Limits
from mykey_tui.sync.pull import Pulled, Sink, pull_log
from mykey_tui.wire.messages import BUCKETS, SNAPSHOT_ROWS_MAX

ROUNDS_MAX = 3
"""More of them mend nothing that three did not."""

BUCKETS_MAX = 64
"""In one round of a repair, a quarter of all; where more are bad, the next attempt goes on."""

AGAIN_SECONDS = 600
"""After an attempt that mended nothing: a visible state, and not a flood of requests."""


def is_due(repaired_at: int | None, *, now: float) -> bool:
    """Whether it is time to try again. A clock put back must not put it off for ever."""
    return repaired_at is None or not 0 <= now - repaired_at < AGAIN_SECONDS


def repair(
    store: CounterStore, client: ServerClient, limits: Limits, sink: Sink, epoch: str, into: Pulled
) -> None:
    """Make the sink's rows the server's, if that can be done; `into.match` says.

    What moves meanwhile comes again with the log, which is read after the buckets.
    Raises `LineError` and `ServerError`; each bucket is a transaction of its own.
    """
    store.note_repair()
    for _ in range(ROUNDS_MAX):
        theirs = client.digest()
        if theirs.epoch != epoch:
            raise ResetError(theirs.epoch)
        bad = bad_buckets(store.bucket_digests(of=sink.of), theirs.buckets)
        if not bad:
            store.recount(of=sink.of)  # the rows are right, and the sums may not be
        for bucket in bad[:BUCKETS_MAX]:
            part = client.snapshot(epoch=epoch, first=bucket, rows=SNAPSHOT_ROWS_MAX, buckets=1)
            store.replace_bucket(bucket, part.rows, of=sink.of)
            into.rows += len(part.rows)
            into.refused += part.refused
        pull_log(client, limits, sink, epoch, into)
        if into.match:
            return


def bad_buckets(ours: bytes, theirs: bytes) -> list[int]:
    """Which of the 256 parts differ."""
    return [
        bucket
        for bucket in range(BUCKETS)
        if ours[bucket * DIGEST_LENGTH : (bucket + 1) * DIGEST_LENGTH]
        != theirs[bucket * DIGEST_LENGTH : (bucket + 1) * DIGEST_LENGTH]
    ]
