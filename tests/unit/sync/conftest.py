"""Counters that reconcile with the real server application, over a line that a test may spoil."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from fastapi import FastAPI

from mykey_server.app import create_app
from mykey_server.cli import run
from mykey_server.core import Core
from mykey_server.database import reading, writing
from mykey_server.services import admin, suspensions
from mykey_server.services.enrol import CODE_LIFETIME, make_code
from mykey_server.services.site import Keys
from mykey_server.settings import Settings
from mykey_server.tables.terminal import TERMINAL_RETIRED
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.ids import LookupToken, ProviderId, ServiceId, SubjectCn
from mykey_tui.domain.service_id import ServiceIdFormat
from mykey_tui.domain.tokens import default_token
from mykey_tui.simulated.cards import make_card
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home
from mykey_tui.store.outbox import Operation, QueuedFrame
from mykey_tui.sync.client import ServerClient
from mykey_tui.sync.enrol import enrol
from mykey_tui.sync.round import SyncReport, sync_round
from mykey_tui.wire.messages import MSGPACK, SealedLink
from mykey_tui.wire.seal import seal

URL = "http://sync.example"

Spoil = Callable[[httpx.Request, Callable[[], httpx.Response]], httpx.Response]
"""Gets the request and a way to send it; returns what the counter shall see, or raises."""


class ServerClock(SystemClock):
    """The server's own clock; a test may put it elsewhere."""


class AppLine(httpx.BaseTransport):
    """The line to the application, run in a loop of its own; `spoil` stands on it."""

    def __init__(self, app: FastAPI) -> None:
        self._asgi = httpx.ASGITransport(app=app)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.spoil: Spoil | None = None
        self.older = False
        """The server is one of the first form: no features, and nothing but the first endpoints."""
        self.requests: list[str] = []

    def serve(self, app: FastAPI) -> None:
        """From now on this application answers."""
        self._asgi = httpx.ASGITransport(app=app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(f"{request.method} {request.url.path}")
        send = self._send_older if self.older else self._send
        if self.spoil is None:
            return send(request)
        return self.spoil(request, lambda: send(request))

    def _send_older(self, request: httpx.Request) -> httpx.Response:
        known = ("hello", "heads", "log", "push", "enrol")
        assert request.url.path.split("/")[2] in known
        assert "S:" not in str(request.url)
        assert not {"pos", "mark"} & set(request.url.params)
        answer = self._send(request)
        if not request.url.path.endswith("/hello") or answer.status_code != 200:
            return answer
        hello = msgspec.msgpack.decode(answer.read())
        first = (
            "proto", "schema", "min_schema", "epoch", "server_time", "limits", "poll_after_s",
            "durable_through", "last_mid", "profile",
        )  # fmt: skip
        body = msgspec.msgpack.encode({name: hello[name] for name in first})
        return httpx.Response(200, headers={"content-type": MSGPACK}, stream=_Once(body))

    def _send(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run_coroutine_threadsafe(self._answer(request), self._loop).result(20)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        forwarded = httpx.Request(
            request.method, request.url, headers=request.headers, content=request.content
        )
        answer = await self._asgi.handle_async_request(forwarded)
        assert isinstance(answer.stream, httpx.AsyncByteStream)
        body = b"".join([part async for part in answer.stream])
        return httpx.Response(answer.status_code, headers=answer.headers, stream=_Once(body))

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


class _Once(httpx.SyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        yield self._body


@cache
def certificate(cn: str) -> bytes:
    return make_card(cn, at=datetime.now(UTC)).files[0x000A]


def person(number: int) -> str:
    """A subject CN of the tests."""
    return f"TESTPERSON{number:04}07202002B"


@dataclass
class Counter:
    """One enrolled counter with its store and its client."""

    store: CounterStore
    client: ServerClient
    clock: SystemClock

    def token(self, number: int) -> LookupToken:
        return default_token(self.store.identity.provider_key, SubjectCn.parse(person(number)))

    def queue(self, number: int, service_id: str | None = None, op: Operation = "link") -> int:
        def sealed(frame: QueuedFrame) -> bytes:
            content = SealedLink(certificate(person(number)))
            key = self.store.believed().seal_key
            return seal(content, seal_key=key, context=frame.context)

        sid = ServiceId(service_id or f"{number:010}")
        return self.store.queue_mutation(op, self.token(number), sid, sealed)

    def sync(self) -> SyncReport:
        return sync_round(self.store, self.client, lock_wait_seconds=1.0)

    def finds(self, number: int) -> str | None:
        link = self.store.lookup(self.token(number))
        return None if link is None else link.service_id.text


class Site:
    """The server, its line, and the counters of its providers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.clock = ServerClock()
        self._open()
        self.line = AppLine(self.app)
        self.again_after_seconds: tuple[float, ...] = ()
        """Of its counters' clients. None by default: what a test breaks stays broken."""
        self._counters: list[Counter] = []
        self._backups = 0

    def _open(self) -> None:
        self.app = create_app(Settings(database=self.database), self.clock)
        self.core: Core = self.app.state.core

    @property
    def database(self) -> Path:
        return self._folder / "server.db"

    def backup(self) -> bytes:
        """The server's file as it is now; it goes on afterwards."""
        self.core.close()
        content = self.database.read_bytes()
        self._open()
        self.line.serve(self.app)
        return content

    def restore(self, content: bytes, *, epoch: str | None = None) -> None:
        """Put the server back to a backup, with a new epoch or with no other sign than its content."""
        self.core.close()
        for path in self._folder.glob("server.db-*"):
            path.unlink()
        self.database.write_bytes(content)
        self._open()
        if epoch is not None:
            self.rename_history(epoch)
        self.line.serve(self.app)

    def keys(self) -> Keys:
        """The server's own, as they are now."""
        with reading(self.core.engine) as connection:
            return self.core.site.keys(connection)

    def operate(self, *words: str) -> Any:
        """One of the operator's commands, beside the running server; what it answers."""
        said = io.StringIO()
        with redirect_stdout(said):
            assert run([*words, "--db", str(self.database)]) == 0, said.getvalue()
        return json.loads(said.getvalue())

    def draw_keys(self) -> None:
        """The server's next keys are drawn, and a confirmed backup has them."""
        self.operate("keys", "draw")
        self._backups += 1
        self.operate("backup", "make", str(self._folder / f"keys-{self._backups}.backup"))

    def change_keys(self) -> None:
        """Draw and change the server's keys, whatever its counters believe."""
        self.draw_keys()
        self.operate("keys", "rotate", "--anyway")

    def rename_history(self, epoch: str) -> None:
        """A failover: the same history under a new epoch."""
        with writing(self.core.engine) as connection:
            connection.exec_driver_sql("UPDATE site SET epoch = ?", (epoch,))

    def add_provider(self, provider_id: str = "A-α1-0001", form: str = "alnum:1-32") -> str:
        provider = ProviderId.parse(provider_id)
        with writing(self.core.engine) as connection:
            admin.add_provider(
                connection,
                provider,
                name=provider_id,
                service_id_format=ServiceIdFormat.parse(form),
                profile="simulated",
            )
        return provider.alias

    def code(self, scope: str) -> str:
        with writing(self.core.engine) as connection:
            code, _ = make_code(
                connection,
                self.core.site,
                scope=scope,
                now=self.clock.now(),
                lifetime=CODE_LIFETIME,
            )
        return code

    def enrol(self, scope: str, *, home: Home | None = None, code: str | None = None) -> Counter:
        clock = SystemClock()
        store = enrol(
            home or Home(self._folder / f"counter{len(self._counters)}"),
            server_url=URL,
            code=code or self.code(scope),
            profile=None,
            counter_name="窓口",
            clock=clock,
            transport=self.line,
        )
        return self.counter(store, clock)

    def counter(self, store: CounterStore, clock: SystemClock) -> Counter:
        client = ServerClient(
            store.identity,
            clock,
            remember_offset=store.save_clock_offset,
            transport=self.line,
            again_after_seconds=self.again_after_seconds,
        )
        counter = Counter(store, client, clock)
        self._counters.append(counter)
        return counter

    def set_suspended(self, number: int, *, suspended: bool) -> None:
        with writing(self.core.engine) as connection:
            suspensions.set_suspended(
                connection, SubjectCn.parse(person(number)), suspended=suspended
            )

    def retire(self, counter: Counter) -> None:
        with writing(self.core.engine) as connection:
            device = str(counter.store.identity.device_id)
            admin.set_terminal_status(connection, device, TERMINAL_RETIRED)

    def links(self, scope: str | None = None) -> list[dict[str, Any]]:
        with writing(self.core.engine) as connection:
            return list(admin.list_links(connection, scope))

    def close(self) -> None:
        for counter in self._counters:
            counter.store.close()
        self.line.end()
        self.core.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.close()


@pytest.fixture
def counter(site: Site) -> Counter:
    return site.enrol(site.add_provider())
