"""The verdicts that a stick brings: each is taken in only for the very item that it was given to.

Between an export and its reply this counter's file may have been put back to an older copy, which
then gave the same numbers to other people. Numbers alone would settle those.
"""

from __future__ import annotations

import msgspec

from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.progress import Progress
from mykey_tui.store.queueing import Settled
from mykey_tui.sync.exchange import Reply
from mykey_tui.sync.replies import read_verdicts
from mykey_tui.sync.stick import decoded
from mykey_tui.wire.bundle import Answer
from mykey_tui.wire.messages import Position, PushReply, PushRequest, item_hash

_PUT_OFF = frozenset({"held", "retry"})


def settle_carried(store: CounterStore, answer: Answer) -> Settled:
    """Take in what the server decided of a push, for what is still open here; for nothing else.

    What it held or put off is no verdict, and no try is counted for it: the same stick may come any
    number of times. The round over a newer stick counts one, as every round does.

    Where a number has another content here, or was never given, this file is a copy: its numbers are
    drawn anew before anything is sent (`CounterStore.require_recovery`).

    Raises:
        BundleError: a message of another form.
        ServerError, StoreError: as `read_verdicts` and the counter's own file.
    """
    request = decoded(answer.body, PushRequest)
    reply = read_verdicts(Reply(answer.status, answer.content_type, answer.content))
    final = {verdict.mid for verdict in reply.items if verdict.verdict not in _PUT_OFF}
    here = store.unsent_hashes(
        (item.mid for item in request.items), incarnation=request.incarnation
    )
    same = [item.mid for item in request.items if here.get(item.mid) == item_hash(item)]
    if len(same) < len(here) or _names_what_is_not_given(store, request):
        store.require_recovery()
    decided = [mid for mid in same if mid in final]
    known = store.progress()
    if not decided or not _is_of_our_history(known, request, reply):
        return Settled()
    reply = _not_behind(reply, known.mark)
    return store.settle(reply, sent=decided, incarnation=request.incarnation)


def _names_what_is_not_given(store: CounterStore, request: PushRequest) -> bool:
    """Whether this counter has exported numbers that its file does not know of."""
    newest = max((item.mid for item in request.items), default=0)
    return request.incarnation == store.incarnation() and newest > store.progress().last_number


def _is_of_our_history(known: Progress, request: PushRequest, reply: PushReply) -> bool:
    """Whether the reply's place may stand beside those that are here.

    Of another epoch only where the server compared these: else it may have come back from a backup,
    on either side of this stick. What is not settled goes again, and its verdict comes again.
    """
    if known.epoch is None or known.epoch == reply.epoch:
        return True
    places = (request.base, request.mark)
    return any(places) and places == (known.position, known.mark)


def _not_behind(reply: PushReply, mark: Position | None) -> PushReply:
    """A reply that comes after a newer one must not take the mark back."""
    if mark is None or mark.epoch != reply.epoch or mark.seq <= reply.seq:
        return reply
    return msgspec.structs.replace(reply, seq=mark.seq, digest=mark.digest)
