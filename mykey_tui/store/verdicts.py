"""What becomes of a queued mutation: the server's verdict, a try that failed, a person's decision."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, delete, update
from sqlmodel import Session, col, select

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.domain.ids import LookupToken, ServiceId
from mykey_tui.domain.link import LinkStatus
from mykey_tui.store import links
from mykey_tui.store.tables import MutationState, StoredMutation
from mykey_tui.wire.messages import ItemVerdict

TRIES_MAX = 3
"""A mutation that the server puts off this often is parked, so that somebody looks (M37)."""

_CONFLICT_CODES = {
    "key_linked": Code.LINK_DUPLICATE,
    "sid_taken": Code.SERVICE_ID_TAKEN,
    "id_suspended": Code.SUSPENDED,
    "id_revoked": Code.SUSPENDED,
    "id_renewed": Code.RENEWED,
    "not_registered": Code.NOT_REGISTERED,
}


class NotReplaceableError(StoreError):
    """A refusal that cannot be answered with "replace": of another kind, or no longer as it was."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.CONFLICT_MOVED, message)


def settle(
    connection: Connection, mid: int, verdict: ItemVerdict, *, seq: int, loading: bool
) -> None:
    """Store a final verdict: the effect here gives way to the server's row, and the time goes.

    Not so while a load is under way (`loading`): the rows that serve meanwhile may be of another
    history, and have refused the server's row for its lower seq. Then the effect lasts until the swap.
    """
    state, code = _outcome(verdict)
    connection.execute(
        update(StoredMutation)
        .where(col(StoredMutation.mid) == mid)
        .values(
            state=state.value,
            code=code.value if code else None,
            other_service_id=_other_service_id(connection, mid, verdict),
            queued_at=None,
            acked_seq=seq,
        )
    )
    if state is MutationState.DONE and (verdict.row is None or loading):
        return  # in effect, and no row of it is here: the effect here lasts until the next pull
    # A later mutation of the same token may lie there by now; that one stays.
    connection.exec_driver_sql("DELETE FROM local_link WHERE mid = ?", (mid,))


def _outcome(verdict: ItemVerdict) -> tuple[MutationState, Code | None]:
    if verdict.verdict in ("applied", "already"):
        return MutationState.DONE, None
    if verdict.verdict == "conflict":
        return MutationState.CONFLICT, _CONFLICT_CODES.get(
            verdict.kind or "", Code.MUTATION_INVALID
        )
    if verdict.kind == "sid":
        return MutationState.INVALID, Code.SERVICE_ID_MALFORMED
    return MutationState.INVALID, Code.MUTATION_INVALID


def _other_service_id(connection: Connection, mid: int, verdict: ItemVerdict) -> str | None:
    """What the person has here already: as the verdict shows it, or as it is known here."""
    if (verdict.verdict, verdict.kind) != ("conflict", "key_linked"):
        return None
    if verdict.row is not None:
        sound, _ = links.sort_out([verdict.row])
        return sound[0][2] or None
    known = connection.exec_driver_sql(
        "SELECT l.service_id FROM outbox AS o JOIN link AS l ON l.token = o.token WHERE o.mid = ?",
        (mid,),
    ).scalar()
    return None if known is None else str(known)


def count_try(connection: Connection, mids: Iterable[int]) -> int:
    """Count a try that ended without verdict; park at `TRIES_MAX`. Returns how many were parked."""
    chosen = list(mids)
    waiting = col(StoredMutation.state) == MutationState.WAITING.value
    among = col(StoredMutation.mid).in_(chosen)
    connection.execute(
        update(StoredMutation).where(among, waiting).values(tries=col(StoredMutation.tries) + 1)
    )
    parked = connection.execute(
        update(StoredMutation)
        .where(among, waiting, col(StoredMutation.tries) >= TRIES_MAX)
        .values(state=MutationState.PARKED.value, code=Code.MUTATION_PARKED.value)
    )
    return int(parked.rowcount)


def release(connection: Connection, mid: int) -> bool:
    """Put a parked mutation back in line."""
    done = connection.execute(
        update(StoredMutation)
        .where(
            col(StoredMutation.mid) == mid,
            col(StoredMutation.state) == MutationState.PARKED.value,
        )
        .values(state=MutationState.WAITING.value, code=None, tries=0)
    )
    return done.rowcount == 1


def dismiss(connection: Connection, mid: int) -> bool:
    """Take a refused mutation off the list: a person has looked.

    Its number stays as journal, and its code tells it from what is in effect.
    """
    refused = (MutationState.CONFLICT.value, MutationState.INVALID.value)
    done = connection.execute(
        update(StoredMutation)
        .where(col(StoredMutation.mid) == mid, col(StoredMutation.state).in_(refused))
        .values(state=MutationState.DONE.value, other_service_id=None)
    )
    return done.rowcount == 1


def to_replace(connection: Connection, mid: int) -> StoredMutation:
    """The refused link that a person wants all the same, in place of the service ID they saw.

    Raises:
        NotReplaceableError: it is no such refusal; the server's row is not any more what the person
            saw; or the service ID has gone to somebody else meanwhile.
    """
    row = Session(connection).exec(select(StoredMutation).where(StoredMutation.mid == mid)).first()
    if (
        row is None
        or row.state != MutationState.CONFLICT.value
        or row.code != Code.LINK_DUPLICATE.value
        or row.other_service_id is None
    ):
        raise NotReplaceableError("not a link refused for another service ID of the same person")
    token = LookupToken(row.token)
    link = links.find(connection, token)
    if (
        link is None
        or link.provisional
        or link.status is not LinkStatus.ACTIVE
        or link.service_id.text != row.other_service_id
    ):
        raise NotReplaceableError("the row has changed since")
    if links.find_token(connection, ServiceId(row.service_id)) not in (None, token):
        raise NotReplaceableError("the service ID is somebody else's by now")
    return row


def drop_settled_effects(connection: Connection) -> None:
    """After a complete pull: what is answered has come back as the server's rows."""
    connection.exec_driver_sql(
        "DELETE FROM local_link WHERE mid NOT IN "
        "(SELECT mid FROM outbox WHERE state <> 'done' AND state IN ('waiting', 'parked'))"
    )


def acknowledge_all(connection: Connection, *, seq: int) -> None:
    """After a load that followed a reset: what the server has of the journal, it has up to `seq`."""
    drop_settled_effects(connection)
    connection.execute(
        update(StoredMutation)
        .where(
            col(StoredMutation.state) == MutationState.DONE.value,
            col(StoredMutation.acked_seq).is_(None),
        )
        .values(acked_seq=seq)
    )


def prune(connection: Connection, *, durable_through: int) -> None:
    """Drop what a verified backup of the server holds."""
    connection.execute(
        delete(StoredMutation).where(
            col(StoredMutation.state) == MutationState.DONE.value,
            col(StoredMutation.acked_seq) <= durable_through,
        )
    )
