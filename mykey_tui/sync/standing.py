"""Whether counter and server are of one history, and what the counter does where they are not."""

from __future__ import annotations

from collections.abc import Iterator

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.progress import Progress
from mykey_tui.sync.client import ResetError, ServerClient
from mykey_tui.sync.plan import Abilities, is_behind
from mykey_tui.wire.messages import (
    RECOVER_ITEMS_MAX,
    HeadReply,
    HelloReply,
    RecoveredItem,
    RecoverRequest,
)

INCARNATIONS_MAX = 50
"""Of one journal that a reset asks about: each was a copied file or a restored server."""


def agree(
    store: CounterStore, client: ServerClient, hello: HelloReply, able: Abilities
) -> HeadReply | None:
    """Find out whether the server's history has our place and mark, and begin anew where not.

    A new epoch in which both stand is the same history (a failover) and is adopted silently.
    Returns the head that the server answered with; None where there was nothing to compare, or
    a reset has just begun. A server of the first form compares nothing: there another epoch is
    another history, and it still compares before it applies a push.

    Raises `LineError` and `ServerError`.
    """
    known = store.progress()
    if known.epoch is None:
        return None
    try:
        pos, mark = (known.position, known.mark) if able.places else (None, None)
        head = client.head(pos=pos, mark=mark)
    except ResetError as error:
        begin_anew(store, client, error.epoch or hello.epoch, able)
        return None
    if (head.epoch != known.epoch and not is_proven(known, able)) or is_behind(head.seq, known):
        begin_anew(store, client, head.epoch, able)
        return None
    if head.epoch != known.epoch:
        store.adopt_epoch(head.epoch)
    return head


def is_proven(known: Progress, able: Abilities) -> bool:
    """Whether a head that came without a refusal proves that what is here is of that history."""
    return able.places and (known.position is not None or known.mark is not None)


def begin_anew(store: CounterStore, client: ServerClient, epoch: str, able: Abilities) -> None:
    """Put the journal in front of the queue, and begin to load all rows (`CounterStore.reset`)."""
    last_mids: dict[bytes, int] | None = None
    if able.origin:
        series = store.journal_incarnations()[:INCARNATIONS_MAX]
        last_mids = {each: client.hello(each).last_mid for each in series}
    store.reset(epoch=epoch, by_log=not able.snapshot, last_mids=last_mids)


def recover(store: CounterStore, client: ServerClient, able: Abilities) -> None:
    """This file may be a copy: ask what became of its numbers, and draw new ones for the rest.

    Raises:
        LineError, ServerError: as every request; then nothing has changed. SERVER_RESET for a server
            that cannot be asked: nothing is sent, for it could be a number with two contents.
    """
    requests = list(recover_requests(store))
    if requests and not (able.recover and able.origin):
        raise ServerError(Code.SERVER_RESET, "this store is older than what it has sent")
    answers: list[RecoveredItem] = []
    for request in requests:
        answers.extend(client.recover(request).items)
    store.draw_anew(answers)


def recover_requests(store: CounterStore) -> Iterator[RecoverRequest]:
    """The questions about all numbers that may have been given out twice; none changes anything."""
    items = store.unsure_items()
    for start in range(0, len(items), RECOVER_ITEMS_MAX):
        yield RecoverRequest(
            device=str(store.identity.device_id),
            incarnation=store.incarnation(),
            scope=store.identity.scope,
            items=list(items[start : start + RECOVER_ITEMS_MAX]),
        )
