"""No request, however made, breaks the server or makes it say more than that it refuses."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mykey_server.app
from mykey_server.app import create_app
from mykey_server.routes.described import schemas
from mykey_server.settings import Settings
from mykey_tui.wire.messages import BODY_BYTES_MAX, JSON, MSGPACK, PUSH_ITEMS_MAX, Problem
from tests.server.conftest import ORIGIN, Counter, Server, TestClock

SEED = "1C2410DF79DGEL07202002B"


def problem(answer: httpx.Response) -> str:
    return msgspec.json.decode(answer.content, type=Problem).type


async def pushed(counter: Counter, body: bytes, content_type: str = JSON) -> httpx.Response:
    return await counter.send("POST", "/v1/push", body=body, content_type=content_type)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"null",
        b"[]",
        b"{}",
        b'{"items":' + b"[" * 50_000,
        b"\xff\xfe",
        b'{"device":1}',
        b'"' + b"a" * 200_000 + b'"',
        b"NaN",
        b"1e999999",
    ],
)
async def test_a_malformed_body_is_told_so(counter: Counter, body: bytes) -> None:
    answer = await pushed(counter, body)
    assert (answer.status_code, problem(answer)) == (400, "malformed")


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "", "json"])
async def test_another_content_type_is_malformed(counter: Counter, content_type: str) -> None:
    assert problem(await pushed(counter, b"{}", content_type)) in {"malformed", "signature-refused"}


async def test_a_field_that_is_not_of_the_protocol_is_malformed(counter: Counter) -> None:
    batch = msgspec.to_builtins(counter.batch([counter.link(SEED, "A1")]), builtin_types=(bytes,))
    batch["items"][0]["at_local"] = "2026-11-22"
    answer = await pushed(counter, msgspec.msgpack.encode(batch), MSGPACK)
    assert (answer.status_code, problem(answer)) == (400, "malformed")
    assert counter.server.links() == []


async def test_more_items_than_published_are_malformed(counter: Counter) -> None:
    item = counter.link(SEED, "A1")
    answer = await counter.try_push(counter.batch([item] * (PUSH_ITEMS_MAX + 1)))
    assert problem(answer) == "malformed"


async def test_a_body_over_the_limit_is_refused(counter: Counter) -> None:
    answer = await pushed(counter, b"x" * (BODY_BYTES_MAX + 1))
    assert (answer.status_code, problem(answer)) == (413, "too-large")


async def test_a_body_over_the_limit_is_cut_off_while_it_is_read(server: Server) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * BODY_BYTES_MAX:
            sent += 65536
            yield b"x" * 65536

    answer = await server.http.post("/v1/push", content=endless())
    assert (answer.status_code, problem(answer)) == (413, "too-large")


@pytest.mark.parametrize("length", ["-1", "x", "9" * 5000, "1.5", "²"])
async def test_a_nonsense_content_length_is_refused(server: Server, length: str) -> None:
    headers = {b"Content-Length": length.encode()}
    answer = await server.http.post("/v1/enrol", content=b"{}", headers=headers)
    assert answer.status_code in {400, 413}


async def test_a_compressed_body_is_not_opened(counter: Counter) -> None:
    answer = await counter.send(
        "POST", "/v1/push", body=b"{}", content_type=JSON, headers={"Content-Encoding": "gzip"}
    )
    assert problem(answer) == "malformed"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/heads",
        "/v1/heads?scope=",
        "/v1/heads?scope=" + "x" * 5000,
        "/v1/heads?scope=%00",
        "/v1/heads?scope=%FF",
        "/v1/log/{epoch}/{scope}/-1",
        "/v1/log/{epoch}/{scope}/x",
        "/v1/log/{epoch}/{scope}/99999999999999999999",
        "/v1/log/{epoch}/{scope}/0?limit=0",
        "/v1/log/{epoch}/{scope}/0?limit=x",
        "/v1/log/{epoch}/{scope}/%D9%A1",
        "/v1/log/%00/{scope}/0",
        "/v1/hello?incarnation=zz",
        "/v1/hello?incarnation=00",
        "/v1/hello?incarnation=é",
    ],
)
async def test_a_nonsense_address_is_refused(counter: Counter, path: str) -> None:
    path = path.format(epoch=counter.server.epoch, scope=counter.scope)
    signed_path = str(httpx.URL(ORIGIN + path)).removeprefix(ORIGIN)
    answer = await counter.send("GET", signed_path)
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/v1/push"), ("DELETE", "/v1/hello"), ("GET", "/v2/hello"),
     ("POST", "/v1/heads"), ("GET", "/docs"), ("GET", "/v1/log/a/b")],
)  # fmt: skip
async def test_what_does_not_exist_is_refused_in_one_form(
    server: Server, method: str, path: str
) -> None:
    answer = await server.http.request(method, path)
    assert (answer.status_code, problem(answer)) == (404, "not-found")


async def test_who_asks_for_the_document_again_and_again_makes_no_work(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []

    def counted() -> dict[str, object]:
        made.append(1)
        return schemas()

    monkeypatch.setattr(mykey_server.app, "schemas", counted)
    answers = [await server.http.get("/openapi.json") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    assert len(made) == 1


@pytest.mark.parametrize("path", ["/v1/hello", "/v1/heads?scope=A-1", "/v1/log/e/A-1/0"])
async def test_nothing_is_told_to_who_does_not_sign(server: Server, path: str) -> None:
    answer = await server.http.get(path)
    assert (answer.status_code, problem(answer)) == (401, "signature-missing")


async def test_a_request_signed_for_another_address_is_refused(counter: Counter) -> None:
    answer = await counter.send("GET", "/v1/hello", headers={"Host": "other.example"})
    assert problem(answer) == "signature-refused"


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["device", "incarnation", "scope", "base", "mark", "items", "mid", "op",
                         "code", "public_key", "name", "sealed", "x"]),
        inner, max_size=6,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    bodies=st.lists(
        st.tuples(
            st.sampled_from(["/v1/push", "/v1/enrol"]),
            st.sampled_from([JSON, MSGPACK]),
            st.binary(max_size=200) | json_like,
        ),
        min_size=1,
        max_size=8,
    )
)
def test_no_body_makes_the_server_fail(bodies: list[tuple[str, str, object]]) -> None:
    async def send_all(folder: Path) -> None:
        app = create_app(Settings(database=folder / "server.db"), TestClock())
        try:
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
                server = Server(app, app.state.core, app.state.core.clock, http)
                counter = await server.enrol(server.add_provider("A-1"))
                for path, content_type, content in bodies:
                    body = content if isinstance(content, bytes) else encoded(content_type, content)
                    answer = await counter.send(
                        "POST", path, body=body or b" ", content_type=content_type
                    )
                    assert 400 <= answer.status_code < 500
        finally:
            app.state.core.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(send_all(Path(folder)))


def encoded(content_type: str, content: object) -> bytes:
    try:
        if content_type == JSON:
            return msgspec.json.encode(content)
        return msgspec.msgpack.encode(content)
    except (OverflowError, UnicodeEncodeError):
        return b"\xc1"
