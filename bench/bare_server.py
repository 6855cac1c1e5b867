"""The floor for a poll: a bare Starlette endpoint on the same server program, signed by nobody."""

from __future__ import annotations

import asyncio
import json
import socket

from granian.constants import Interfaces
from granian.server.embed import Server
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

BODY = json.dumps({"epoch": "0" * 16, "seq": 1, "horizon": 0, "digest": "A" * 24}).encode()


async def answer(request: Request) -> Response:
    """About as many bytes as an answer has."""
    del request
    return Response(BODY, media_type="application/json")


async def main() -> None:
    """Serve on a free port, say which, until the process is ended."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = Starlette(routes=[Route("/v1/poll", answer)])
    server = Server(
        app, address="127.0.0.1", port=port, interface=Interfaces.ASGINL,
        websockets=False, log_enabled=False,
    )  # fmt: skip
    print(json.dumps({"url": f"http://127.0.0.1:{port}"}), flush=True)  # its output
    await server.serve()


if __name__ == "__main__":
    asyncio.run(main())
