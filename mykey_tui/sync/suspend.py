"""The list of suspensions: pulled first in every round, and believed only when it is proven.

Old lists are as good as none to an attacker who wants a stolen card to work (threat T13): so nothing
is stored before the signature, the age and the whole content of a list have been verified.
"""

from __future__ import annotations

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.domain.link import LinkStatus
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.suspending import DAMAGED, ListDiffersError, SuspensionHead
from mykey_tui.sync.client import ResetError, ServerClient
from mykey_tui.sync.plan import Limits
from mykey_tui.sync.pull import PAGES_MAX
from mykey_tui.wire.messages import (
    SUSPENSION_CONTEXT,
    SUSPENSION_PREFIX,
    HeadReply,
    Position,
    SuspensionState,
)

TOKENS_MAX = 2_000_000
"""Of one list, in memory while it is verified: far above what one provider ever has suspended."""

TRIES_MAX = 3
"""The list may grow between its signed state and its last page; then both are asked for again."""

CLOCK_STEP_SECONDS = 300
"""A server's clock may be set back a little; a list of another epoch is not older than that."""

NOTED_EVERY_SECONDS = 300
"""A state that is only signed anew is written down this seldom, for the disk's sake."""

_SUSPENDED = LinkStatus.SUSPENDED.value


def pull_suspensions(
    store: CounterStore,
    client: ServerClient,
    limits: Limits,
    *,
    server_key: bytes | None,
    now: float,
) -> None:
    """Bring the suspended tokens up to date, or leave everything as it is.

    Raises:
        LineError: the server was not reached.
        ServerError: SERVER_SUSPENSIONS for a list that is not proven, or older than the one here.
    """
    for _ in range(TRIES_MAX):
        known = store.suspension_head()
        head, whole = _newest(client, known)
        state = proven(head, server_key, scope=SUSPENSION_PREFIX + store.identity.scope)
        refuse_older(state, known, now=now)
        if known is not None and not whole and state.seq == known.seq:
            if (
                state.epoch == known.epoch
                and abs(state.issued_at - known.issued_at) < NOTED_EVERY_SECONDS
            ):
                return  # nothing new, and no write for it
            changes: dict[bytes, bool] = {}
        else:
            after = 0 if known is None or whole else known.seq
            fetched = _changes(client, limits, state, after=after)
            if fetched is None:
                continue
            changes = fetched
        try:
            store.apply_suspensions(state, changes, whole=whole)
        except ListDiffersError:
            if whole or known is None:
                raise _refused("not the list that was signed") from None
            # What is here may itself be damaged: the whole list tells.
            _load_whole(store, client, limits, state)
        return
    raise _refused("never of one moment")


def proven(head: HeadReply, server_key: bytes | None, *, scope: str) -> SuspensionState:
    """What the server signed. Raises SERVER_SUSPENSIONS where it did not, or of something else."""
    if server_key is None or head.state is None or head.signature is None:
        raise _refused("not signed")
    try:
        key = Ed25519PublicKey.from_public_bytes(server_key)
        key.verify(head.signature, SUSPENSION_CONTEXT + head.state)
        state = msgspec.msgpack.decode(head.state, type=SuspensionState)
    except InvalidSignature:
        raise _refused("signed with another key") from None
    except (ValueError, msgspec.MsgspecError, RecursionError):
        raise _refused("a state that makes no sense") from None
    same = (state.epoch, state.seq, state.digest) == (head.epoch, head.seq, head.digest)
    if state.scope != scope or not same:
        raise _refused("the state of something else")
    return state


def refuse_older(state: SuspensionState, known: SuspensionHead | None, *, now: float) -> None:
    """Raises SERVER_SUSPENSIONS for a state that is past its end, or behind the one here.

    Within an epoch the seq tells. The server's time tells between two epochs alone: its clock may have
    been wrong for a while, and the suspensions after that must not wait until it is that late again.
    """
    if state.not_after <= now:
        raise _refused("past its end")
    if known is None:
        return
    if state.epoch == known.epoch:
        if state.seq < known.seq:
            raise _refused("older than the one here")
        same_number = state.seq == known.seq and known.total != DAMAGED
        if same_number and (state.digest, state.total) != (known.digest, known.total):
            raise _refused("two lists of one number")
    elif state.issued_at < known.issued_at - CLOCK_STEP_SECONDS:
        raise _refused("issued before the one here")


def _newest(client: ServerClient, known: SuspensionHead | None) -> tuple[HeadReply, bool]:
    """The head, and whether the whole list is needed because its history does not have our place."""
    if known is None or known.total == DAMAGED:
        return client.head(suspensions=True), True
    place = Position(known.epoch, known.seq, known.digest)
    try:
        return client.head(suspensions=True, pos=place), False
    except ResetError:
        return client.head(suspensions=True), True


def _changes(
    client: ServerClient, limits: Limits, state: SuspensionState, *, after: int
) -> dict[bytes, bool] | None:
    """What changed after a seq, up to the signed state; None when the list has grown meanwhile."""
    changes: dict[bytes, bool] = {}
    for _ in range(PAGES_MAX):
        try:
            page, refused = client.log(
                epoch=state.epoch, after=after, limit=limits.page_rows, suspensions=True
            )
        except ResetError:
            return None  # another epoch since the head was read
        if refused:
            raise _refused("rows that make no sense")
        changes.update((token, status == _SUSPENDED) for token, _, _, status, _ in page.rows)
        if len(changes) > TOKENS_MAX:
            break
        if page.more:
            after = page.next
            continue
        if page.head is None or page.head.seq < state.seq:
            raise _refused("shorter than what was signed")
        return changes if page.head.seq == state.seq else None
    raise _refused("too long")


def _load_whole(
    store: CounterStore, client: ServerClient, limits: Limits, state: SuspensionState
) -> None:
    changes = _changes(client, limits, state, after=0)
    try:
        if changes is None:
            raise _refused("never of one moment")
        store.apply_suspensions(state, changes, whole=True)
    except ListDiffersError:
        raise _refused("not the list that was signed") from None


def _refused(why: str) -> ServerError:
    return ServerError(Code.SERVER_SUSPENSIONS, why)
