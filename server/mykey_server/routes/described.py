"""Describes msgspec messages in the OpenAPI document, where FastAPI knows only its own models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from mykey_tui.wire.messages import (
    JSON,
    MSGPACK,
    PROBLEM_JSON,
    DigestReply,
    EnrolReply,
    EnrolRequest,
    HeadReply,
    HelloReply,
    LogReply,
    PollReply,
    Problem,
    PushReply,
    PushRequest,
    RecoverReply,
    RecoverRequest,
    SnapshotReply,
)

_TEMPLATE = "#/components/schemas/{name}"
_TEXT = {"type": "string"}
_MESSAGES = (
    DigestReply,
    EnrolReply,
    EnrolRequest,
    HeadReply,
    HelloReply,
    LogReply,
    PollReply,
    Problem,
    PushReply,
    PushRequest,
    RecoverReply,
    RecoverRequest,
    SnapshotReply,
)


def schemas() -> dict[str, Any]:
    """The JSON schemas of all messages, by name, for `components.schemas`."""
    _, components = msgspec.json.schema_components(_MESSAGES, ref_template=_TEMPLATE)
    return components


def described(
    answer: type[msgspec.Struct],
    question: type[msgspec.Struct] | None = None,
    *,
    query: Sequence[str] = (),
) -> dict[str, Any]:
    """Arguments for a route: what it answers, and what it takes as its body and in its query."""
    described: dict[str, Any] = {
        "response_model": None,
        "responses": {
            200: {"description": "Done", "content": _content(answer, JSON, MSGPACK)},
            "4XX": {"description": "Refused", "content": _content(Problem, PROBLEM_JSON)},
        },
    }
    extra: dict[str, Any] = {}
    if question is not None:
        extra["requestBody"] = {"required": True, "content": _content(question, JSON, MSGPACK)}
    if query:
        extra["parameters"] = [
            {"name": name, "in": "query", "required": name == "scope", "schema": _TEXT}
            for name in query
        ]
    if extra:
        described["openapi_extra"] = extra
    return described


def described_poll() -> dict[str, Any]:
    """The operation of the poll, which is answered before FastAPI and is therefore not known to it."""
    return {
        "summary": "Poll",
        "description": "Is there anything new? Signed with `hello.poll_key` alone (HMAC-SHA256), "
        "always answered in JSON. 304 while the ETag in `If-None-Match` is still true.",
        "operationId": "poll_v1_poll_get",
        "parameters": [{"name": "scope", "in": "query", "required": True, "schema": _TEXT}],
        "responses": {
            "200": {"description": "Done", "content": _content(PollReply, JSON)},
            "304": {"description": "Nothing new"},
            "4XX": {"description": "Refused", "content": _content(Problem, PROBLEM_JSON)},
        },
    }


def _content(message: type[msgspec.Struct], *media_types: str) -> dict[str, Any]:
    schema = {"$ref": _TEMPLATE.format(name=message.__name__)}
    return {media_type: {"schema": schema} for media_type in media_types}
