"""The small operations: a counter enrols, and says hello."""

from __future__ import annotations

import binascii
import re

from fastapi import APIRouter
from msgspec import UNSET
from sqlalchemy.exc import DBAPIError
from starlette.requests import Request
from starlette.responses import Response

from mykey_server.auth import listen
from mykey_server.body import decode, read_body
from mykey_server.core import Core
from mykey_server.database import reading, write
from mykey_server.faults import log_fault
from mykey_server.problem import ProblemError
from mykey_server.rate import RefusedTries
from mykey_server.reply import reply
from mykey_server.routes.described import described
from mykey_server.services import backups
from mykey_server.services.enrol import redeem
from mykey_server.services.site import find_provider, read_epoch
from mykey_server.services.terminals import Terminal, note_believed
from mykey_server.services.verdicts import last_mid
from mykey_tui.wire.messages import (
    BODY_BYTES_MAX,
    PAGE_ROWS_MAX,
    PROTOCOL_VERSION,
    PUSH_ITEMS_MAX,
    SCHEMA,
    EnrolReply,
    EnrolRequest,
    Feature,
    HelloReply,
    Limits,
)
from mykey_tui.wire.problems import ProblemType
from mykey_tui.wire.succession import FINGERPRINT_LENGTH

POLL_AFTER_SECONDS = 30.0
INCARNATION_LENGTH = 16
_FINGERPRINT = re.compile(f"[0-9a-f]{{{FINGERPRINT_LENGTH}}}", re.ASCII)


def routes(core: Core) -> APIRouter:
    """The endpoints of a counter's set-up, on this core."""
    router = APIRouter(prefix="/v1")
    tries = RefusedTries()

    @router.get("/hello", **described(HelloReply, query=("incarnation", "believes")))
    async def hello(request: Request) -> Response:
        """What the server speaks, its limits, and the newest mutation that it knows."""
        spoken = await listen(request, core)
        incarnation = _incarnation(request.query_params.get("incarnation"))
        device_id = spoken.terminal.device_id
        with reading(core.engine) as connection:
            epoch = read_epoch(connection)
            provider = find_provider(connection, spoken.terminal.scope)
            durable_through = backups.durable_through(connection, provider.scope)
            newest = 0 if incarnation is None else last_mid(connection, device_id, incarnation)
            keys = core.site.keys(connection)
        await _note(core, spoken.terminal, request.query_params.get("believes"))
        return reply(
            request,
            HelloReply(
                proto=[PROTOCOL_VERSION],
                schema=SCHEMA,
                min_schema=SCHEMA,
                epoch=epoch,
                server_time=core.clock.now().isoformat(),
                limits=Limits(
                    page_rows=PAGE_ROWS_MAX, push_items=PUSH_ITEMS_MAX, body_bytes=BODY_BYTES_MAX
                ),
                poll_after_s=POLL_AFTER_SECONDS,
                durable_through=durable_through,
                last_mid=newest,
                profile=provider.profile,
                features=[feature.value for feature in Feature],
                server_key=keys.server_key,
                staleness=provider.staleness,
                poll_key=core.site.poll_key(device_id),
                successions=keys.successions or UNSET,
            ),
        )

    @router.post("/enrol", **described(EnrolReply, EnrolRequest))
    async def enrol(request: Request) -> Response:
        """Enrol with a one-time code. Not signed: the server does not know the key yet."""
        address = "" if request.client is None else request.client.host
        tries.check(address, core.clock.monotonic())
        wanted = decode(request, await read_body(request), EnrolRequest)

        def work() -> EnrolReply | ProblemType:
            return write(
                core.engine,
                lambda connection: redeem(connection, core.site, wanted, now=core.clock.now()),
            )

        outcome = await core.write(work)
        if isinstance(outcome, ProblemType):
            tries.count(address, core.clock.monotonic())
            raise ProblemError(outcome)
        return reply(request, outcome)

    return router


async def _note(core: Core, terminal: Terminal, believes: str | None) -> None:
    """Remember which keys the counter believes. A disk that takes no write keeps it from nothing."""
    if believes is None or believes == terminal.believes:
        return
    if not _FINGERPRINT.fullmatch(believes):
        raise ProblemError(ProblemType.MALFORMED)

    def work() -> None:
        write(core.engine, lambda c: note_believed(c, terminal.device_id, believes))

    try:
        await core.write(work)
    except (ProblemError, DBAPIError) as error:
        log_fault(error)


def _incarnation(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        incarnation = binascii.unhexlify(text)
    except ValueError as error:
        raise ProblemError(ProblemType.MALFORMED) from error
    if len(incarnation) != INCARNATION_LENGTH:
        raise ProblemError(ProblemType.MALFORMED)
    return incarnation
