"""The hot paths: heads, log, push. Plain responses; FastAPI only finds the function."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from mykey_server.auth import Spoken, listen
from mykey_server.body import decode
from mykey_server.core import Core
from mykey_server.problem import ProblemError, reset
from mykey_server.reply import reply
from mykey_server.routes.described import described
from mykey_server.services import intake, publish
from mykey_tui.wire.messages import (
    PAGE_ROWS_MAX,
    HeadReply,
    LogReply,
    PushReply,
    PushRequest,
)
from mykey_tui.wire.problems import ProblemType

DEFAULT_PAGE_ROWS = 5000
SEQ_DIGITS_MAX = 16
"""Sequence numbers stay below 2^53."""


def routes(core: Core) -> APIRouter:
    """The endpoints of a counter's round, on this core."""
    router = APIRouter(prefix="/v1")

    @router.get("/heads", **described(HeadReply))
    async def heads(request: Request) -> Response:
        """The newest place of the scope: the poll."""
        spoken = await listen(request, core)
        _check_scope(spoken, request.query_params.get("scope"))
        head = publish.head_of(
            core.engine, core.site, scope=spoken.terminal.scope, now=core.clock.now()
        )
        return reply(request, head)

    @router.get("/log/{epoch}/{scope}/{after}", **described(LogReply))
    async def log(request: Request, epoch: str, scope: str, after: str) -> Response:
        """Rows after a seq, in seq order, at most one per token."""
        spoken = await listen(request, core)
        _check_scope(spoken, scope)
        if epoch != core.site.epoch:
            raise reset(epoch=core.site.epoch, action="verify")
        page = publish.page_after(
            core.engine,
            core.site,
            scope=spoken.terminal.scope,
            after=_number(after, least=0),
            limit=_limit(request),
        )
        return reply(request, page)

    @router.post("/push", **described(PushReply, PushRequest))
    async def push(request: Request) -> Response:
        """Take a batch of mutations in; every one gets its final verdict or waits for a gap."""
        spoken = await listen(request, core)
        batch = decode(request, spoken.body, PushRequest)
        taken = await core.write(
            lambda: intake.take(
                core.engine,
                core.site,
                core.cards,
                terminal=spoken.terminal,
                request=batch,
                now=core.clock.now(),
            )
        )
        return reply(request, taken)

    return router


def _check_scope(spoken: Spoken, scope: str | None) -> None:
    """Another provider's scope is answered exactly as one that does not exist."""
    if scope != spoken.terminal.scope:
        raise ProblemError(ProblemType.NOT_FOUND)


def _limit(request: Request) -> int:
    asked = _number(request.query_params.get("limit", str(DEFAULT_PAGE_ROWS)), least=1)
    return min(asked, PAGE_ROWS_MAX)


def _number(text: str, *, least: int) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > SEQ_DIGITS_MAX:
        raise ProblemError(ProblemType.MALFORMED)
    number = int(text)
    if number < least:
        raise ProblemError(ProblemType.MALFORMED)
    return number
