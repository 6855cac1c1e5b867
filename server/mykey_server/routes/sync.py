"""The hot paths: heads, log, snapshot, digest, push. Plain responses; FastAPI only routes."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from mykey_server.auth import Spoken, listen
from mykey_server.body import decode
from mykey_server.core import Core
from mykey_server.database import reading
from mykey_server.problem import ProblemError
from mykey_server.proofs import SHARED_FROM_ITEMS
from mykey_server.reply import COLUMNS, encode, form_of, not_modified, reply, send
from mykey_server.routes.described import described
from mykey_server.services import intake, publish, recover
from mykey_server.services.feeds import FEEDS, LINKS, Feed
from mykey_server.services.positions import parse_number, parse_position
from mykey_server.services.site import read_epoch
from mykey_server.services.terminals import Terminal
from mykey_tui.wire.messages import (
    BUCKETS,
    PAGE_ROWS_MAX,
    POLL_WAIT_SECONDS_MAX,
    SNAPSHOT_ROWS_MAX,
    DigestReply,
    HeadReply,
    LogReply,
    PushReply,
    PushRequest,
    RecoverReply,
    RecoverRequest,
    SnapshotReply,
)
from mykey_tui.wire.problems import ProblemType

DEFAULT_PAGE_ROWS = 5000


def routes(core: Core) -> APIRouter:
    """The endpoints of a counter's round, on this core."""
    router = APIRouter(prefix="/v1")
    _add_heads(router, core)
    _add_rows(router, core)
    _add_pushes(router, core)
    return router


def _add_heads(router: APIRouter, core: Core) -> None:
    @router.get("/heads", **described(HeadReply, query=("scope", "pos", "mark", "wait")))
    async def heads(request: Request) -> Response:
        """The newest place of a scope, and whether the counter's places are in its history."""
        spoken = await listen(request, core)
        query = request.query_params
        feed = _feed_of(spoken, query.get("scope"))
        pos, mark = parse_position(query.get("pos")), parse_position(query.get("mark"))
        wait = parse_number(query.get("wait", "0"), least=0)
        scope = spoken.terminal.scope

        def read() -> HeadReply:
            with reading(core.engine) as connection:
                return publish.head_of(
                    connection, core.site, feed, scope, now=core.clock.now(), pos=pos, mark=mark
                )

        def look() -> str:
            with reading(core.engine) as connection:
                head = feed.head(connection, scope)
                return f"{read_epoch(connection)}.{head.seq}.{head.digest.hex()}"

        shown = request.headers.get("if-none-match", "").strip('"')
        known = query.get("pos") or ".".join(shown.split(".")[:3])
        head = read()
        if wait and known == _place(head):
            seconds = min(wait, POLL_WAIT_SECONDS_MAX)
            await core.waiters.until_moved(feed.prefix + scope, look, known=known, seconds=seconds)
            head = read()
        etag = f'"{_place(head)}{_state_tag(head)}"'
        if shown == etag.strip('"'):
            return not_modified(etag)
        return reply(request, head, etag=etag)


def _add_rows(router: APIRouter, core: Core) -> None:
    @router.get("/log/{epoch}/{scope}/{after}", **described(LogReply, query=("limit",)))
    async def log(request: Request, epoch: str, scope: str, after: str) -> Response:
        """Rows after a seq, in seq order, at most one per token."""
        spoken = await listen(request, core)
        feed = _feed_of(spoken, scope)
        number, limit = parse_number(after, least=0), _asked(request, "limit", PAGE_ROWS_MAX)
        with reading(core.engine) as connection:
            page = publish.page_after(
                connection, feed, spoken.terminal.scope, epoch=epoch, after=number, limit=limit
            )
        return reply(request, page)

    @router.get(
        "/snapshot/{epoch}/{scope}/{first}", **described(SnapshotReply, query=("rows", "buckets"))
    )
    async def snapshot(request: Request, epoch: str, scope: str, first: str) -> Response:
        """The rows of whole buckets, as columns in token order."""
        spoken = await listen(request, core)
        feed = _feed_of(spoken, scope)
        bucket = parse_number(first, least=0)
        if bucket >= BUCKETS:
            raise ProblemError(ProblemType.MALFORMED)
        rows = _asked(request, "rows", SNAPSHOT_ROWS_MAX)
        buckets = _asked(request, "buckets", BUCKETS)
        form, alias = form_of(request), spoken.terminal.scope
        with reading(core.engine) as connection:
            head = publish.head_in(connection, feed, alias, epoch=epoch)
            key = (feed.prefix, alias, epoch, head.seq, head.digest, bucket, rows, buckets, form)
            part = core.parts.get(key)
            if part is None:
                made = publish.part_from(
                    connection, feed, alias, head=head, first=bucket, rows=rows, buckets=buckets
                )
                part = encode(made, form, zstd=COLUMNS)
                core.parts.keep(key, part)
        return send(part)

    @router.get("/digest/{scope}", **described(DigestReply))
    async def digest(request: Request, scope: str) -> Response:
        """The scope's digest in 256 parts: which bucket is not the same?"""
        spoken = await listen(request, core)
        feed = _feed_of(spoken, scope)
        with reading(core.engine) as connection:
            parts = publish.digest_of(connection, feed, spoken.terminal.scope)
        return reply(request, parts)


def _add_pushes(router: APIRouter, core: Core) -> None:
    @router.post("/push", **described(PushReply, PushRequest))
    async def push(request: Request) -> Response:
        """Take a batch of mutations in; every one gets its final verdict or waits for a gap."""
        spoken = await listen(request, core)
        batch = decode(request, spoken.body, PushRequest)
        taken = await _take(core, spoken.terminal, batch)
        core.waiters.tell(LINKS.prefix + spoken.terminal.scope)
        return reply(request, taken)

    @router.post("/recover", **described(RecoverReply, RecoverRequest))
    async def recover_numbers(request: Request) -> Response:
        """What became of these mutation numbers; asking changes nothing."""
        spoken = await listen(request, core)
        asked = decode(request, spoken.body, RecoverRequest)
        if asked.device != spoken.terminal.device_id or asked.scope != spoken.terminal.scope:
            raise ProblemError(ProblemType.NOT_FOUND)
        with reading(core.engine) as connection:
            known = recover.what_became_of(connection, asked)
        return reply(request, known)


async def _take(core: Core, terminal: Terminal, batch: PushRequest) -> PushReply:
    """A small batch in one go; a large one in two, where a second process helps with the first."""
    if core.proofs is None or len(batch.items) < SHARED_FROM_ITEMS:
        return await core.write(
            lambda: intake.take(
                core.engine,
                core.site,
                core.prove,
                terminal=terminal,
                request=batch,
                now=core.clock.now(),
            )
        )
    return await core.prove_and_write(
        lambda: intake.prepare(
            core.engine,
            core.site,
            core.prove_shared,
            terminal=terminal,
            request=batch,
            now=core.clock.now(),
        ),
        lambda prepared: intake.apply(core.engine, core.site, prepared),
    )


def _feed_of(spoken: Spoken, scope: str | None) -> Feed:
    """Another provider's scope is answered exactly as one that does not exist."""
    for feed in FEEDS:
        if scope == feed.prefix + spoken.terminal.scope:
            return feed
    raise ProblemError(ProblemType.NOT_FOUND)


def _asked(request: Request, name: str, most: int) -> int:
    default = min(most, DEFAULT_PAGE_ROWS) if name == "limit" else most
    return min(parse_number(request.query_params.get(name, str(default)), least=1), most)


def _place(head: HeadReply) -> str:
    return f"{head.epoch}.{head.seq}.{head.digest.hex()}"


def _state_tag(head: HeadReply) -> str:
    """A signed state is news each time it is signed anew, though the place stays."""
    return "" if head.signature is None else f".{head.signature[:8].hex()}"
