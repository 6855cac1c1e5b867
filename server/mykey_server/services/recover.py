"""A counter whose file came back from a copy asks what became of its mutation numbers.

Read-only: what it then does with the answer goes through `push` like everything else.
"""

from __future__ import annotations

from sqlalchemy import Connection

from mykey_server.services.feeds import LINKS
from mykey_server.services.site import read_epoch
from mykey_server.services.verdicts import Known, read_known
from mykey_tui.wire.messages import (
    ItemVerdict,
    KnownItem,
    RecoveredItem,
    RecoverReply,
    RecoverRequest,
)


def what_became_of(connection: Connection, request: RecoverRequest) -> RecoverReply:
    """Of each number: the same content and its verdict, another content, or never seen."""
    head = LINKS.head(connection, request.scope)
    known = read_known(connection, request, {item.mid for item in request.items})
    return RecoverReply(
        epoch=read_epoch(connection),
        seq=head.seq,
        digest=head.digest,
        items=[_recovered(item, known.get(item.mid)) for item in request.items],
    )


def _recovered(item: KnownItem, known: Known | None) -> RecoveredItem:
    if known is None:
        return RecoveredItem(item.mid, "unknown")
    if known.item_hash != item.hash:
        return RecoveredItem(item.mid, "other")
    decision = known.decision
    return RecoveredItem(item.mid, "same", ItemVerdict(item.mid, decision.verdict, decision.kind))
