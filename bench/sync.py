"""First sync of 100,000 rows into a fresh encrypted cache, and a delta of 1,000: real server, real HTTP."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from bench.server import operator, serving
from mykey_server.database import open_database, writing
from mykey_server.services.feeds import LINKS
from mykey_server.services.holdings import Held, Holdings, Person, write_holdings
from mykey_server.services.site import find_provider
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.ids import ServiceId, SubjectCn
from mykey_tui.domain.link import LinkRow, LinkStatus
from mykey_tui.domain.tokens import default_token
from mykey_tui.store.engine import open_engine
from mykey_tui.store.engine import writing as store_writing
from mykey_tui.store.home import Home
from mykey_tui.store.migrations import bring_up
from mykey_tui.sync.client import ServerClient
from mykey_tui.sync.enrol import enrol
from mykey_tui.sync.round import SyncReport, sync_round

ROWS = 100_000
DELTA = 1_000
PROVIDER = "A-α1-0001"
SCOPE = "A-alpha1-0001"
_BATCH = 10_000


class _CountingStream(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, counter: CountingTransport) -> None:
        self._stream, self._counter = stream, counter

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            self._counter.received += len(chunk)
            yield chunk

    def close(self) -> None:
        self._stream.close()


class CountingTransport(httpx.HTTPTransport):
    """Counts the bytes of reply bodies as they travel, compressed."""

    received = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass the request on."""
        response = super().handle_request(request)
        if not isinstance(response.stream, httpx.SyncByteStream):
            raise TypeError("a synchronous transport gave an asynchronous stream")
        response.stream = _CountingStream(response.stream, self)
        return response


def person(number: int) -> SubjectCn:
    """A person of the bench."""
    return SubjectCn.parse(f"BENCH{number:09d}08220003A")


def add_rows(database: Path, first: int, count: int, *, scope: str = SCOPE) -> None:
    """Fill the management table below the protocol, in the server's own transactions."""
    engine = open_database(database)
    generator = random.Random(first)  # noqa: S311  # synthetic rows, no secret
    for start in range(first, first + count, _BATCH):
        with writing(engine) as connection:
            provider = find_provider(connection, scope)
            holdings = Holdings()
            for number in range(start, min(start + _BATCH, first + count)):
                cn = person(number)
                service_id = ServiceId(
                    f"{generator.randrange(10**9):09d}{number % 10}{number:07d}"[:17]
                )
                row = LinkRow(
                    default_token(provider.lookup_key, cn), None, service_id, LinkStatus.ACTIVE, 0
                )
                holdings.register(Person(cn, "default", "counter", 0, bytes(16)))
                holdings.put(Held(row, cn))
            write_holdings(connection, provider, LINKS.head(connection, scope), holdings)
    engine.dispose()


def insert_alone() -> float:
    """The floor: as many rows into the same encrypted file, in token order, and nothing else."""
    generator = random.Random(1)  # noqa: S311  # synthetic rows, no secret
    rows = [
        (generator.randbytes(16), None, f"{generator.randrange(10**17):017d}", 0, number)
        for number in range(ROWS)
    ]
    rows.sort()
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(Path(folder) / "floor.db", key=bytes(range(32)), create=True)
        bring_up(engine)
        begun = time.perf_counter()
        with store_writing(engine) as connection:
            connection.exec_driver_sql("INSERT INTO link VALUES (?, ?, ?, ?, ?)", rows)
        spent = time.perf_counter() - begun
        engine.dispose()
    return spent


def measure() -> dict[str, Any]:
    """Milliseconds, rows a second and bytes of a first sync, a delta and an idle round."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "server.db"
        operator(database, "provider", "add", PROVIDER, "--name", "bench")
        add_rows(database, 0, ROWS)
        with serving(database) as url:
            code = operator(database, "terminal", "code", "--provider", PROVIDER)["code"]
            clock, transport = SystemClock(), CountingTransport()
            store = enrol(
                Home(Path(folder) / "home"),
                server_url=url,
                code=code,
                profile=None,
                counter_name="bench",
                clock=clock,
            )
            client = ServerClient(store.identity, clock, transport=transport)
            rounds = {}
            for name, rows in (("first_sync", ROWS), ("delta", DELTA), ("nothing_new", 0)):
                if name == "delta":
                    add_rows(database, ROWS, DELTA)
                before, begun = transport.received, time.perf_counter()
                report = sync_round(store, client)
                spent = time.perf_counter() - begun
                _check(report, rows)
                rounds[name] = {
                    "rows": report.pulled,
                    "ms": round(spent * 1000, 1),
                    "rows_per_second": round(report.pulled / spent),
                    "reply_bytes": transport.received - before,
                }
            client.close()
            store.close()
        floor = min(insert_alone() for _ in range(3))
    rounds["first_sync"]["insert_alone_ms"] = round(1000 * floor, 1)
    rounds["first_sync"]["ratio_to_insert_alone"] = round(
        rounds["first_sync"]["ms"] / (1000 * floor), 2
    )
    return rounds


def _check(report: SyncReport, rows: int) -> None:
    if report.pulled != rows or report.digest != "match":
        raise ValueError(f"{report.pulled} rows, digest {report.digest}")
