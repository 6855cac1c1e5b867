"""The real counter and the real server on real files, in one process, for the proofs to torment.

With `server_file.py` all that the proofs know of the program's inside: everything else in this folder
goes through these few names.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from mykey_server.app import create_app
from mykey_server.core import Core
from mykey_server.database import reading
from mykey_server.services import admin
from mykey_server.settings import Settings
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.ids import LookupToken, ServiceId, SubjectCn
from mykey_tui.domain.tokens import default_token
from mykey_tui.simulated.cards import make_card
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.engine import open_engine
from mykey_tui.store.engine import reading as reading_store
from mykey_tui.store.home import Home
from mykey_tui.store.identity import Identity
from mykey_tui.store.keys import load_key
from mykey_tui.store.outbox import Operation, QueuedFrame
from mykey_tui.sync.client import AGAIN_AFTER_SECONDS, ServerClient
from mykey_tui.sync.enrol import enrol
from mykey_tui.sync.round import SyncReport, sync_round
from mykey_tui.wire.messages import PushItem, SealedLink
from mykey_tui.wire.seal import seal
from tests.proofs.server_file import draw_code, service_ids_of

URL = "http://sync.example"
ITEMS_MAX, BYTES_MAX = 1_000_000, 1 << 40
"""Everything that a counter has."""

Spoil = Callable[[httpx.Request, Callable[[], httpx.Response]], httpx.Response]
"""Gets a request and a way to send it; returns what the counter shall see, or raises."""


@cache
def certificate(cn: str) -> bytes:
    """What the card of this person holds; the same bytes in every process of one day."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return make_card(cn, at=today).files[0x000A]


def person(number: int) -> str:
    """A subject CN of the proofs."""
    return f"PROOF{number:09}07202002B"


class Line(httpx.BaseTransport):
    """The line to an application in this process; `spoil` stands on it."""

    def __init__(self) -> None:
        self.app: FastAPI | None = None
        self.spoil: Spoil | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        if self.spoil is None:
            return self.send(request)
        return self.spoil(request, lambda: self.send(request))

    def send(self, request: httpx.Request) -> httpx.Response:
        if self.app is None:
            raise httpx.ConnectError("the server is down")
        asked = asyncio.run_coroutine_threadsafe(_answer(self.app, request), self._loop)
        return asked.result(30)

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


async def _answer(app: FastAPI, request: httpx.Request) -> httpx.Response:
    asgi = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    forwarded = httpx.Request(
        request.method, request.url, headers=request.headers, content=request.content
    )
    answer = await asgi.handle_async_request(forwarded)
    assert isinstance(answer.stream, httpx.AsyncByteStream)
    body = b"".join([part async for part in answer.stream])
    return httpx.Response(answer.status_code, headers=answer.headers, stream=Once(body))


class Once(httpx.SyncByteStream):
    """A body as the client's own code unpacks it."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def __iter__(self) -> Iterator[bytes]:
        yield self.body


@dataclass
class Server:
    """The server application on a file, started and stopped at will, and its operator."""

    file: Path
    line: Line
    clock: SystemClock = field(default_factory=SystemClock)

    def start(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.line.app = create_app(Settings(database=self.file), self.clock)

    def stop(self) -> None:
        if self.line.app is not None:
            self.core.close()
            self.line.app = None

    @property
    def core(self) -> Core:
        assert self.line.app is not None
        core = self.line.app.state.core
        assert isinstance(core, Core)
        return core

    def enrol(self, home: Path) -> None:
        enrol_counter(home, URL, draw_code(self.file), self.line)

    def links(self) -> dict[str, str]:
        """Service ID of each person (subject CN) that has a live link, whatever its state."""
        with reading(self.core.engine) as connection:
            rows: list[dict[str, Any]] = list(admin.list_links(connection, None))
        return service_ids_of(rows)


class NoLine(httpx.BaseTransport):
    """For a counter that is only looked at; also spares the real transport's certificates."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no line", request=request)


class Counter:
    """One enrolled counter: its files, and what a person or the timer does there."""

    def __init__(
        self,
        home: Path,
        transport: httpx.BaseTransport,
        *,
        again_after_seconds: tuple[float, ...] = AGAIN_AFTER_SECONDS,
    ) -> None:
        self.home = Home(home)
        self.clock = SystemClock()
        self.store = CounterStore.open(self.home, clock=self.clock)
        self.clock.offset = self.store.progress().clock_offset
        self.client = ServerClient(
            self.store.identity,
            self.clock,
            remember_offset=self.store.save_clock_offset,
            transport=transport,
            again_after_seconds=again_after_seconds,
        )

    def close(self) -> None:
        self.client.close()
        self.store.close()

    def register(self, op: Operation, cn: str, service_id: str) -> int:
        """Registers as the link screen does. Acknowledged when it returns."""
        key = self.store.believed().seal_key

        def sealed(frame: QueuedFrame) -> bytes:
            return seal(SealedLink(certificate(cn)), seal_key=key, context=frame.context)

        token = token_of(self.store.identity, cn)
        return self.store.queue_mutation(op, token, ServiceId(service_id), sealed)

    def sync(self) -> SyncReport:
        return sync_round(self.store, self.client, lock_wait_seconds=5.0)

    def finds(self, cn: str) -> str | None:
        link = self.store.lookup(token_of(self.store.identity, cn))
        return None if link is None else link.service_id.text

    def journal(self) -> list[PushItem]:
        """Everything that this counter still has in queue or journal, in order."""
        return self._items(whole_journal=True)

    def waiting(self) -> list[PushItem]:
        """What the server has not answered, in order: queued or parked."""
        return sorted([*self._items(), *self._items(parked=True)], key=lambda item: item.mid)

    def _items(self, *, whole_journal: bool = False, parked: bool = False) -> list[PushItem]:
        return list(
            self.store.next_batch(
                first=1,
                items_max=ITEMS_MAX,
                bytes_max=BYTES_MAX,
                whole_journal=whole_journal,
                parked=parked,
            )
        )


def enrol_counter(home: Path, url: str, code: str, transport: httpx.BaseTransport) -> None:
    """As `mykey enrol` does."""
    enrol(
        Home(home),
        server_url=url,
        code=code,
        profile=None,
        counter_name="窓口",
        clock=SystemClock(),
        transport=transport,
    ).close()


def token_of(identity: Identity, cn: str) -> LookupToken:
    return default_token(identity.provider_key, SubjectCn.parse(cn))


def damage_of_store(home: Path) -> list[str]:
    """What is wrong with the pages of a counter's file: nothing, in a sound one."""
    counter = Home(home)
    engine = open_engine(counter.database, key=load_key(counter))
    try:
        with reading_store(engine) as connection:
            pages = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
            # Nothing is printed by this one when every page's MAC is right.
            macs = connection.exec_driver_sql("PRAGMA cipher_integrity_check").scalars().all()
        return [str(line) for line in [*pages, *macs] if line != "ok"]
    finally:
        engine.dispose()


def open_counter(home: Path) -> closing[Counter]:
    """A counter to look at, for the length of a `with` block."""
    return closing(Counter(home, NoLine()))
