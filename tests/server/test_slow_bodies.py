"""A body that drips in, or never comes, holds no request for longer than its time."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
import pytest

from mykey_server import body as bodies
from mykey_tui.wire.messages import BODY_BYTES_MAX, MSGPACK, Problem
from tests.server.conftest import Server

SECONDS = 0.3


async def drip(server: Server, part: bytes, pause: float) -> tuple[int, str, float]:
    """Send one part after each pause, for ever; status, problem and how long it took."""
    told: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/enrol",
        "raw_path": b"/v1/enrol",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"content-type", MSGPACK.encode()), (b"host", b"sync.example")],
        "client": ("192.0.2.1", 1),
    }

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": part, "more_body": True}

    async def send(message: Any) -> None:
        told.append(message)

    begun = time.monotonic()
    await server.app(scope, receive, send)
    problem = msgspec.json.decode(told[1]["body"], type=Problem)
    return told[0]["status"], problem.type, time.monotonic() - begun


@pytest.mark.parametrize(("part", "pause"), [(b"x", 0.01), (b"", 0.01), (b"x", 3600.0)])
async def test_a_body_that_drips_in_is_cut_off_in_time(
    server: Server, monkeypatch: pytest.MonkeyPatch, part: bytes, pause: float
) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS_MAX", SECONDS)
    status, problem, seconds = await drip(server, part, pause)
    assert (status, problem) == (400, "malformed")
    assert SECONDS <= seconds < SECONDS + 5


async def test_a_body_without_an_end_is_cut_off_at_the_limit_before_its_time(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS_MAX", 30.0)
    status, problem, seconds = await drip(server, bytes(BODY_BYTES_MAX // 8), 0.0)
    assert (status, problem) == (413, "too-large")
    assert seconds < 10
