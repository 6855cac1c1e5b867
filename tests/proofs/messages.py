"""Reading what goes over the line, for the proofs that watch it."""

from __future__ import annotations

from typing import TypeVar

import httpx
import msgspec
import zstandard

from mykey_tui.wire.messages import JSON, PROBLEM_JSON
from tests.proofs.world import Once

_Message = TypeVar("_Message", bound=msgspec.Struct)


def decoded(answer: httpx.Response, form: type[_Message]) -> _Message:
    """An answer's message, without using up its body."""
    assert isinstance(answer.stream, Once)
    body = answer.stream.body
    if answer.headers.get("content-encoding") == "zstd":
        body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
    if answer.headers["content-type"].startswith((JSON, PROBLEM_JSON)):
        return msgspec.json.decode(body, type=form)
    return msgspec.msgpack.decode(body, type=form)
