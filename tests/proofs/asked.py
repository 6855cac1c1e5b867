"""A server to be asked whatever its OpenAPI document allows, and a counter that signs the questions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from fastapi import FastAPI

from mykey_server.app import create_app
from mykey_server.settings import Settings
from mykey_tui.wire.messages import JSON
from tests.server.conftest import ORIGIN, Counter, Server, TestClock


@contextmanager
def served(folder: Path) -> Iterator[FastAPI]:
    """The application on a file of its own, at a clock that the test moves."""
    app = create_app(Settings(database=folder / "server.db"), TestClock())
    yield app
    app.state.core.close()


def enrolled(app: FastAPI, then: Callable[[Counter], Awaitable[object]] | None = None) -> Counter:
    """A counter of a new provider, after what it shall have done; it asks for JSON from here on."""

    async def enrol() -> Counter:
        async with client_of(app) as http:
            server = Server(app, app.state.core, app.state.core.clock, http)
            counter = await server.enrol(server.add_provider("A-1"))
            if then is not None:
                await then(counter)
            return counter

    counter = asyncio.run(enrol())
    counter.media_type = JSON
    return counter


def client_of(app: FastAPI) -> httpx.AsyncClient:
    """For one event loop: each question of these tests runs in a loop of its own."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=ORIGIN)
