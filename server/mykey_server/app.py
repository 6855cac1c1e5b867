"""The application: routes on a core, and one place where refusals and bugs become replies."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mykey_server.core import Core, open_core
from mykey_server.database import is_passing
from mykey_server.faults import log_fault
from mykey_server.polling import PATH, Polls
from mykey_server.problem import ProblemError
from mykey_server.reply import problem_reply
from mykey_server.routes import device, sync
from mykey_server.routes.described import described_poll, schemas
from mykey_server.settings import Settings
from mykey_tui.domain.clock import Clock, SystemClock
from mykey_tui.wire.problems import ProblemType

_NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""FastAPI would send a span for every request, and the text of an error, to whatever collector the
host has set up: who came when, and a person's values."""


def create_app(settings: Settings, clock: Clock | None = None) -> FastAPI:
    """Open the server's database and build the application; nothing is opened at import.

    The core stands in `app.state.core`; whoever built the application closes it.

    Raises:
        DatabaseError, AnchorsError: the database or the anchors cannot be used.
    """
    core = open_core(settings, clock or SystemClock())
    app = FastAPI(
        title="mykey-tui sync server",
        version="1",
        docs_url=None,  # Its page loads scripts from elsewhere; the document itself is served.
        redoc_url=None,
        telemetry=_NO_TELEMETRY,
    )
    app.state.core = core
    app.include_router(device.routes(core))
    app.include_router(sync.routes(core))
    _refuse_politely(app, core)
    # Anybody may ask for it, unsigned, and making it takes as long as a hundred polls.
    app.openapi = cache(lambda: _document(app))  # type: ignore[method-assign]
    app.add_middleware(_Outermost, core=core)
    return app


def _refuse_politely(app: FastAPI, core: Core) -> None:
    @app.exception_handler(ProblemError)
    async def refused(request: Request, error: ProblemError) -> Response:
        del request
        return problem_reply(error, now=core.clock.now())

    @app.exception_handler(HTTPException)
    async def not_routed(request: Request, error: HTTPException) -> Response:
        del request, error
        return problem_reply(ProblemError(ProblemType.NOT_FOUND), now=core.clock.now())


class _Outermost:
    """The outermost loop: a bug of ours is answered 500, trouble with disk or database 503.

    Logged by its place alone, never with its text or values: those can hold a person's ID.
    """

    def __init__(self, app: ASGIApp, core: Core) -> None:
        self._app = app
        self._core = core
        self._polls = Polls(core)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and catch what nobody caught."""
        try:
            is_poll = scope["type"] == "http" and scope["path"] == PATH
            # The poll goes past the router, which would cost as much again as the poll itself.
            inner = self._polls if is_poll and scope["method"] == "GET" else self._app
            await inner(scope, receive, send)
        except Exception as error:
            if scope["type"] != "http":
                raise
            log_fault(error)
            problem = ProblemError(ProblemType.BUSY if is_passing(error) else ProblemType.BROKEN)
            await problem_reply(problem, now=self._core.clock.now())(scope, receive, send)


def _document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the messages' schemas, and the poll, which goes past the router."""
    document = FastAPI.openapi(app)
    document["paths"][PATH] = {"get": described_poll()}
    document.setdefault("components", {}).setdefault("schemas", {}).update(schemas())
    return document
