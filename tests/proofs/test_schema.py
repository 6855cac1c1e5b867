"""schemathesis asks everything that the OpenAPI document allows, signed, and judges the answers.

No 5xx, no status, media type or body that the document does not name. What is spoilt on purpose, and
sent unsigned, is in `test_documented_requests.py`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.openapi.checks import UndefinedStatusCode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mykey_tui.wire.messages import JSON
from tests.proofs.asked import client_of, enrolled, served
from tests.proofs.length import length
from tests.proofs.polling import POLL, poll
from tests.server.conftest import ORIGIN, Counter, TestClock

EXAMPLES = length(short=15, long=2000)
"""For each endpoint."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ENDPOINTS = (
    "/v1/hello", "/v1/enrol", "/v1/poll", "/v1/heads", "/v1/log/{epoch}/{scope}/{after}",
    "/v1/snapshot/{epoch}/{scope}/{first}", "/v1/digest/{scope}", "/v1/push", "/v1/recover",
)  # fmt: skip


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    with served(tmp_path_factory.mktemp("doc")) as app:
        yield app


@pytest.fixture(scope="module")
def counter(app: FastAPI) -> Counter:
    return enrolled(app)


def _strategy(app: FastAPI, endpoint: str) -> Any:
    document = json.loads(json.dumps(app.openapi()))
    loaded = schemathesis.openapi.from_dict(document)
    (method,) = document["paths"][endpoint]
    return loaded[endpoint][method.upper()].as_strategy(generation_mode=GenerationMode.POSITIVE)


def _ask(app: FastAPI, counter: Counter, case: Any) -> httpx.Response:
    """The request as the case says it, signed."""
    prepared = requests.Request(**case.as_transport_kwargs(base_url=ORIGIN)).prepare()
    body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
    if body is not None and not isinstance(body, bytes):
        raise TypeError("a body that is neither text nor bytes")
    path = str(prepared.url).removeprefix(ORIGIN)

    async def ask() -> httpx.Response:
        async with client_of(app) as http:
            counter.server.http = http
            media_type = None if body is None else JSON
            method = case.operation.method.upper()
            if case.operation.path == POLL:
                return await poll(counter, method, path)
            return await counter.send(method, path, body=body, content_type=media_type)

    return asyncio.run(ask())


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_answer_is_one_that_the_document_names(
    app: FastAPI, counter: Counter, endpoint: str
) -> None:
    @settings(max_examples=EXAMPLES, deadline=None)
    @given(case=_strategy(app, endpoint))
    def ask(case: Any) -> None:
        case.validate_response(_ask(app, counter, case), checks=CHECKS)

    ask()


def test_the_document_names_no_endpoint_that_is_not_asked(app: FastAPI) -> None:
    assert set(app.openapi()["paths"]) == set(ENDPOINTS)


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b'{"epoch": 1}'), (302, b""), (500, b"{}")],
    ids=["another-form", "another-status", "a-bug"],
)
def test_an_answer_that_breaks_the_document_is_seen(app: FastAPI, status: int, body: bytes) -> None:
    broken = httpx.Response(
        status,
        headers={"Content-Type": JSON},
        content=body,
        request=httpx.Request("GET", f"{ORIGIN}/v1/heads"),
    )
    broken.elapsed = TestClock().now() - TestClock().now()

    @settings(max_examples=1, deadline=None)
    @given(case=_strategy(app, "/v1/heads"))
    def judge(case: Any) -> None:
        case.validate_response(broken, checks=CHECKS)

    with pytest.raises((FailureGroup, UndefinedStatusCode)):
        judge()
