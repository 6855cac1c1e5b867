"""The body of a request: read within limits of size and time, then decoded strictly."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from mykey_server.problem import ProblemError
from mykey_tui.wire.messages import BODY_BYTES_MAX, JSON, MSGPACK
from mykey_tui.wire.problems import ProblemType

BODY_SECONDS_MAX = 20.0
"""256 KiB over the slowest line that is of any use; a body that drips in is cut off."""
CONTENT_LENGTH_DIGITS_MAX = 16

_Message = TypeVar("_Message", bound=msgspec.Struct)


async def read_body(request: Request) -> bytes:
    """Read at most `BODY_BYTES_MAX`; stop at the first byte beyond. Raises `ProblemError`."""
    announced = request.headers.get("content-length", "0")
    if not (announced.isascii() and announced.isdigit()):
        raise ProblemError(ProblemType.MALFORMED)
    if len(announced) > CONTENT_LENGTH_DIGITS_MAX or int(announced) > BODY_BYTES_MAX:
        raise ProblemError(ProblemType.TOO_LARGE)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            async for chunk in request.stream():
                size += len(chunk)
                if size > BODY_BYTES_MAX:
                    raise ProblemError(ProblemType.TOO_LARGE)
                chunks.append(chunk)
    except (TimeoutError, ClientDisconnect) as error:
        raise ProblemError(ProblemType.MALFORMED) from error
    return b"".join(chunks)


def decode(request: Request, body: bytes, form: type[_Message]) -> _Message:
    """Decode JSON or msgpack by Content-Type into `form`; unknown fields are refused."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if "content-encoding" in request.headers:
        # Sealed bytes do not shrink, and a decompressor is one more thing to bomb.
        raise ProblemError(ProblemType.MALFORMED)
    try:
        if media_type == MSGPACK:
            return msgspec.msgpack.decode(body, type=form)
        if media_type == JSON:
            return msgspec.json.decode(body, type=form)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ProblemError(ProblemType.MALFORMED) from error
    raise ProblemError(ProblemType.MALFORMED)
