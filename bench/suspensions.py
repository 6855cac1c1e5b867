"""How soon does a suspension reach 1,000 counters that poll every 30 seconds? One, then 760,000.

The counters are light: one keep-alive line each would be the same to the server, so they share a
hundred. One of them is a real store, on which look-ups are timed while its suspensions come in.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert

from bench.server import operator, serving
from bench.sync import add_rows, person
from mykey_server.database import open_database, write
from mykey_server.services.site import open_site
from mykey_server.tables.base import table_of
from mykey_server.tables.terminal import TERMINAL_ACTIVE, TerminalTable
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.ids import LookupToken
from mykey_tui.domain.tokens import default_token
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home
from mykey_tui.sync.client import ServerClient
from mykey_tui.sync.enrol import enrol
from mykey_tui.sync.plan import poll_seconds
from mykey_tui.sync.round import sync_round
from mykey_tui.wire.messages import MSGPACK, SUSPENSION_PREFIX, HeadReply, LogReply
from mykey_tui.wire.poll import sign_poll
from mykey_tui.wire.signature import sign

PROVIDERS = 100
COUNTERS_EACH = 10
PEOPLE_EACH = 7_600
"""100 times as many are the 760,000 certificates that one state suspended in one night of 2017."""
POLL_SECONDS = 30.0
CONNECTIONS = 100
PAGE_ROWS = 10_000


@dataclass(slots=True)
class Poller:
    """A counter that polls and fetches suspensions, and stores nothing."""

    url: str
    scope: str
    device_id: str
    key: Ed25519PrivateKey
    poll_key: bytes
    etag: str = ""
    cursor: int = 0
    reached: dict[int, float] = field(default_factory=dict)
    """When it first stood at a seq."""

    async def run(self, http: httpx.AsyncClient, random: Random) -> None:
        """Poll for ever, from a random moment on."""
        await asyncio.sleep(random.uniform(0, POLL_SECONDS))
        while True:
            await self.poll(http)
            await asyncio.sleep(poll_seconds(POLL_SECONDS, random))

    async def poll(self, http: httpx.AsyncClient) -> None:
        """One poll, and what follows from it."""
        url = f"{self.url}/v1/poll?scope={self.scope}"
        headers = sign_poll(
            url=url, key=self.poll_key, key_id=self.device_id, created=datetime.now(UTC)
        )
        answer = await http.get(url, headers=headers | {"If-None-Match": self.etag})
        if answer.status_code == 304:
            return
        self.etag = answer.raise_for_status().headers["ETag"]
        await self._fetch(http)

    async def _fetch(self, http: httpx.AsyncClient) -> None:
        scope = SUSPENSION_PREFIX + self.scope
        head = await self._get(http, f"/v1/heads?scope={scope}", HeadReply)
        more = head.seq > self.cursor
        while more:
            path = f"/v1/log/{head.epoch}/{scope}/{self.cursor}?limit={PAGE_ROWS}"
            page = await self._get(http, path, LogReply)
            self.cursor, more = page.next, page.more
        self.reached.setdefault(self.cursor, time.monotonic())

    async def _get(self, http: httpx.AsyncClient, path: str, form: type[Any]) -> Any:  # noqa: ANN401  # one of two messages
        url = self.url + path
        headers = sign(
            method="GET", url=url, body=None, content_type=None, key=self.key,
            key_id=self.device_id, created=datetime.now(UTC),
        )  # fmt: skip
        answer = await http.get(url, headers=headers | {"Accept": MSGPACK})
        return msgspec.msgpack.decode(answer.raise_for_status().content, type=form)


def make_pollers(database: Path, url: str, scopes: Sequence[str]) -> list[Poller]:
    """Enrolled below the protocol: a thousand one-time codes are not what is measured."""
    engine = open_database(database)
    site = open_site(engine)
    pollers = []
    for scope in scopes:
        for _ in range(COUNTERS_EACH):
            device_id, key = _uuid(), Ed25519PrivateKey.generate()
            pollers.append(Poller(url, scope, device_id, key, site.poll_key(device_id)))
    rows = [
        {
            "device_id": each.device_id, "scope": each.scope, "name": "bench",
            "public_key": each.key.public_key().public_bytes_raw(), "status": TERMINAL_ACTIVE,
        }
        for each in pollers
    ]  # fmt: skip
    write(engine, lambda connection: connection.execute(insert(table_of(TerminalTable)), rows))
    engine.dispose()
    return pollers


def _uuid() -> str:
    digits = secrets.token_hex(16)
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


class Shop:
    """One real counter: syncs all the time, and is asked all the time."""

    def __init__(self, store: CounterStore) -> None:
        self.lookups_ms: list[float] = []
        self._store = store
        self._over = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._sync, self._ask)]
        for thread in self._threads:
            thread.start()

    def _sync(self) -> None:
        with closing(ServerClient(self._store.identity, SystemClock())) as client:
            while not self._over.wait(1.0):
                sync_round(self._store, client)

    def _ask(self) -> None:
        random = Random(1)  # noqa: S311  # picks people, keeps no secret
        key = self._store.identity.provider_key
        while not self._over.wait(0.005):
            token: LookupToken = default_token(key, person(random.randrange(PEOPLE_EACH)))
            begun = time.perf_counter()
            self._store.lookup(token)
            self.lookups_ms.append(1000 * (time.perf_counter() - begun))

    def close(self) -> None:
        """End both threads."""
        self._over.set()
        for thread in self._threads:
            thread.join()


async def watch(pollers: Sequence[Poller], begun: float, target: int, limit: float) -> list[float]:
    """Seconds after `begun` at which each counter stood at `target`; raises after `limit`."""
    while any(poller.cursor < target for poller in pollers):
        if time.monotonic() - begun > limit:
            late = sum(poller.cursor < target for poller in pollers)
            raise TimeoutError(f"{late} counters never heard of it")
        await asyncio.sleep(0.2)
    return [poller.reached[target] - begun for poller in pollers]


async def _command(database: Path, *arguments: str) -> Any:  # noqa: ANN401  # whatever it prints
    return await asyncio.to_thread(operator, database, *arguments)


async def _measure(
    database: Path, url: str, scopes: Sequence[str], few: Path, many: Path
) -> dict[str, Any]:
    pollers = make_pollers(database, url, scopes)
    random = Random(20171103)  # noqa: S311  # spreads load, keeps no secret
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with httpx.AsyncClient(limits=limits, timeout=60) as http:
        running = [asyncio.create_task(each.run(http, random)) for each in pollers]
        await asyncio.sleep(1.5 * POLL_SECONDS)  # each has polled once, and knows where it stands
        begun = time.monotonic()
        await _command(database, "suspend-list", str(few))
        one = await watch(pollers, begun, 1, 4 * POLL_SECONDS)
        begun = time.monotonic()
        told = await _command(database, "suspend-list", str(many))
        spent = time.monotonic() - begun
        burst = await watch(pollers, begun, PEOPLE_EACH, 600)
        for task in running:
            task.cancel()
    return {
        "counters": len(pollers),
        "one_each": _seconds(one),
        "burst": {"people": len(scopes) * PEOPLE_EACH, "command_s": round(spent, 1), **told}
        | _seconds(burst),
    }


def measure() -> dict[str, Any]:
    """Seconds to all counters, and what look-ups took meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database, few, many = folder / "server.db", folder / "few", folder / "many"
        scopes = []
        for number in range(PROVIDERS):
            provider = f"A-α1-{number + 1:04d}"
            scopes.append(operator(database, "provider", "add", provider, "--name", "b")["alias"])
            add_rows(database, number * PEOPLE_EACH, PEOPLE_EACH, scope=scopes[-1])
        everybody = [f"{person(number).text}\n" for number in range(PROVIDERS * PEOPLE_EACH)]
        few.write_text("".join(everybody[::PEOPLE_EACH]))
        many.write_text("".join(everybody))
        with serving(database) as url:
            code = operator(database, "terminal", "code", "--provider", "A-α1-0001")["code"]
            home, clock = Home(folder / "home"), SystemClock()
            store = enrol(
                home, server_url=url, code=code, profile=None, counter_name="b", clock=clock
            )
            with closing(store), closing(Shop(store)) as shop:
                figures = asyncio.run(_measure(database, url, scopes, few, many))
            figures["lookups"] = {
                "count": len(shop.lookups_ms),
                "p99_ms": round(statistics.quantiles(shop.lookups_ms, n=100)[98], 2),
                "longest_ms": round(max(shop.lookups_ms), 2),
            }
    return figures | {"targets": {"one_p99_s": 60, "burst_p99_s": 300, "lookup_ms": 50}}


def _seconds(values: Sequence[float]) -> dict[str, float]:
    parts = statistics.quantiles(values, n=100)
    return {
        "p50_s": round(parts[49], 1),
        "p99_s": round(parts[98], 1),
        "all_s": round(max(values), 1),
    }


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
