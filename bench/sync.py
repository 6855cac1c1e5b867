"""First sync of 100,000 rows into a fresh encrypted cache, and a delta of 1,000: real server, real HTTP."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection

from bench.server import operator, serving
from mykey_server.database import open_database, writing
from mykey_server.services.feeds import LINKS
from mykey_server.services.holdings import Held, Holdings, Person, write_holdings
from mykey_server.services.site import find_provider
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.ids import ServiceId, SubjectCn
from mykey_tui.domain.link import LinkRow, LinkStatus
from mykey_tui.domain.tokens import default_token
from mykey_tui.store import columns
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.engine import open_engine
from mykey_tui.store.engine import writing as store_writing
from mykey_tui.store.home import Home
from mykey_tui.store.migrations import bring_up
from mykey_tui.sync.client import ServerClient
from mykey_tui.sync.enrol import enrol
from mykey_tui.sync.round import sync_round
from mykey_tui.wire.messages import Row

ROWS = 100_000
DELTA = 1_000
PROVIDER = "A-α1-0001"
SCOPE = "A-alpha1-0001"
RUNS = 3
_BATCH = 10_000


class _CountingStream(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, counter: CountingTransport) -> None:
        self._stream, self._counter = stream, counter
        self._begun = time.perf_counter()

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            self._counter.received += len(chunk)
            yield chunk

    def close(self) -> None:
        self._stream.close()
        self._counter.waited += time.perf_counter() - self._begun


class CountingTransport(httpx.HTTPTransport):
    """Counts requests, the seconds until their replies were here, and the bytes as they travel."""

    requests = 0
    waited = 0.0
    received = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass the request on."""
        begun = time.perf_counter()
        response = super().handle_request(request)
        if not isinstance(response.stream, httpx.SyncByteStream):
            raise TypeError("a synchronous transport gave an asynchronous stream")
        self.requests += 1
        self.waited += time.perf_counter() - begun
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
                holdings.register(Person(cn, "default", "counter", 0, bytes(16), is_new=True))
                holdings.put(Held(row, cn))
            write_holdings(connection, provider, LINKS.head(connection, scope), holdings)
    engine.dispose()


def rows_of_the_floor(count: int, *, seed: int, seq: int) -> list[Row]:
    """Random rows in token order."""
    generator = random.Random(seed)  # noqa: S311  # synthetic rows, no secret
    return sorted(
        (generator.randbytes(16), None, f"{generator.randrange(10**17):017d}", 0, seq + number)
        for number in range(count)
    )


def insert_alone() -> dict[str, float]:
    """The floors: the same numbers of rows into the same encrypted file, and nothing else.

    `all` are inserted row by row in token order, `all_as_columns` as the store does it; `delta` are a
    thousand more, in token order, into that file opened anew, as a day's changes find it.
    """
    rows = rows_of_the_floor(ROWS, seed=1, seq=1)
    more = rows_of_the_floor(DELTA, seed=2, seq=ROWS + 1)
    with tempfile.TemporaryDirectory() as folder:
        return {
            "all_as_columns": _spent(
                Path(folder) / "columns.db",
                lambda connection: columns.insert(
                    connection, "INSERT", "link", columns.of_rows(rows)
                ),
            ),
            "all": _spent(
                Path(folder) / "floor.db",
                lambda connection: connection.exec_driver_sql(
                    "INSERT INTO link VALUES (?, ?, ?, ?, ?)", rows
                ),
            ),
            "delta": _spent(
                Path(folder) / "floor.db",
                lambda connection: connection.exec_driver_sql(
                    "INSERT OR REPLACE INTO link VALUES (?, ?, ?, ?, ?)", more
                ),
            ),
        }


def _spent(path: Path, work: Callable[[Connection], object]) -> float:
    """Milliseconds of one write transaction; opening the file is not counted."""
    engine = open_engine(path, key=bytes(range(32)), create=True)
    try:
        bring_up(engine)
        begun = time.perf_counter()
        with store_writing(engine) as connection:
            work(connection)
        return 1000 * (time.perf_counter() - begun)
    finally:
        engine.dispose()


def once() -> dict[str, dict[str, float]]:
    """One first sync of a new counter, a delta and an idle round, with a server that just started."""
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
            with (
                closing(store),
                closing(ServerClient(store.identity, clock, transport=transport)) as client,
            ):
                rounds = {"first_sync": _round(store, client, transport, ROWS)}
                add_rows(database, ROWS, DELTA)
                rounds["delta"] = _round(store, client, transport, DELTA)
                rounds["nothing_new"] = _round(store, client, transport, 0)
    return rounds


def _round(
    store: CounterStore, client: ServerClient, transport: CountingTransport, rows: int
) -> dict[str, float]:
    bytes_before, requests_before = transport.received, transport.requests
    waited_before, begun = transport.waited, time.perf_counter()
    report = sync_round(store, client)
    spent = time.perf_counter() - begun
    if report.pulled != rows or report.digest != "match":
        raise ValueError(f"{report.pulled} rows, digest {report.digest}")
    return {
        "rows": rows,
        "ms": round(1000 * spent, 1),
        "requests": transport.requests - requests_before,
        "requests_ms": round(1000 * (transport.waited - waited_before), 1),
        "reply_bytes": transport.received - bytes_before,
    }


def measure() -> dict[str, Any]:
    """Rounds and floors in turns, the best of each; and the rounds as multiples of the floors.

    `requests_ms` is the wait for replies: in a first sync rows are stored meanwhile, in an idle round
    what is left of `ms` is the counter's own work.
    """
    runs = [(once(), insert_alone()) for _ in range(RUNS)]
    figures: dict[str, Any] = {
        name: min((run[0][name] for run in runs), key=lambda figure: figure["ms"])
        for name in runs[0][0]
    }
    floors = {name: min(run[1][name] for run in runs) for name in runs[0][1]}
    for name, floor in (("first_sync", "all"), ("delta", "delta")):
        figures[name]["insert_alone_ms"] = round(floors[floor], 1)
        figures[name]["ratio_to_insert_alone"] = round(figures[name]["ms"] / floors[floor], 2)
    figures["first_sync"]["insert_alone_as_columns_ms"] = round(floors["all_as_columns"], 1)
    return figures
