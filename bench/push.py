"""Batches of 100 sealed mutations, signed, into a server with one worker, and where the time goes.

Over the line: a real server process on loopback, requests made beforehand, from one counter and
from several at once. The split is of the same batches inside this process, without HTTP and the
request's signature. On SQLite, and in the same run on PostgreSQL where it is installed.

The first batch of each counter goes before the clock starts: it compiles the server's statements.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias
from unittest.mock import patch

import httpx
import msgspec
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, PoolProxiedConnection, event

from bench.postgres import cluster, is_installed
from bench.server import operator, serving
from mykey_server.core import open_core
from mykey_server.database import reading
from mykey_server.services import intake
from mykey_server.services.terminals import find_terminal
from mykey_server.settings import Settings, parse_database
from mykey_tui.domain import tokens
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.ids import SubjectCn
from mykey_tui.simulated.cards import make_card
from mykey_tui.trust.certificate import parse_certificate
from mykey_tui.wire.messages import (
    FIRST_PREV,
    JSON,
    MSGPACK,
    PUSH_ITEMS_MAX,
    EnrolReply,
    EnrolRequest,
    PushItem,
    PushReply,
    PushRequest,
    SealedLink,
    item_hash,
)
from mykey_tui.wire.seal import context_of, open_seal, seal
from mykey_tui.wire.signature import sign

BATCHES = 40
COUNTERS = 4
PROVIDER = "A-α1-0001"

Database: TypeAlias = Path | str
NewDatabase: TypeAlias = Callable[[str], Database]


def measure() -> dict[str, Any]:
    certificates = [
        make_card(f"BENCH{n:09d}08220003A", at=datetime.now(UTC)).files[0x000A]
        for n in range(BATCHES * PUSH_ITEMS_MAX)
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        figures = {"sqlite": _measure_on(lambda name: folder / f"{name}.db", certificates)}
        if is_installed():
            with cluster(folder / "postgres") as dsn:
                new = partial(_new_on_postgresql, dsn)
                figures["postgresql"] = _measure_on(new, certificates)
    if "postgresql" not in figures:
        figures["postgresql"] = {"not_measured": "PostgreSQL is not installed"}
    return figures


def _new_on_postgresql(dsn: str, name: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    database = dsn.replace("/postgres?", f"/{name}?")
    operator(database, "migrate")
    return database


def _measure_on(new: NewDatabase, certificates: list[bytes]) -> dict[str, Any]:
    return {
        "one_counter_items_per_second": _over_the_line(new("one"), certificates, counters=1),
        f"{COUNTERS}_counters_items_per_second": _over_the_line(
            new("several"), certificates, counters=COUNTERS
        ),
        "us_per_item": _inside(new("inside"), certificates),
    }


def _over_the_line(database: Database, certificates: list[bytes], *, counters: int) -> int:
    operator(database, "provider", "add", PROVIDER, "--name", "bench")
    with serving(database) as url, ThreadPoolExecutor(counters) as threads:
        senders = [
            _Sender(url, database, certificates[number::counters]) for number in range(counters)
        ]
        for sender in senders:
            sender.send_first()
        begun = time.perf_counter()
        answers = list(threads.map(_Sender.send_rest, senders))
        spent = time.perf_counter() - begun
        seq = max(reply.seq for replies in answers for reply in replies)
        _check([reply for replies in answers for reply in replies], seq, len(certificates))
    return round((len(certificates) - counters * PUSH_ITEMS_MAX) / spent)


class _Sender:
    """A counter with its signed batches, made beforehand."""

    def __init__(self, url: str, database: Database, certificates: list[bytes]) -> None:
        self._http = httpx.Client(base_url=url)
        key = Ed25519PrivateKey.generate()
        identity = _enrol(self._http, database, key)
        self._bodies = [msgspec.msgpack.encode(batch) for batch in _batches(identity, certificates)]
        self._headers = [
            sign(
                method="POST",
                url=f"{url}/v1/push",
                body=body,
                content_type=MSGPACK,
                key=key,
                key_id=identity.device_id,
                created=datetime.now(UTC),
            )
            for body in self._bodies
        ]

    def send_first(self) -> None:
        self._send(0).raise_for_status()

    def send_rest(self) -> list[PushReply]:
        answers = [self._send(number) for number in range(1, len(self._bodies))]
        self._http.close()
        return [msgspec.msgpack.decode(answer.content, type=PushReply) for answer in answers]

    def _send(self, number: int) -> httpx.Response:
        body, headers = self._bodies[number], {"Accept": MSGPACK} | self._headers[number]
        return self._http.post("/v1/push", content=body, headers=headers)


def _inside(database: Database, certificates: list[bytes]) -> dict[str, float]:
    """Microseconds per item: of all, of the seals, of the certificates, inside the database.

    `processor` is what of all this was spent here and not in waiting: on a machine that others use
    too, it is the figure to compare.
    """
    operator(database, "provider", "add", PROVIDER, "--name", "bench")
    with serving(database) as url, httpx.Client(base_url=url) as http:
        identity = _enrol(http, database, Ed25519PrivateKey.generate())
    core = open_core(Settings(database=parse_database(str(database))), SystemClock())
    with reading(core.engine) as connection:
        terminal = find_terminal(connection, identity.device_id)
    if terminal is None:
        raise ValueError("the counter is not enrolled")
    take = partial(intake.take, core.engine, core.site, core.prove, terminal=terminal)
    first, *batches = _batches(identity, certificates)
    items = [(batch, item) for batch in batches for item in batch.items]
    seals = _timed(
        lambda: [
            open_seal(item.sealed, private_key=core.site.seal_key, context=_context(batch, item))
            for batch, item in items
        ]
    )
    now = datetime.now(UTC)
    judged = _timed(
        lambda: [
            core.cards.believe(parse_certificate(der), profile="simulated", at=now)
            for der in certificates[PUSH_ITEMS_MAX:]
        ]
    )
    take(request=first, now=now)
    with _inside_the_database(core.engine) as database_time:
        begun, processor = time.perf_counter(), time.process_time()
        replies = [take(request=batch, now=now) for batch in batches]
        total, processor = time.perf_counter() - begun, time.process_time() - processor
    core.close()
    _check(replies, replies[-1].seq, len(certificates))
    parts = {
        "all": total,
        "seals": seals,
        "certificates": judged,
        "database": database_time[0],
        "decisions_and_the_rest": total - seals - judged - database_time[0],
        "processor": processor,
    }
    return {name: round(1e6 * spent / len(items), 1) for name, spent in parts.items()}


def _enrol(http: httpx.Client, database: Database, key: Ed25519PrivateKey) -> EnrolReply:
    code = operator(database, "terminal", "code", "--provider", PROVIDER)["code"]
    request = EnrolRequest(code, key.public_key().public_bytes_raw(), "bench")
    answer = http.post(
        "/v1/enrol", content=msgspec.json.encode(request), headers={"Content-Type": JSON}
    ).raise_for_status()
    return msgspec.json.decode(answer.content, type=EnrolReply)


def _batches(identity: EnrolReply, certificates: list[bytes]) -> Iterator[PushRequest]:
    incarnation, prev = secrets.token_bytes(16), FIRST_PREV
    items: list[PushItem] = []
    for mid, der in enumerate(certificates, start=1):
        cn = SubjectCn.parse(parse_certificate(der).cn_text)
        token = tokens.default_token(identity.provider_key, cn)
        item = PushItem(mid, "link", 1, token, cn.my_key_id.text, 0, prev, b"-")
        context = context_of(
            item, device=identity.device_id, incarnation=incarnation, scope=identity.scope
        )
        sealed = seal(SealedLink(der), seal_key=identity.seal_key, context=context)
        item = msgspec.structs.replace(item, sealed=sealed)
        prev = item_hash(item)
        items.append(item)
        if len(items) == PUSH_ITEMS_MAX:
            yield PushRequest(identity.device_id, incarnation, identity.scope, None, None, items)
            items = []


def _context(batch: PushRequest, item: PushItem) -> bytes:
    return context_of(item, device=batch.device, incarnation=batch.incarnation, scope=batch.scope)


def _check(replies: list[PushReply], seq: int, count: int) -> None:
    if seq != count or any(item.verdict != "applied" for reply in replies for item in reply.items):
        raise ValueError(f"seq {seq} of {count}")


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


@contextmanager
def _inside_the_database(engine: Engine) -> Iterator[list[float]]:
    """Seconds spent in the driver: statements and commits."""
    spent, begun = [0.0], [0.0]

    def before(*_: object) -> None:
        begun[0] = time.perf_counter()

    def after(*_: object) -> None:
        spent[0] += time.perf_counter() - begun[0]

    commit = engine.dialect.do_commit

    def timed_commit(connection: PoolProxiedConnection) -> None:
        spent[0] += _timed(lambda: commit(connection))

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    with patch.object(engine.dialect, "do_commit", timed_commit):
        yield spent
