"""A server on a real SQLite file and on a real PostgreSQL, and counters that speak to it as the
protocol says.

Every test that asks for `database`, `app`, `server` or `counter` runs on both. One that is about
the file alone says so: `@SQLITE_ONLY`.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from sqlalchemy import inspect, text

from mykey_server.app import create_app
from mykey_server.core import Core
from mykey_server.database import open_database, reading, writing
from mykey_server.migrations import migrate
from mykey_server.services import admin
from mykey_server.services.enrol import CODE_LIFETIME, make_code
from mykey_server.services.site import read_epoch
from mykey_server.settings import PostgresUrl, Settings
from mykey_tui.domain import tokens
from mykey_tui.domain.ids import ProviderId, SubjectCn
from mykey_tui.domain.service_id import ServiceIdFormat
from mykey_tui.simulated.cards import make_card
from mykey_tui.simulated.foreign import Variant
from mykey_tui.wire.messages import (
    FIRST_PREV,
    JSON,
    MSGPACK,
    EnrolReply,
    EnrolRequest,
    HeadReply,
    ItemVerdict,
    LogReply,
    Position,
    PushItem,
    PushReply,
    PushRequest,
    SealedLink,
    item_hash,
)
from mykey_tui.wire.seal import seal, seal_context
from mykey_tui.wire.signature import sign
from tests.postgres.cluster import CannotRunError, Cluster

ORIGIN = "http://sync.example"
SQLITE_ONLY = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
POSTGRESQL_ONLY = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
NOT_HERE = "the server's tests on PostgreSQL cannot run here"
_Message = TypeVar("_Message", bound=msgspec.Struct)


class TestClock:
    """A clock that stands until it is moved."""

    __test__ = False

    def __init__(self) -> None:
        self.time = datetime.now(UTC).replace(microsecond=0)
        self.seconds = 0.0

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.seconds

    def pass_by(self, duration: timedelta) -> None:
        self.time += duration
        self.seconds += duration.total_seconds()


@dataclass
class Server:
    app: FastAPI
    core: Core
    clock: TestClock
    http: httpx.AsyncClient

    def add_provider(self, provider_id: str, *, profile: str = "simulated") -> str:
        parsed = ProviderId.parse(provider_id)
        with writing(self.core.engine) as connection:
            admin.add_provider(
                connection,
                parsed,
                name=provider_id,
                service_id_format=ServiceIdFormat.parse("alnum:1-32"),
                profile=profile,
            )
        return parsed.alias

    def make_code(self, scope: str, place: str | None = None) -> str:
        with writing(self.core.engine) as connection:
            code, _ = make_code(
                connection,
                self.core.site,
                scope=scope,
                now=self.clock.now(),
                lifetime=CODE_LIFETIME,
                place=place,
            )
        return code

    async def enrol(self, scope: str) -> Counter:
        key = Ed25519PrivateKey.generate()
        answer = await self.ask_to_enrol(self.make_code(scope), key)
        assert answer.status_code == 200, answer.text
        return Counter(self, key, msgspec.json.decode(answer.content, type=EnrolReply))

    async def ask_to_enrol(
        self, code: str, key: Ed25519PrivateKey, *, name: str = "counter"
    ) -> httpx.Response:
        request = EnrolRequest(code, key.public_key().public_bytes_raw(), name)
        return await self.http.post(
            "/v1/enrol", content=msgspec.json.encode(request), headers={"Content-Type": JSON}
        )

    @property
    def epoch(self) -> str:
        with reading(self.core.engine) as connection:
            return read_epoch(connection)

    def links(self, scope: str | None = None) -> list[dict[str, Any]]:
        with writing(self.core.engine) as connection:
            return list(admin.list_links(connection, scope))


def stored(server: Server) -> bytes:
    """All that is at rest: the file's bytes, or every value of every table."""
    database = server.core.settings.database
    if isinstance(database, Path):
        return b"".join(file.read_bytes() for file in database.parent.glob(database.name + "*"))
    with reading(server.core.engine) as connection:
        values = [
            value
            for table in inspect(connection).get_table_names()
            for row in connection.execute(text(f'SELECT * FROM "{table}"'))  # noqa: S608 - our own
            for value in row
        ]
    return b"\n".join(v if isinstance(v, bytes) else str(v).encode() for v in values)


@cache
def certificate(cn: str, variant: Variant = Variant.GOOD, days_ago: int = 0) -> bytes:
    """What a sample card's certificate file holds."""
    at = datetime.now(UTC) - timedelta(days=days_ago)
    return make_card(cn, at=at, variant=variant).files[0x000A]


@dataclass
class Counter:
    """One enrolled counter; keeps its mutation numbers and its chain."""

    server: Server
    key: Ed25519PrivateKey
    identity: EnrolReply
    incarnation: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    mid: int = 0
    prev: bytes = FIRST_PREV
    media_type: str = MSGPACK

    @property
    def scope(self) -> str:
        return self.identity.scope

    def token(self, cn: str) -> bytes:
        return tokens.default_token(self.identity.provider_key, SubjectCn.parse(cn))

    def item(
        self,
        op: str,
        cn: str,
        sid: str,
        *,
        v: int = 1,
        token: bytes | None = None,
        der: bytes | None = None,
        sealed: bytes | None = None,
    ) -> PushItem:
        """The next mutation of this counter."""
        self.mid += 1
        token = token or self.token(cn)
        context = seal_context(
            device=self.identity.device_id,
            incarnation=self.incarnation,
            scope=self.scope,
            mid=self.mid,
            op=op,
            v=v,
            token=token,
            sid=sid,
        )
        if sealed is None:
            content = SealedLink(der or certificate(cn))
            sealed = seal(content, seal_key=self.identity.seal_key, context=context)
        item = PushItem(self.mid, op, v, token, sid, 0, self.prev, sealed)
        self.prev = item_hash(item)
        return item

    def link(self, cn: str, sid: str, **options: Any) -> PushItem:
        return self.item("link", cn, sid, **options)

    def unlink(self, cn: str, sid: str = "", **options: Any) -> PushItem:
        return self.item("unlink", cn, sid, **options)

    def batch(
        self, items: list[PushItem], *, base: Position | None = None, mark: Position | None = None
    ) -> PushRequest:
        return PushRequest(self.identity.device_id, self.incarnation, self.scope, base, mark, items)

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        content_type: str | None = None,
        headers: dict[str, str] | None = None,
        created: datetime | None = None,
        key: Ed25519PrivateKey | None = None,
    ) -> httpx.Response:
        signed = sign(
            method=method,
            url=ORIGIN + path,
            body=body,
            content_type=content_type,
            key=key or self.key,
            key_id=self.identity.device_id,
            created=created or self.server.clock.now(),
        )
        return await self.server.http.request(
            method,
            path,
            content=body,
            headers={"Accept": self.media_type} | signed | (headers or {}),
        )

    async def ask(self, path: str, form: type[_Message]) -> _Message:
        answer = await self.send("GET", path)
        assert answer.status_code == 200, answer.text
        return self._decode(answer, form)

    def _decode(self, answer: httpx.Response, form: type[_Message]) -> _Message:
        assert answer.headers["content-type"] == self.media_type
        if self.media_type == MSGPACK:
            return msgspec.msgpack.decode(answer.content, type=form)
        return msgspec.json.decode(answer.content, type=form)

    async def try_push(self, request: PushRequest) -> httpx.Response:
        encode = msgspec.msgpack.encode if self.media_type == MSGPACK else msgspec.json.encode
        return await self.send(
            "POST", "/v1/push", body=encode(request), content_type=self.media_type
        )

    async def push(self, *items: PushItem, **positions: Any) -> PushReply:
        answer = await self.try_push(self.batch(list(items), **positions))
        assert answer.status_code == 200, answer.text
        return self._decode(answer, PushReply)

    async def verdict(self, item: PushItem) -> ItemVerdict:
        return (await self.push(item)).items[0]

    async def head(self) -> HeadReply:
        return await self.ask(f"/v1/heads?scope={self.scope}", HeadReply)

    async def page(self, after: int = 0, limit: int = 1000) -> LogReply:
        epoch = self.server.epoch
        return await self.ask(f"/v1/log/{epoch}/{self.scope}/{after}?limit={limit}", LogReply)


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


class Databases:
    """Fresh, empty databases with the schema, each a copy of one template."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._made = 0
        self._cluster.execute("CREATE DATABASE template_mykey")
        engine = open_database(cluster.url("template_mykey"))
        migrate(engine)
        engine.dispose()

    @contextmanager
    def fresh(self, template: str = "template_mykey") -> Iterator[PostgresUrl]:
        self._made += 1
        name = f"mykey_{self._made}"
        self._cluster.execute("CREATE DATABASE {} TEMPLATE {}", name, template)
        try:
            yield self._cluster.url(name)
        finally:
            self._cluster.execute("DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A PostgreSQL for this run; the test is skipped where there can be none."""
    with tempfile.TemporaryDirectory(prefix="mykey-pg-") as folder:
        try:
            cluster = Cluster(Path(folder))
            cluster.create()
        except CannotRunError as reason:
            pytest.skip(f"{NOT_HERE}: {reason}")
        yield cluster
        cluster.stop("immediate")


@pytest.fixture(scope="session")
def databases(postgresql: Cluster) -> Databases:
    return Databases(postgresql)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | PostgresUrl]:
    """A database with no row: a file's path, or a URL."""
    if request.param == "sqlite":
        yield tmp_path / "server.db"
    else:
        with request.getfixturevalue("databases").fresh() as url:
            yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | PostgresUrl]:
    """A database with no table."""
    if request.param == "sqlite":
        yield tmp_path / "server.db"
    else:
        with request.getfixturevalue("databases").fresh("template0") as url:
            yield url


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it in one line when half of this suite did not run."""
    skipped = [
        report.longrepr[2]
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and NOT_HERE in report.longrepr[2]
    ]
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} tests not run. {skipped[0]}", yellow=True)


@pytest.fixture
def app(database: Path | PostgresUrl, clock: TestClock) -> Iterator[FastAPI]:
    app = create_app(Settings(database=database), clock)
    yield app
    app.state.core.close()


@pytest.fixture
async def server(app: FastAPI, clock: TestClock) -> AsyncIterator[Server]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        yield Server(app, app.state.core, clock, http)


@pytest.fixture
def scope(server: Server) -> str:
    return server.add_provider("A-α1-0001")


@pytest.fixture
async def counter(server: Server, scope: str) -> Counter:
    return await server.enrol(scope)
