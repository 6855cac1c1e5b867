"""The upload half of a round: the queue in order, in batches that fit, until it is empty.

A refused item never blocks the queue: its verdict is final and the next goes on. An item that
brings the whole request down is looked for by halving the batch, and parked after a few rounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.store.counter_store import CounterStore, Settled
from mykey_tui.sync.client import PushRefusedError, ServerClient
from mykey_tui.sync.plan import Limits, check_epoch
from mykey_tui.wire.messages import PushItem, PushReply, PushRequest

REQUESTS_MAX = 500
"""In one round: 50,000 mutations of 100 each; the rest goes with the next round."""

SUSPECTS_MAX = 3
"""Single items that bring a request down, in one round; more looks like a broken server."""


@dataclass(slots=True)
class Pushed:
    """What the upload came to."""

    sent: int = 0
    requests: int = 0
    verdicts: list[Settled] = field(default_factory=list)
    suspects: list[int] = field(default_factory=list)
    """Items that failed alone; counted against them once the server has shown that it works."""
    retry_after_seconds: float | None = None
    failure: ServerError | None = None
    """Replies to a push that made no sense: the upload stopped, and the download goes on."""

    def total(self, name: str) -> int:
        """Sum of one count over all replies."""
        return sum(getattr(settled, name) for settled in self.verdicts)


def push_queue(store: CounterStore, client: ServerClient, limits: Limits) -> Pushed:
    """Send what waits. Raises `LineError`, and `ServerError` where nothing may go on."""
    result = Pushed()
    first, size = 1, limits.push_items
    resent: set[int] = set()
    while result.requests < REQUESTS_MAX:
        batch = store.next_batch(first=first, items_max=size, bytes_max=limits.push_bytes)
        if not batch:
            break
        try:
            reply = _send(store, client, batch, result)
        except PushRefusedError:
            if len(batch) > 1:
                size = max(1, len(batch) // 2)
                continue
            result.suspects.append(batch[0].mid)
            if len(result.suspects) >= SUSPECTS_MAX:
                break
            first = batch[0].mid + 1
            continue
        except ServerError as error:
            if error.code is not Code.SERVER_BROKEN:
                raise
            result.failure = error
            break
        missed = reply.expect_mid
        if missed is not None and missed not in {item.mid for item in batch}:
            # The server holds all of this back until it has had what lies before.
            if missed in resent or missed in result.suspects:
                break
            resent.add(missed)
            if not _resend(store, client, limits, missed, result):
                break
            first = missed + 1
            continue
        first, size = batch[-1].mid + 1, limits.push_items
    return result


def _resend(
    store: CounterStore, client: ServerClient, limits: Limits, mid: int, result: Pushed
) -> bool:
    """Send one item again, from the journal or parked as it may be. False when it was refused."""
    batch = store.next_batch(
        first=mid, items_max=1, bytes_max=limits.push_bytes, whole_journal=True
    )
    if not batch or batch[0].mid != mid:
        raise ServerError(Code.SERVER_RESET, "the server misses what the journal has no more")
    try:
        _send(store, client, batch, result)
    except PushRefusedError:
        result.suspects.append(mid)
        return False
    return True


def _send(
    store: CounterStore, client: ServerClient, batch: Sequence[PushItem], result: Pushed
) -> PushReply:
    known = store.progress()
    request = PushRequest(
        device=str(store.identity.device_id),
        incarnation=store.identity.incarnation,
        scope=store.identity.scope,
        base=known.position,
        mark=known.mark,
        items=list(batch),
    )
    result.requests += 1
    reply = client.push(request)
    check_epoch(reply.epoch, known)
    settled = store.settle(reply, sent=[item.mid for item in batch])
    result.sent += len(batch)
    result.verdicts.append(settled)
    waits = [v.retry_after_s for v in reply.items if v.retry_after_s is not None]
    if waits and reply.expect_mid is None:
        result.retry_after_seconds = max(waits)
    return reply
