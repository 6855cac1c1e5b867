"""Batches of 100 sealed mutations, signed, into a server with one worker, and where the time goes.

Over the line: a real server process on loopback, requests made beforehand, from one counter and
from several at once, in turns without and with a proof process. The split is in `bench.push_split`.
On SQLite, and in the same run on PostgreSQL where it is installed.

The first two batches of each counter go before the clock starts: they compile the server's
statements, and start its proof process where it may have one.
"""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import httpx
import msgspec
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.postgres import cluster, is_installed
from bench.push_split import split_of
from bench.server import operator, processor_seconds, serving, serving_as
from mykey_tui.domain import tokens
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
from mykey_tui.wire.seal import context_of, seal
from mykey_tui.wire.signature import sign

BATCHES = 48
COUNTERS = 4
ROUNDS = 3
WARM_BATCHES = 2
WARM_SECONDS = 1.5
"""Between them: until a proof process that the first one started is ready."""
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
    runs: dict[str, list[Line]] = {}
    for number, counters, proofs in product(range(ROUNDS), (1, COUNTERS), (0, 1)):
        name = f"counters_{counters}_proof_processes_{proofs}"
        database = new(f"{name}_{number}")
        line = _over_the_line(database, certificates, counters=counters, proofs=proofs)
        runs.setdefault(name, []).append(line)
    figures = {name: _summary(lines) for name, lines in runs.items()}
    database = new("inside")
    operator(database, "provider", "add", PROVIDER, "--name", "bench")
    with serving(database) as url, httpx.Client(base_url=url) as http:
        identity = enrol(http, database, Ed25519PrivateKey.generate())
    split = split_of(database, identity.device_id, list(batches_of(identity, certificates)))
    return figures | {"us_per_item": split}


class Line(NamedTuple):
    """One run over the line: items a second, microseconds of processor time for each, the load."""

    per_second: float
    server_us: float
    proof_process_us: float
    load: float


def _summary(lines: list[Line]) -> dict[str, Any]:
    per_second, server, proof_process, load = (
        sorted(column) for column in zip(*lines, strict=True)
    )
    middle = len(lines) // 2
    return {
        "items_per_second": round(per_second[middle]),
        "of_all_runs": [round(one) for one in per_second],
        "processor_us_per_item": {
            "server": round(server[middle], 1),
            "proof_process": round(proof_process[middle], 1),
        },
        "load": [round(one, 1) for one in load],
    }


def _over_the_line(
    database: Database, certificates: list[bytes], *, counters: int, proofs: int
) -> Line:
    operator(database, "provider", "add", PROVIDER, "--name", "bench")
    with (
        serving_as(database, "--proof-processes", str(proofs)) as (url, pid),
        ThreadPoolExecutor(counters) as threads,
    ):
        senders = [
            _Sender(url, database, certificates[number::counters]) for number in range(counters)
        ]
        for number in range(WARM_BATCHES):
            for sender in senders:
                sender.send(number)
            time.sleep(WARM_SECONDS)
        used = processor_seconds(pid)
        begun = time.perf_counter()
        answers = list(threads.map(_Sender.send_rest, senders))
        spent = time.perf_counter() - begun
        server, proof_process = (
            after - before for after, before in zip(processor_seconds(pid), used, strict=True)
        )
        replies = [reply for replies in answers for reply in replies]
        check(replies, max(reply.seq for reply in replies), len(certificates))
    count = len(certificates) - WARM_BATCHES * counters * PUSH_ITEMS_MAX
    return Line(
        count / spent, 1e6 * server / count, 1e6 * proof_process / count, os.getloadavg()[0]
    )


class _Sender:
    """A counter with its signed batches, made beforehand."""

    def __init__(self, url: str, database: Database, certificates: list[bytes]) -> None:
        self._http = httpx.Client(base_url=url)
        key = Ed25519PrivateKey.generate()
        identity = enrol(self._http, database, key)
        self._bodies = [
            msgspec.msgpack.encode(batch) for batch in batches_of(identity, certificates)
        ]
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

    def send(self, number: int) -> bytes:
        body, headers = self._bodies[number], {"Accept": MSGPACK} | self._headers[number]
        return self._http.post("/v1/push", content=body, headers=headers).raise_for_status().content

    def send_rest(self) -> list[PushReply]:
        answers = [self.send(number) for number in range(WARM_BATCHES, len(self._bodies))]
        self._http.close()
        return [msgspec.msgpack.decode(answer, type=PushReply) for answer in answers]


def enrol(http: httpx.Client, database: Database, key: Ed25519PrivateKey) -> EnrolReply:
    code = operator(database, "terminal", "code", "--provider", PROVIDER)["code"]
    request = EnrolRequest(code, key.public_key().public_bytes_raw(), "bench")
    answer = http.post(
        "/v1/enrol", content=msgspec.json.encode(request), headers={"Content-Type": JSON}
    ).raise_for_status()
    return msgspec.json.decode(answer.content, type=EnrolReply)


def batches_of(identity: EnrolReply, certificates: list[bytes]) -> Iterator[PushRequest]:
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


def check(replies: list[PushReply], seq: int, count: int) -> None:
    if seq != count or any(item.verdict != "applied" for reply in replies for item in reply.items):
        raise ValueError(f"seq {seq} of {count}")
