"""The upload half of a round: the queue in order, in batches that fit, until it is empty.

A refused item never blocks the queue: its verdict is final and the next goes on. An item that
brings the whole request down is looked for by halving the batch. What is put off in a few rounds is
parked, so that somebody looks, and goes again slowly by itself: the server may have been mended.
A slow line halves the batch too, down to one item; what fits is remembered for the next round.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import MyKeyError, ServerError
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.outbox import Batch
from mykey_tui.store.queueing import Settled
from mykey_tui.sync.client import PushRefusedError, ResetError, ServerClient
from mykey_tui.sync.exchange import LineBrokeError
from mykey_tui.sync.plan import Limits
from mykey_tui.wire.messages import PUSH_ITEMS_MAX, PushReply, PushRequest

REQUESTS_MAX = 500
"""In one round: 50,000 mutations of 100 each; the rest goes with the next round."""

SUSPECTS_MAX = 3
"""Single items that bring a request down, in one round; more looks like a broken server."""


_GONE = "the server misses what the journal has no more"


class JournalEndsError(ServerError):
    """The server misses a number of an incarnation that the journal has no more, or must not send.

    It has none from that one on: numbers are gapless. What was refused must not go again: it might
    now be accepted behind the back of a person who was told no.
    """

    def __init__(self, incarnation: bytes, number: int) -> None:
        super().__init__(Code.SERVER_RESET, _GONE)
        self.incarnation = incarnation
        self.number = number


GROW_WITHIN_SECONDS = 5.0
"""A batch that was answered within this time may be twice as large the next time: the server gives a
body 20 s, so that twice this still arrives."""


@dataclass(slots=True)
class Pace:
    """How many items a request may hold over this line, learned from what came through.

    Kept from round to round by whoever runs many. One round (`mykey sync`) starts with full batches,
    and those pass at 64 kbit/s.
    """

    items: int = PUSH_ITEMS_MAX

    def failed(self, sent: int) -> None:
        """A request with so many items did not come through."""
        self.items = max(1, sent // 2)

    def passed(self, sent: int, seconds: float) -> None:
        """A request with so many items was answered after so long."""
        if seconds <= GROW_WITHIN_SECONDS:
            self.items = min(PUSH_ITEMS_MAX, max(self.items, 2 * sent))


@dataclass(slots=True)
class Pushed:
    """What the upload came to."""

    sent: int = 0
    requests: int = 0
    verdicts: list[Settled] = field(default_factory=list)
    suspects: list[int] = field(default_factory=list)
    """Items that failed alone; counted against them once the server has shown that it works."""
    retry_after_seconds: float | None = None
    failure: MyKeyError | None = None
    """The line broke, the server had trouble, or its reply made no sense: the upload stopped, the
    download goes on, and the round then ends with this."""

    def total(self, name: str) -> int:
        """Sum of one count over all replies."""
        return sum(getattr(settled, name) for settled in self.verdicts)


def push_queue(
    store: CounterStore,
    client: ServerClient,
    limits: Limits,
    pace: Pace,
    result: Pushed,
    *,
    refused_too: bool = False,
) -> None:
    """Send what waits, and add up in `result` what came of it.

    `refused_too` sends what was refused again where the server misses it: to a server that takes no
    new numbers for old acts, whose queue would otherwise stand for ever.

    Raises `JournalEndsError`; `LineError`; `ServerError` where nothing may go on (`ResetError`:
    another history).
    """
    parked_from = store.parked_due()
    try:
        _push_waiting(store, client, limits, pace, result, refused_too=refused_too)
        if parked_from is not None:
            _push_parked(store, client, limits, pace, result, first=parked_from)
    except LineBrokeError as error:
        result.failure = error
    except ServerError as error:
        if error.code not in (Code.SERVER_BROKEN, Code.SERVER_BUSY):
            raise
        result.failure = error


def _push_waiting(
    store: CounterStore,
    client: ServerClient,
    limits: Limits,
    pace: Pace,
    result: Pushed,
    *,
    refused_too: bool,
) -> None:
    first = 1
    resent: set[int] = set()
    while result.requests < REQUESTS_MAX:
        size = min(pace.items, limits.push_items)
        batch = store.next_batch(first=first, items_max=size, bytes_max=limits.push_bytes)
        if not batch:
            break
        try:
            reply = _send(store, client, batch, result, pace)
        except PushRefusedError:
            if len(batch) > 1:
                pace.failed(len(batch))
                continue
            result.suspects.append(batch.mids[0])
            if len(result.suspects) >= SUSPECTS_MAX:
                break
            first = batch.mids[0] + 1
            continue
        if reply.expect_mid not in {None, *(item.mid for item in batch)}:
            # The server holds all of this back until it has had what lies before.
            missed = _mid_asked_for(store, reply, batch)
            if store.was_refused(missed) and not refused_too:
                raise JournalEndsError(batch.incarnation, reply.expect_mid or 0)
            if missed in resent or missed in result.suspects:
                break
            resent.add(missed)
            if not _resend(store, client, limits, missed, result, pace):
                break
            first = missed + 1
            continue
        first = batch.mids[-1] + 1


def _push_parked(
    store: CounterStore,
    client: ServerClient,
    limits: Limits,
    pace: Pace,
    result: Pushed,
    *,
    first: int,
) -> None:
    """Send parked items again: one batch, and the next ones as long as something comes of it."""
    store.note_parked_sent(first)  # before anything is sent: a server in trouble is not hurried
    went_back = False
    while result.requests < REQUESTS_MAX:
        size = min(pace.items, limits.push_items)
        batch = store.next_batch(
            first=first, items_max=size, bytes_max=limits.push_bytes, parked=True
        )
        if not batch and first > 1:
            first = 1
            continue
        if not batch:
            return
        try:
            reply = _send(store, client, batch, result, pace)
        except PushRefusedError:
            if len(batch) > 1:
                pace.failed(len(batch))
                continue
            store.note_parked_sent(batch.mids[0] + 1)
            return
        if not went_back and reply.expect_mid is not None:
            missed = _mid_asked_for(store, reply, batch)
            if missed < first:
                went_back, first = True, missed
                continue
        first = batch.mids[-1] + 1
        if result.verdicts[-1].decided == 0:
            store.note_parked_sent(first)
            return


def _resend(
    store: CounterStore,
    client: ServerClient,
    limits: Limits,
    mid: int,
    result: Pushed,
    pace: Pace,
) -> bool:
    """Send one item again, from the journal or parked as it may be. False when it was refused."""
    batch = store.next_batch(
        first=mid, items_max=1, bytes_max=limits.push_bytes, whole_journal=True
    )
    if not batch or batch.mids[0] != mid:
        raise ServerError(Code.SERVER_RESET, _GONE)
    try:
        _send(store, client, batch, result, pace)
    except PushRefusedError:
        result.suspects.append(mid)
        return False
    return True


def _mid_asked_for(store: CounterStore, reply: PushReply, batch: Batch) -> int:
    """Our own number of what the server waits for. Raises `JournalEndsError`."""
    number = reply.expect_mid or 0
    found = store.mid_of(number, incarnation=batch.incarnation)
    if found is None:
        raise JournalEndsError(batch.incarnation, number)
    return found


def _send(
    store: CounterStore,
    client: ServerClient,
    batch: Batch,
    result: Pushed,
    pace: Pace,
) -> PushReply:
    known = store.progress()
    request = PushRequest(
        device=str(store.identity.device_id),
        incarnation=batch.incarnation,
        scope=store.identity.scope,
        base=known.position,
        mark=known.mark,
        items=list(batch),
    )
    result.requests += 1
    begun = time.monotonic()
    try:
        reply = client.push(request)
    except LineBrokeError:
        pace.failed(len(batch))
        raise
    pace.passed(len(batch), time.monotonic() - begun)
    if reply.epoch != known.epoch and known.cursor and not (known.position or known.mark):
        # Nothing that was sent along proved that what is here is of that history.
        raise ResetError(reply.epoch)
    settled = store.settle(reply, sent=[item.mid for item in batch], incarnation=batch.incarnation)
    result.sent += len(batch)
    result.verdicts.append(settled)
    waits = [v.retry_after_s for v in reply.items if v.retry_after_s is not None]
    if waits and reply.expect_mid is None:
        result.retry_after_seconds = max(waits)
    return reply
