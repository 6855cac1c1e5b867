"""Takes a counter's mutations in: each exactly once, all of a batch in one transaction.

The order of the steps is the promise (docs/protocol.md, "A push at the server"): seals are opened
before the write lock is taken; positions and hashes are compared before anything is applied; the
scope's counter row moves last, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, Engine, update
from sqlmodel import col

from mykey_server.database import UNIQUE_VIOLATION, reading, write
from mykey_server.problem import ProblemError
from mykey_server.services.decide import HELD, Decision, decide
from mykey_server.services.feeds import LINKS
from mykey_server.services.held import HeldItems
from mykey_server.services.holdings import (
    Held,
    Holdings,
    read_holdings,
    write_holdings,
)
from mykey_server.services.origins import read_before
from mykey_server.services.positions import check_position
from mykey_server.services.proof import UNDECIDABLE, Proof, Proven
from mykey_server.services.prove import Job, Prove, in_isolation
from mykey_server.services.renewal import read_successors
from mykey_server.services.site import Provider, Site, find_provider, read_epoch
from mykey_server.services.terminals import Terminal, check_status
from mykey_server.services.verdicts import (
    Known,
    last_mid,
    read_known,
    replace_held,
    store_new,
)
from mykey_server.tables.terminal import TERMINAL_QUARANTINED, TerminalTable
from mykey_tui.domain.errors import MyKeyError
from mykey_tui.domain.ids import LookupToken
from mykey_tui.wire.messages import (
    FIRST_PREV,
    ItemVerdict,
    PushItem,
    PushReply,
    PushRequest,
    Row,
    item_hash,
)
from mykey_tui.wire.problems import ProblemType

RETRY_AFTER_SECONDS = 1.0
"""An item behind a gap only waits for the ones before it, which the counter sends at once."""


class _ClonedError(MyKeyError):
    """One mutation number with two contents, or a chain that forks: a copied disk."""


@dataclass(slots=True)
class _Sorted:
    """A batch told apart, by mutation number, and where the numbers break off."""

    known: dict[int, Known]
    """All that has a verdict."""
    held: dict[int, PushItem]
    """Known, and to be decided again."""
    new: dict[int, PushItem]
    hashes: dict[int, bytes]
    expect_mid: int | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch whose seals are opened: what is slow is done, and nothing is written yet."""

    request: PushRequest
    provider: Provider
    proofs: dict[int, Proof]
    """By mutation number."""
    at: datetime


def take(
    engine: Engine,
    site: Site,
    prove: Prove,
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
    prepared = prepare(engine, site, prove, terminal=terminal, request=request, now=now)
    return apply(engine, site, prepared)


def prepare(
    engine: Engine,
    site: Site,
    prove: Prove,
    *,
    terminal: Terminal,
    request: PushRequest,
    now: datetime,
) -> Prepared:
    """The first half of `take`: open the seals of what has no final verdict yet.

    Raises:
        ProblemError: `NOT_FOUND`, as in `take`.
    """
    if request.device != terminal.device_id or request.scope != terminal.scope:
        raise ProblemError(ProblemType.NOT_FOUND)
    with reading(engine) as connection:
        provider = find_provider(connection, terminal.scope)
        last = last_mid(connection, request.device, request.incarnation)
        mids = {item.mid for item in request.items if item.mid <= last}
        known = read_known(connection, request, mids)
        keys = site.keys(connection)
    undecided = [
        item for item in request.items if item.mid not in known or known[item.mid].decision == HELD
    ]
    proofs = prove(
        Job(
            items=undecided,
            device=request.device,
            incarnation=request.incarnation,
            scope=request.scope,
            profile=provider.profile,
            lookup_key=provider.lookup_key,
            tag_key=site.tag_key,
            seal_keys=keys.seal_keys,
            at=now,
        )
    )
    by_mid = {item.mid: proof for item, proof in zip(undecided, proofs, strict=True)}
    return Prepared(request, provider, by_mid, now)


def apply(engine: Engine, site: Site, prepared: Prepared) -> PushReply:
    """The second half of `take`: decide and write. Raises `ProblemError` as `take` does."""
    try:
        # Unique: another provider's counter may register the same person at this moment.
        return write(
            engine,
            lambda connection: _apply(connection, site, prepared),
            retry_also=UNIQUE_VIOLATION,
        )
    except _ClonedError as error:
        write(engine, lambda connection: _quarantine(connection, prepared.request.device))
        raise ProblemError(ProblemType.CLONED) from error


def _apply(connection: Connection, site: Site, prepared: Prepared) -> PushReply:
    request, provider, proofs = prepared.request, prepared.provider, prepared.proofs
    head = LINKS.lock(connection, provider.scope)
    check_status(connection, request.device)
    epoch = read_epoch(connection)
    for position in (request.base, request.mark):
        check_position(connection, LINKS, provider.scope, head=head, epoch=epoch, position=position)
    batch = _sort(connection, request)
    holdings = read_holdings(
        connection,
        provider.scope,
        tokens=[LookupToken(item.token) for item in request.items],
        service_ids=[item.sid for item in request.items],
        cns=[proof.cn for proof in proofs.values() if isinstance(proof, Proven)],
    )
    waiting = HeldItems.read(connection, site, request, holdings)
    before = read_before(connection, request, (batch.held | batch.new).values())
    _decide_all(batch, proofs, provider, holdings, waiting, before.settled)
    head = write_holdings(connection, provider, head, holdings)
    _store(connection, request, batch, waiting)
    waiting.forget(connection, before.held)
    successors = read_successors(connection, provider, holdings)
    return PushReply(
        epoch=epoch,
        seq=head.seq,
        digest=head.digest,
        server_time=prepared.at.isoformat(),
        items=[_verdict(item, batch, holdings, successors) for item in request.items],
        expect_mid=batch.expect_mid,
    )


def _sort(connection: Connection, request: PushRequest) -> _Sorted:
    """Tell replays from new items and from those behind a gap, and compare every hash first."""
    last = last_mid(connection, request.device, request.incarnation)
    mids = {mid for item in request.items for mid in (item.mid - 1, item.mid) if mid <= last}
    known = read_known(connection, request, mids)
    hashes = {0: FIRST_PREV} | {mid: stored.item_hash for mid, stored in known.items()}
    held: dict[int, PushItem] = {}
    new: dict[int, PushItem] = {}
    behind_a_gap = False
    for item in request.items:
        if item.mid <= last:
            if item_hash(item) != hashes[item.mid]:
                raise _ClonedError
            if item.mid in known and known[item.mid].decision == HELD:
                held[item.mid] = item
        elif item.mid == last + 1:
            if item.prev != hashes[item.mid - 1]:
                raise _ClonedError
            hashes[item.mid] = item_hash(item)
            new[item.mid] = item
            last = item.mid
        else:
            behind_a_gap = True
    return _Sorted(known, held, new, hashes, expect_mid=last + 1 if behind_a_gap else None)


def _decide_all(
    batch: _Sorted,
    proofs: dict[int, Proof],
    provider: Provider,
    holdings: Holdings,
    waiting: HeldItems,
    settled: dict[int, Decision],
) -> None:
    """Decide what is held or new, in the order of the counter's acts; `holdings` moves with it."""
    for mid, item in sorted((batch.held | batch.new).items()):
        if mid in settled:
            waiting.release(item)
            batch.known[mid] = Known(batch.hashes[mid], settled[mid])
            continue
        proof = proofs.get(mid, UNDECIDABLE)
        if isinstance(proof, Proven) and waiting.stand_before(item, holdings):
            proof = UNDECIDABLE
        holdings.savepoint()
        decision = in_isolation(partial(decide, item, proof, provider, holdings), otherwise=HELD)
        if decision == HELD:
            holdings.roll_back()  # What a bug left half done.
            waiting.hold(item)
        else:
            waiting.release(item)
        batch.known[mid] = Known(batch.hashes[mid], decision)


def _store(
    connection: Connection, request: PushRequest, batch: _Sorted, waiting: HeldItems
) -> None:
    decided = {mid: batch.known[mid] for mid in batch.held if batch.known[mid].decision != HELD}
    store_new(connection, request, {mid: batch.known[mid] for mid in batch.new})
    replace_held(connection, request, decided)
    waiting.write(connection, decided)


def _verdict(
    item: PushItem, batch: _Sorted, holdings: Holdings, successors: dict[LookupToken, Held]
) -> ItemVerdict:
    known = batch.known.get(item.mid)
    if known is None:
        return ItemVerdict(item.mid, "retry", retry_after_s=RETRY_AFTER_SECONDS)
    decision = known.decision
    held: Held | None = None
    if decision.kind == "sid_taken":
        held = holdings.owner_of(item.sid)
    elif decision.kind == "id_renewed":
        held = successors.get(LookupToken(item.token))
    elif decision.verdict not in {"invalid", "held"}:
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
