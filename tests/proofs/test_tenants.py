"""A counter of one provider reads and infers nothing of another's rows.

Two copies of one server: in the second the other provider's counter does whatever it likes first.
Then the same signed bytes of our counter go to both, and every answer must be the same in status,
headers and body, to the last byte. Time stands still in both.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import bindparam, select

from mykey_server.app import create_app
from mykey_server.services import publish
from mykey_server.services.feeds import Feed
from mykey_server.settings import Settings
from mykey_tui.wire.messages import (
    MSGPACK,
    KnownItem,
    Position,
    PushItem,
    RecoverRequest,
    item_hash,
)
from mykey_tui.wire.poll import sign_poll
from mykey_tui.wire.signature import sign
from tests.proofs.length import length
from tests.server.conftest import ORIGIN, Counter, Server, TestClock

PEOPLE = [f"M{number:013d}07202002B" for number in range(4)]
SIDS = ["S1", "S2", "S3"]
EXAMPLES = length(short=12, long=1000)

acts = st.lists(
    st.tuples(st.sampled_from(["link", "unlink"]), st.sampled_from(PEOPLE), st.sampled_from(SIDS)),
    min_size=1,
    max_size=12,
)
scopes = st.sampled_from(["A-1", "S:A-1", "B-1", "S:B-1", "Z-9", "S:Z-9"])
small = st.integers(0, 12)
asked = st.lists(
    st.one_of(
        st.tuples(st.just("heads"), scopes, st.sampled_from(["", "theirs", "made-up"])),
        st.tuples(st.just("log"), scopes, small),
        st.tuples(st.just("snapshot"), scopes, st.integers(0, 255)),
        st.tuples(st.just("digest"), scopes, st.just(0)),
        st.tuples(st.just("poll"), scopes, st.just(0)),
        st.tuples(st.just("hello"), st.sampled_from(["ours", "theirs"]), st.just(0)),
        st.tuples(st.just("push"), scopes, st.sampled_from(SIDS)),
        st.tuples(st.just("recover"), st.sampled_from(["A-1", "B-1"]), st.booleans()),
    ),
    min_size=1,
    max_size=8,
)


@dataclass
class Base:
    """The file that both copies begin with, and the two counters in it."""

    path: Path
    clock: TestClock
    ours: Counter
    theirs: Counter


@dataclass(frozen=True)
class Request:
    """Bytes on the line."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None = None


Answer = tuple[int, list[tuple[str, str]], bytes]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return asyncio.run(_make_base(tmp_path_factory.mktemp("base") / "server.db"))


async def _make_base(path: Path) -> Base:
    clock = TestClock()
    async with _serving(path, clock) as server:
        ours = await server.enrol(server.add_provider("A-1"))
        theirs = await server.enrol(server.add_provider("B-1"))
        await ours.push(ours.link(PEOPLE[0], "S1"), ours.link(PEOPLE[1], "S2"))
        await theirs.push(theirs.link(PEOPLE[0], "S3"))
    return Base(path, clock, ours, theirs)


@asynccontextmanager
async def _serving(path: Path, clock: TestClock) -> AsyncIterator[Server]:
    app = create_app(Settings(database=path), clock)
    try:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
            yield Server(app, app.state.core, clock, http)
    finally:
        app.state.core.close()


async def outcomes(
    base: Base, others: list[tuple[str, str, str]], questions: list[Any]
) -> tuple[list[Answer], list[Answer]]:
    """What our counter is answered without, and with, the other provider's acts before."""
    with tempfile.TemporaryDirectory() as folder:
        requests = None
        answers = []
        for name, before in (("quiet", []), ("busy", others)):
            path = Path(folder) / name
            shutil.copy(base.path, path)
            async with _serving(path, base.clock) as server:
                theirs = replace(base.theirs, server=server)
                await theirs.push(*(theirs.item(op, cn, sid) for op, cn, sid in before))
                if requests is None:
                    ours = replace(base.ours, server=server)
                    requests = [_request(server, ours, base.theirs, *asked) for asked in questions]
                answers.append([await _answer(server, request) for request in requests])
    return answers[0], answers[1]


async def _answer(server: Server, request: Request) -> Answer:
    answer = await server.http.request(
        request.method, request.path, headers=request.headers, content=request.body
    )
    return answer.status_code, sorted(answer.headers.items()), answer.content


def _request(
    server: Server, ours: Counter, theirs: Counter, kind: str, what: str, more: Any
) -> Request:
    epoch = server.epoch
    place = {"theirs": f"&pos={epoch}.1.{'1' * 32}", "made-up": f"&mark=x.9.{'2' * 32}"}
    incarnation = ours.incarnation if what == "ours" else theirs.incarnation
    plain = {
        "heads": f"/v1/heads?scope={what}{place.get(more, '')}",
        "log": f"/v1/log/{epoch}/{what}/{more}",
        "snapshot": f"/v1/snapshot/{epoch}/{what}/{more}",
        "digest": f"/v1/digest/{what}",
        "hello": f"/v1/hello?incarnation={incarnation.hex()}",
    }
    if kind in plain:
        return _signed(ours, "GET", plain[kind])
    if kind == "poll":
        path, device = f"/v1/poll?scope={what}", ours.identity.device_id
        key, now = server.core.site.poll_key(device), server.clock.now()
        return Request(
            "GET", path, sign_poll(url=ORIGIN + path, key=key, key_id=device, created=now)
        )
    if kind == "push":
        batch = ours.batch([_next_item(ours, what, more)], base=Position(epoch, 1, bytes(16)))
        return _posted(ours, "/v1/push", msgspec.structs.replace(batch, scope=what, base=None))
    known = [KnownItem(1, item_hash(_first_item(theirs))), KnownItem(2, bytes(32))]
    device = (theirs if more else ours).identity.device_id
    return _posted(ours, "/v1/recover", RecoverRequest(device, theirs.incarnation, what, known))


def _next_item(ours: Counter, scope: str, sid: str) -> PushItem:
    mid, prev = ours.mid, ours.prev
    item = ours.link(PEOPLE[2], sid)
    if scope != "A-1":  # Refused as a whole: the number stays free.
        ours.mid, ours.prev = mid, prev
    return item


def _first_item(theirs: Counter) -> PushItem:
    return PushItem(1, "link", 1, theirs.token(PEOPLE[0]), "S3", 0, bytes(32), b"x")


def _posted(ours: Counter, path: str, message: msgspec.Struct) -> Request:
    return _signed(ours, "POST", path, msgspec.msgpack.encode(message))


def _signed(ours: Counter, method: str, path: str, body: bytes | None = None) -> Request:
    headers = sign(
        method=method,
        url=ORIGIN + path,
        body=body,
        content_type=None if body is None else MSGPACK,
        key=ours.key,
        key_id=ours.identity.device_id,
        created=ours.server.clock.now(),
    )
    return Request(method, path, {"Accept": MSGPACK} | headers, body)


@settings(max_examples=EXAMPLES, deadline=None)
@given(others=acts, questions=asked)
def test_whatever_another_provider_does_every_answer_is_the_same(
    base: Base, others: list[tuple[str, str, str]], questions: list[Any]
) -> None:
    quiet, busy = asyncio.run(outcomes(base, others, questions))
    assert quiet == busy


@settings(max_examples=EXAMPLES, deadline=None)
@given(others=acts, kind=st.sampled_from(["heads", "log", "snapshot", "digest", "poll", "push"]),
       prefix=st.sampled_from(["", "S:"]))  # fmt: skip
def test_another_providers_scope_is_answered_as_one_that_does_not_exist(
    base: Base, others: list[tuple[str, str, str]], kind: str, prefix: str
) -> None:
    more = {"heads": "", "push": "S1"}.get(kind, 0)
    questions = [(kind, f"{prefix}{scope}", more) for scope in ("B-1", "Z-9")]
    _, (theirs, nobodys) = asyncio.run(outcomes(base, others, questions))
    assert theirs == nobodys
    assert theirs[0] == 404


def test_the_comparison_sees_a_server_that_looks_into_all_scopes(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_all_scopes(feed: Feed) -> Any:
        rows = feed.rows.c
        later = select(*feed.row_columns).where(rows.seq > bindparam("after"))
        return later.order_by(rows.scope, rows.seq).limit(bindparam("limit"))

    monkeypatch.setattr(publish, "_rows_after", of_all_scopes)
    others = [("link", PEOPLE[1], "S1")]
    quiet, busy = asyncio.run(outcomes(base, others, [("log", "A-1", 0)]))
    assert quiet != busy
