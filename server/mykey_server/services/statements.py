"""What the server says of the suspensions under its own signature.

A counter does not believe a line alone: an old or shortened list would let a stopped card through
(threat T13).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, select
from sqlmodel import col

from mykey_server.services.feeds import SUSPENSIONS, Head
from mykey_server.services.site import Provider, Site
from mykey_server.tables.suspension import SuspensionScopeTable
from mykey_tui.wire.messages import (
    SUSPENSION_CONTEXT,
    SuspensionState,
    to_msgpack,
)

STATE_STEP_SECONDS = 60
"""A state says the minute in which it was signed: within it, equal states have equal bytes."""

_TOTAL = select(col(SuspensionScopeTable.total)).where(
    col(SuspensionScopeTable.scope) == bindparam("scope")
)


def sign_state(
    connection: Connection, site: Site, provider: Provider, *, head: Head, epoch: str, now: datetime
) -> tuple[bytes, bytes]:
    """The state of a provider's suspensions in msgpack, and the signature of it.

    It speaks of the present until the provider's counters must refuse anyway.
    """
    issued_at = int(now.timestamp()) // STATE_STEP_SECONDS * STATE_STEP_SECONDS
    state = to_msgpack(
        SuspensionState(
            scope=SUSPENSIONS.prefix + provider.scope,
            epoch=epoch,
            seq=head.seq,
            digest=head.digest,
            total=connection.execute(_TOTAL, {"scope": provider.scope}).scalar_one(),
            issued_at=issued_at,
            not_after=issued_at + provider.staleness.refuse_s,
        )
    )
    return state, site.keys(connection).sign_key.sign(SUSPENSION_CONTEXT + state)
