"""Takes a counter's mutations in: each exactly once, all of a batch in one transaction.

The order of the steps is the promise (docs/protocol.md, "A push at the server"): seals are opened
before the write lock is taken; positions and hashes are compared before anything is applied; the
scope's counter row moves last, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, func, insert, select, update
from sqlmodel import col

from mykey_server.database import reading, writing
from mykey_server.problem import ProblemError, reset
from mykey_server.services.cards import TrustedCards
from mykey_server.services.decide import Decision, Flawed, Proven, decide
from mykey_server.services.holdings import (
    Held,
    Holdings,
    read_head,
    read_holdings,
    write_holdings,
)
from mykey_server.services.site import Provider, Site, find_provider
from mykey_server.services.terminals import Terminal, check_status
from mykey_server.tables.site import ScopeHistoryTable
from mykey_server.tables.terminal import TERMINAL_QUARANTINED, MutationTable, TerminalTable
from mykey_tui.domain import tokens
from mykey_tui.domain.digest import EMPTY_DIGEST
from mykey_tui.domain.errors import MyKeyError
from mykey_tui.domain.ids import LookupToken
from mykey_tui.wire.messages import (
    FIRST_PREV,
    ItemVerdict,
    Position,
    PushItem,
    PushReply,
    PushRequest,
    Row,
    item_hash,
)
from mykey_tui.wire.problems import ProblemType
from mykey_tui.wire.seal import SealError, context_of, open_seal

RETRY_AFTER_SECONDS = 1.0
"""A held item only waits for the ones before it, which the counter sends at once."""


class _ClonedError(MyKeyError):
    """One mutation number with two contents, or a chain that forks: a copied disk."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is already stored under a mutation number."""

    item_hash: bytes
    decision: Decision


@dataclass(slots=True)
class _Sorted:
    """A batch told apart: what has its verdict, what is new, and where the numbers break off."""

    known: dict[int, _Known]
    new: list[PushItem]
    expect_mid: int | None


def take(
    engine: Engine,
    site: Site,
    cards: TrustedCards,
    *,
    terminal: Terminal,
    request: PushRequest,
    now: datetime,
) -> PushReply:
    """Apply a batch and return its verdicts, or return the stored ones.

    Raises:
        ProblemError: another device or scope than the signature's (`NOT_FOUND`), a position that
            this history does not have (`RESET`), a copied disk (`CLONED`, and the device is
            quarantined). Nothing was applied.
    """
    if request.device != terminal.device_id or request.scope != terminal.scope:
        raise ProblemError(ProblemType.NOT_FOUND)
    with reading(engine) as connection:
        provider = find_provider(connection, terminal.scope)
        last = last_mid(connection, terminal.device_id, request.incarnation)
    proofs = {
        item.mid: _prove(item, request, provider, site, cards, now)
        for item in request.items
        if item.mid > last
    }
    try:
        with writing(engine) as connection:
            return _apply(connection, site, provider, request, proofs, now)
    except _ClonedError as error:
        with writing(engine) as connection:
            _quarantine(connection, terminal.device_id)
        raise ProblemError(ProblemType.CLONED) from error


def last_mid(connection: Connection, device_id: str, incarnation: bytes) -> int:
    """The newest mutation number with a verdict; 0 where there is none. Numbers have no gaps."""
    newest = connection.execute(
        select(func.max(col(MutationTable.mid))).where(
            col(MutationTable.device_id) == device_id,
            col(MutationTable.incarnation) == incarnation,
        )
    ).scalar()
    return newest or 0


def _prove(
    item: PushItem,
    request: PushRequest,
    provider: Provider,
    site: Site,
    cards: TrustedCards,
    now: datetime,
) -> Proven | Flawed:
    """Open the seal and judge the certificate in it."""
    context = context_of(
        item, device=request.device, incarnation=request.incarnation, scope=request.scope
    )
    try:
        content = open_seal(item.sealed, private_key=site.seal_key, context=context)
    except SealError:
        return Flawed("seal")
    accepted = cards.believe(content.certificate, profile=provider.profile, at=now)
    if accepted is None:
        return Flawed("certificate")
    return Proven(
        cn=accepted.cn,
        certificate_tag=site.certificate_tag(accepted.certificate),
        default_token=tokens.default_token(provider.lookup_key, accepted.cn),
        chosen_token=tokens.chosen_token(provider.lookup_key, accepted.cn.my_key_id),
        binding=tokens.binding(provider.lookup_key, accepted.certificate),
    )


def _apply(
    connection: Connection,
    site: Site,
    provider: Provider,
    request: PushRequest,
    proofs: dict[int, Proven | Flawed],
    now: datetime,
) -> PushReply:
    check_status(connection, request.device)
    head = read_head(connection, provider.scope)
    for position in (request.base, request.mark):
        check_position(connection, site, provider.scope, position)
    batch = _sort(connection, request)
    holdings = read_holdings(
        connection,
        provider.scope,
        tokens=[LookupToken(item.token) for item in request.items],
        service_ids=[item.sid for item in request.items],
        cns=[proof.cn for proof in proofs.values() if isinstance(proof, Proven)],
    )
    for item in batch.new:
        decision = decide(item, proofs[item.mid], provider, holdings)
        batch.known[item.mid] = _Known(item_hash(item), decision)
    head = write_holdings(connection, provider, head, holdings)
    _store_verdicts(connection, request, batch)
    return PushReply(
        epoch=site.epoch,
        seq=head.seq,
        digest=head.digest,
        server_time=now.isoformat(),
        items=[_verdict(item, batch, holdings) for item in request.items],
        expect_mid=batch.expect_mid,
    )


def check_position(
    connection: Connection, site: Site, scope: str, position: Position | None
) -> None:
    """Compare a place that a counter was told of with this history. Raises `RESET`."""
    if position is None or (position.seq == 0 and position.digest == EMPTY_DIGEST):
        return
    found = connection.execute(
        select(col(ScopeHistoryTable.digest)).where(
            col(ScopeHistoryTable.scope) == scope, col(ScopeHistoryTable.seq) == position.seq
        )
    ).scalar()
    if position.epoch != site.epoch or found != position.digest:
        raise reset(epoch=site.epoch, action="snapshot")


def _sort(connection: Connection, request: PushRequest) -> _Sorted:
    """Tell replays from new items and from those behind a gap, and compare every hash first."""
    last = last_mid(connection, request.device, request.incarnation)
    mids = {item.mid for item in request.items}
    known = _read_known(connection, request, mids | {mid - 1 for mid in mids})
    hashes = {0: FIRST_PREV} | {mid: stored.item_hash for mid, stored in known.items()}
    new: list[PushItem] = []
    held_back = False
    for item in request.items:
        if item.mid <= last:
            if item_hash(item) != hashes[item.mid]:
                raise _ClonedError
        elif item.mid == last + 1:
            if item.prev != hashes[item.mid - 1]:
                raise _ClonedError
            hashes[item.mid] = item_hash(item)
            new.append(item)
            last = item.mid
        else:
            held_back = True
    return _Sorted(known, new, expect_mid=last + 1 if held_back else None)


def _read_known(connection: Connection, request: PushRequest, mids: set[int]) -> dict[int, _Known]:
    rows = connection.execute(
        select(
            col(MutationTable.mid),
            col(MutationTable.item_hash),
            col(MutationTable.verdict),
            col(MutationTable.kind),
        ).where(
            col(MutationTable.device_id) == request.device,
            col(MutationTable.incarnation) == request.incarnation,
            col(MutationTable.mid).in_(mids),
        )
    )
    return {row.mid: _Known(row.item_hash, Decision(row.verdict, row.kind)) for row in rows}


def _store_verdicts(connection: Connection, request: PushRequest, batch: _Sorted) -> None:
    if not batch.new:
        return
    connection.execute(
        insert(MutationTable),
        [
            {
                "device_id": request.device,
                "incarnation": request.incarnation,
                "mid": item.mid,
                "item_hash": batch.known[item.mid].item_hash,
                "verdict": batch.known[item.mid].decision.verdict,
                "kind": batch.known[item.mid].decision.kind,
            }
            for item in batch.new
        ],
    )


def _verdict(item: PushItem, batch: _Sorted, holdings: Holdings) -> ItemVerdict:
    known = batch.known.get(item.mid)
    if known is None:
        return ItemVerdict(item.mid, "retry", retry_after_s=RETRY_AFTER_SECONDS)
    decision = known.decision
    held: Held | None = None
    if decision.kind == "sid_taken":
        held = holdings.owner_of(item.sid)
    elif decision.verdict != "invalid":
        held = holdings.rows.get(LookupToken(item.token))
    return ItemVerdict(
        item.mid, decision.verdict, decision.kind, None if held is None else wire_row(held)
    )


def wire_row(held: Held) -> Row:
    """A row as it travels."""
    row = held.row
    return (row.token, row.binding, row.service_id.text, row.status.value, row.seq)


def _quarantine(connection: Connection, device_id: str) -> None:
    connection.execute(
        update(TerminalTable)
        .where(col(TerminalTable.device_id) == device_id)
        .values(status=TERMINAL_QUARANTINED)
    )
