"""Requests made from the server's own OpenAPI document, good ones and spoilt ones, most of them signed.

`test_schema.py` asks what the document allows; this also asks what it does not.

No answer is a 5xx, every answer has the documented form, and a refusal is a problem with a known
type. The generator reads nothing but the document, so an endpoint that is added is tested with it.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

import httpx
import msgspec
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from mykey_server.database import write
from mykey_server.services.admin import set_terminal_status
from mykey_server.services.selfcheck import self_check
from mykey_server.tables.terminal import TERMINAL_ACTIVE
from mykey_tui.wire import messages
from mykey_tui.wire.messages import JSON, MSGPACK, PROBLEM_JSON, Problem
from mykey_tui.wire.problems import ProblemType
from tests.proofs.asked import client_of, enrolled, served
from tests.proofs.length import length
from tests.proofs.polling import is_poll, poll
from tests.server.conftest import Counter

EXAMPLES = length(short=150, long=20_000)
LIVE = "M000000000000107202002B"
KNOWN_PROBLEMS = {problem.type_name: problem.status for problem in ProblemType}

texts = st.text(max_size=40)
Made: TypeAlias = tuple[str, str, Any, str, bool]
"""Method, path with query, body or None, media type of the answer, whether it is signed."""
junk = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), texts,
    st.lists(st.integers(), max_size=3), st.dictionaries(texts, st.integers(), max_size=3),
)  # fmt: skip


class Documented:
    """Strategies for what the document describes; `hints` are values that mean something here."""

    def __init__(self, document: dict[str, Any], hints: dict[str, list[str]]) -> None:
        self._schemas = document["components"]["schemas"]
        self._hints = hints
        self.operations = [
            (path, method, operation)
            for path, methods in sorted(document["paths"].items())
            for method, operation in sorted(methods.items())
        ]

    def value(self, schema: dict[str, Any], name: str = "") -> st.SearchStrategy[Any]:
        """Values of a schema; those of a name with hints are nearly always the hints."""
        if "$ref" in schema:
            return self.value(self._schemas[schema["$ref"].rpartition("/")[2]], name)
        if "anyOf" in schema:
            return st.one_of([self.value(part, name) for part in schema["anyOf"]])
        if schema["type"] == "object":
            return self._objects(schema)
        if schema["type"] == "array":
            most = min(schema.get("maxItems", 4), 4)
            return st.lists(self.value(schema["items"], name), max_size=most)
        return self._scalar(schema, name)

    def _scalar(self, schema: dict[str, Any], name: str) -> st.SearchStrategy[Any]:
        if schema["type"] == "integer":
            most = schema.get("exclusiveMaximum", 2**53) - 1
            low = schema.get("minimum", 0)
            return st.one_of(st.integers(low, min(most, low + 3)), st.integers(low, most))
        if schema["type"] == "null":
            return st.none()
        if "contentEncoding" in schema:
            least, most = schema["minLength"] // 4 * 3, schema["maxLength"] // 4 * 3
            plain = st.integers(max(least - 2, 0), most).flatmap(lambda n: st.binary(max_size=n))
            made = st.one_of(plain, st.just(bytes(max(least - 2, 0))), st.just(bytes(16)))
            coded = made.map(lambda raw: base64.b64encode(raw).decode())
            return st.one_of(coded, *self._hinted(name))
        free = st.text(min_size=schema.get("minLength", 0), max_size=schema.get("maxLength", 40))
        return st.one_of(free, *self._hinted(name))

    def _hinted(self, name: str) -> list[st.SearchStrategy[Any]]:
        return [st.sampled_from(self._hints[name])] * 3 if name in self._hints else []

    def _objects(self, schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
        required = set(schema.get("required", ()))
        fields = {name: self.value(part, name) for name, part in schema["properties"].items()}
        return st.fixed_dictionaries(
            {name: fields[name] for name in fields if name in required},
            optional={name: fields[name] for name in fields if name not in required},
        )


@st.composite
def requests(draw: st.DrawFn, documented: Documented) -> Made:
    """One request, made or spoilt."""
    path, method, operation = draw(st.sampled_from(documented.operations))
    query = []
    for parameter in operation.get("parameters", ()):
        name = parameter["name"]
        value = draw(
            st.one_of(documented.value(parameter["schema"], name), st.integers(0, 300).map(str))
        )
        if parameter["in"] == "path":
            path = path.replace("{" + name + "}", quote(str(value), safe="") or "-")
        elif parameter["required"] or draw(st.booleans()):
            query.append((name, value))
    body = None
    if "requestBody" in operation:
        body = draw(documented.value(operation["requestBody"]["content"][JSON]["schema"]))
        if draw(st.integers(0, 3)) == 0:
            body = draw(spoilt(body))
    asked = path + ("?" + urlencode(query) if query else "")
    return (
        method.upper(),
        asked,
        body,
        draw(st.sampled_from([JSON, MSGPACK])),
        draw(st.integers(0, 9)) > 0,
    )


@st.composite
def spoilt(draw: st.DrawFn, body: dict[str, Any]) -> Any:
    """The same with one field changed, missing or too much, or something else altogether."""
    how = draw(st.sampled_from(["change", "drop", "add", "other"]))
    if how == "other" or not body:
        return draw(junk)
    name = draw(st.sampled_from(sorted(body)))
    if how == "drop":
        return {field: value for field, value in body.items() if field != name}
    return body | {name if how == "change" else "more": draw(junk)}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    with served(tmp_path_factory.mktemp("doc")) as app:
        yield app


@pytest.fixture(scope="module")
def counter(app: FastAPI) -> Counter:
    """Somebody is linked, so that there is something to be told of."""
    return enrolled(app, lambda counter: counter.push(counter.link(LIVE, "S1")))


@pytest.fixture(scope="module")
def documented(app: FastAPI, counter: Counter) -> Documented:
    token, epoch = counter.token(LIVE), counter.server.epoch
    place = f"{epoch}.0.{'0' * 32}"
    return Documented(
        app.openapi(),
        {
            "scope": [counter.scope, f"S:{counter.scope}"],
            "epoch": [epoch],
            "after": ["0", "1"],
            "first": ["0", "255"],
            "limit": ["1", "10"],
            "rows": ["1", "10"],
            "buckets": ["1", "256"],
            "wait": ["0"],
            "pos": [place],
            "mark": [place],
            "device": [counter.identity.device_id],
            "incarnation": [base64.b64encode(counter.incarnation).decode()],
            "token": [base64.b64encode(token).decode()],
            "op": ["link", "unlink", "replace"],
            "sid": ["S1", "S2"],
        },
    )


async def _ask(counter: Counter, app: FastAPI, request: Made) -> httpx.Response:
    method, path, body, media_type, is_signed = request
    content = None if body is None else json.dumps(body).encode()
    async with client_of(app) as http:
        counter.server.http = http
        counter.media_type = media_type
        if is_signed:
            if is_poll(path):
                return await poll(counter, method, path)
            content_type = None if content is None else JSON
            return await counter.send(method, path, body=content, content_type=content_type)
        headers = {"Accept": media_type} | ({} if content is None else {"Content-Type": JSON})
        return await http.request(method, path, content=content, headers=headers)


def _check_form(app: FastAPI, request: Made, answer: httpx.Response) -> None:
    method, path, _, media_type, _ = request
    assert answer.status_code < 500, answer.text
    assert answer.headers["cache-control"] == "no-store"
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == PROBLEM_JSON
        problem = msgspec.json.decode(answer.content, type=Problem)
        assert KNOWN_PROBLEMS[problem.type] == problem.status == answer.status_code
        return
    expected = JSON if is_poll(path) else media_type  # A poll is too short to be worth a choice.
    assert (answer.status_code, answer.headers["content-type"]) == (200, expected)
    decode = msgspec.json.decode if expected == JSON else msgspec.msgpack.decode
    decode(answer.content, type=_documented_form(app, method, path))


def _documented_form(app: FastAPI, method: str, path: str) -> type[msgspec.Struct]:
    parts = path.partition("?")[0].split("/")
    (operation,) = [
        methods[method.lower()]
        for template, methods in app.openapi()["paths"].items()
        if method.lower() in methods and template.split("/")[2] == parts[2]
    ]
    name = operation["responses"]["200"]["content"][JSON]["schema"]["$ref"].rpartition("/")[2]
    form: type[msgspec.Struct] = getattr(messages, name)
    return form


def _release(app: FastAPI, counter: Counter) -> None:
    """A made-up number was a copied disk; the operator lets the counter speak again."""
    device_id = counter.identity.device_id
    write(app.state.core.engine, lambda c: set_terminal_status(c, device_id, TERMINAL_ACTIVE))


def test_no_documented_request_breaks_the_server_or_its_promises(
    app: FastAPI, counter: Counter, documented: Documented
) -> None:
    answered: dict[int, int] = {}

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(request=requests(documented))
    def ask(request: Made) -> None:
        counter.server.clock.pass_by(timedelta(milliseconds=20))  # Nobody asks faster for long.
        answer = asyncio.run(_ask(counter, app, request))
        if answer.status_code == 409 and b"device-quarantined" in answer.content:
            _release(app, counter)
        answered[answer.status_code] = answered.get(answer.status_code, 0) + 1
        _check_form(app, request, answer)

    ask()
    # It reaches behind the first refusal, and not only good requests are made.
    assert {200, 400, 401, 404} <= set(answered), answered
    assert all(finding.ok for finding in self_check(app.state.core.engine))


def test_the_document_describes_every_message_of_the_protocol(app: FastAPI) -> None:
    described = set(app.openapi()["components"]["schemas"])
    assert {"HelloReply", "HeadReply", "LogReply", "SnapshotReply", "DigestReply", "PushRequest",
            "PollReply", "PushReply", "RecoverRequest", "RecoverReply", "Problem"} <= described  # fmt: skip


def test_the_comparison_sees_an_answer_without_its_form(app: FastAPI) -> None:
    request = ("GET", "/v1/hello", None, JSON, True)
    headers = {"content-type": JSON, "cache-control": "no-store"}
    bad = httpx.Response(200, headers=headers, content=b'{"proto": "one"}')
    with pytest.raises(msgspec.ValidationError):
        _check_form(app, request, bad)
    with pytest.raises(AssertionError):
        _check_form(app, request, httpx.Response(500, headers=headers))
