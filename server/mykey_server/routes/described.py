"""Describes msgspec messages in the OpenAPI document, where FastAPI knows only its own models."""

from __future__ import annotations

from typing import Any

import msgspec

from mykey_tui.wire.messages import (
    JSON,
    MSGPACK,
    PROBLEM_JSON,
    EnrolReply,
    EnrolRequest,
    HeadReply,
    HelloReply,
    LogReply,
    Problem,
    PushReply,
    PushRequest,
)

_TEMPLATE = "#/components/schemas/{name}"
_MESSAGES = (
    EnrolReply,
    EnrolRequest,
    HeadReply,
    HelloReply,
    LogReply,
    Problem,
    PushReply,
    PushRequest,
)


def schemas() -> dict[str, Any]:
    """The JSON schemas of all messages, by name, for `components.schemas`."""
    _, components = msgspec.json.schema_components(_MESSAGES, ref_template=_TEMPLATE)
    return components


def described(
    answer: type[msgspec.Struct], question: type[msgspec.Struct] | None = None
) -> dict[str, Any]:
    """Arguments for a route: what it answers, and what it takes."""
    described: dict[str, Any] = {
        "response_model": None,
        "responses": {
            200: {"description": "Done", "content": _content(answer, JSON, MSGPACK)},
            "4XX": {"description": "Refused", "content": _content(Problem, PROBLEM_JSON)},
        },
    }
    if question is not None:
        described["openapi_extra"] = {
            "requestBody": {"required": True, "content": _content(question, JSON, MSGPACK)}
        }
    return described


def _content(message: type[msgspec.Struct], *media_types: str) -> dict[str, Any]:
    schema = {"$ref": _TEMPLATE.format(name=message.__name__)}
    return {media_type: {"schema": schema} for media_type in media_types}
