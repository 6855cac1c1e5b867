"""Batches of 100 sealed mutations, signed, into a server on SQLite with one worker, and where the time goes.

Over the line: a real server process on loopback, requests made beforehand, one connection. The split
is of the same batches inside this process, without HTTP and the request's signature.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, PoolProxiedConnection, event

from bench.server import operator, serving
from mykey_server.core import open_core
from mykey_server.database import reading
from mykey_server.services import intake
from mykey_server.services.terminals import find_terminal
from mykey_server.settings import Settings
from mykey_tui.domain import tokens
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.ids import SubjectCn
from mykey_tui.simulated.cards import make_card
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

BATCHES = 30
PROVIDER = "A-α1-0001"


def measure() -> dict[str, Any]:
    certificates = [
        make_card(f"BENCH{n:09d}08220003A", at=datetime.now(UTC)).files[0x000A]
        for n in range(BATCHES * PUSH_ITEMS_MAX)
    ]
    with tempfile.TemporaryDirectory() as folder:
        whole = _over_the_line(Path(folder) / "line.db", certificates)
        split = _inside(Path(folder) / "inside.db", certificates)
    return {"items": len(certificates), "items_per_second": whole, "us_per_item": split}


def _over_the_line(database: Path, certificates: list[bytes]) -> int:
    operator(database, "provider", "add", PROVIDER, "--name", "bench")
    with serving(database) as url, httpx.Client(base_url=url) as http:
        key = Ed25519PrivateKey.generate()
        identity = _enrol(http, database, key)
        bodies = [msgspec.msgpack.encode(batch) for batch in _batches(identity, certificates)]
        signed = [
            sign(
                method="POST",
                url=f"{url}/v1/push",
                body=body,
                content_type=MSGPACK,
                key=key,
                key_id=identity.device_id,
                created=datetime.now(UTC),
            )
            for body in bodies
        ]
        begun = time.perf_counter()
        answers = [
            http.post("/v1/push", content=body, headers={"Accept": MSGPACK} | headers)
            for body, headers in zip(bodies, signed, strict=True)
        ]
        spent = time.perf_counter() - begun
        reply = msgspec.msgpack.decode(answers[-1].content, type=PushReply)
        _check(reply, len(certificates))
    return round(len(certificates) / spent)


def _inside(database: Path, certificates: list[bytes]) -> dict[str, float]:
    """Microseconds per item: of all, of the seals, of the certificates, inside the database."""
    operator(database, "provider", "add", PROVIDER, "--name", "bench")
    with serving(database) as url, httpx.Client(base_url=url) as http:
        identity = _enrol(http, database, Ed25519PrivateKey.generate())
    core = open_core(Settings(database=database), SystemClock())
    with reading(core.engine) as connection:
        terminal = find_terminal(connection, identity.device_id)
    if terminal is None:
        raise ValueError("the counter is not enrolled")
    batches = list(_batches(identity, certificates))
    items = [(batch, item) for batch in batches for item in batch.items]
    seals = _timed(
        lambda: [
            open_seal(item.sealed, private_key=core.site.seal_key, context=_context(batch, item))
            for batch, item in items
        ]
    )
    now = datetime.now(UTC)
    judged = _timed(
        lambda: [core.cards.believe(der, profile="simulated", at=now) for der in certificates]
    )
    with _inside_the_database(core.engine) as database_time:
        begun = time.perf_counter()
        replies = [
            intake.take(
                core.engine, core.site, core.cards, terminal=terminal, request=batch, now=now
            )
            for batch in batches
        ]
        total = time.perf_counter() - begun
    core.close()
    _check(replies[-1], len(certificates))
    parts = {
        "all": total,
        "seals": seals,
        "certificates": judged,
        "database": database_time[0],
        "decisions_and_the_rest": total - seals - judged - database_time[0],
    }
    return {name: round(1e6 * spent / len(items), 1) for name, spent in parts.items()}


def _enrol(http: httpx.Client, database: Path, key: Ed25519PrivateKey) -> EnrolReply:
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
        cn = SubjectCn.parse(f"BENCH{mid - 1:09d}08220003A")
        token = tokens.default_token(identity.provider_key, cn)
        item = PushItem(mid, "link", 1, token, f"{mid:010d}", 0, prev, b"-")
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


def _check(reply: PushReply, count: int) -> None:
    if reply.seq != count or any(item.verdict != "applied" for item in reply.items):
        raise ValueError(f"seq {reply.seq} of {count}")


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
