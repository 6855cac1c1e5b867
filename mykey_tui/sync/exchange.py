"""One HTTP request and its reply: bounded in bytes and time, errors translated. Nothing is believed.

The reply's body is unpacked here and not by httpx, whose decoders have no bound: a few kilobytes of
zstd can unpack to gigabytes.
"""

from __future__ import annotations

import ssl
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
import zstandard

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import LineError, ServerError
from mykey_tui.sync.deadline import DEADLINE, BoundedTransport
from mykey_tui.sync.tls import tls_failure

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
UPLINK_BYTES_A_SECOND = 8000
"""The slowest uplink that is waited for, 64 kbit/s. The kernel takes a body at once and sends it at
the line's pace, so the wait for a reply holds the sending: 42 s for the largest body."""
EXCHANGE_SECONDS = 60.0
"""For all of it: a server that drips one byte at a time must not hold the thread, and its lock."""

PACKED_BYTES_MAX = 4 * 1024 * 1024
BODY_BYTES_MAX = 8 * 1024 * 1024
"""A page of 10,000 rows has less than 1 MB."""

RETRY_AFTER_SECONDS_MAX = 300.0
"""A server may ask for a pause; one that asks for a day is broken, and is asked again sooner."""
_RETRY_AFTER_DIGITS_MAX = 9
ETAG_CHARS_MAX = 256
"""A longer one is cut, and then never matches: that costs a round, no more."""


_NOT_REACHED = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
_CUT = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)


class LineBrokeError(LineError):
    """The server was reached, and the line broke or was too slow before the reply was whole."""


class LineCutError(LineBrokeError):
    """It broke, and nobody had waited in vain: the same request may well come through at once."""


class ServerBusyError(ServerError):
    """The server takes nothing for a moment, and said for how long (at most five minutes)."""

    def __init__(self, wait_seconds: float) -> None:
        super().__init__(Code.SERVER_BUSY, f"asked to wait {wait_seconds:g} s")
        self.wait_seconds = wait_seconds


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, unpacked."""

    status: int
    content_type: str
    body: bytes
    retry_after_s: float | None = None
    """How long the server asks to be left alone (RFC 9110, 10.2.3; seconds only), bounded."""
    etag: str = ""


def make_http_client(
    transport: httpx.BaseTransport | None, verify: ssl.SSLContext | bool
) -> httpx.Client:
    """A client that follows nothing and takes nothing from the environment.

    `transport` stands in for the network; then `EXCHANGE_SECONDS` does not bound it.
    """
    return httpx.Client(
        transport=transport or BoundedTransport(verify),
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        follow_redirects=False,
        trust_env=False,
    )


def exchange(http: httpx.Client, request: httpx.Request) -> Reply:
    """Send and receive.

    Raises:
        LineError: not reached; `LineBrokeError` when reached, and the reply did not come whole
            (`LineCutError` when the connection ended, and not our patience).
        ServerError: SERVER_BROKEN for a reply that is too large or cannot be unpacked; SERVER_TLS,
            SERVER_TLS_NAME or SERVER_TLS_TIME where the server could not prove itself: then nothing
            was sent.
    """
    patience = READ_SECONDS + len(request.content) / UPLINK_BYTES_A_SECOND
    timeout = httpx.Timeout(patience, connect=CONNECT_SECONDS)
    request.extensions = {
        **request.extensions,
        "timeout": timeout.as_dict(),
        DEADLINE: time.monotonic() + EXCHANGE_SECONDS,
    }
    try:
        response = http.send(request, stream=True)
        try:
            packed = _receive(response)
        finally:
            response.close()
    except httpx.HTTPError as error:
        unproven = tls_failure(error)
        if unproven is not None:
            raise unproven from error
        # Only the kind: the text may name an address, never a person, but nobody needs it.
        raise _broken(error)(type(error).__name__) from error
    content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = response.headers.get("content-encoding", "").strip().lower()
    pause = _retry_after(response.headers.get("retry-after", ""))
    etag = response.headers.get("etag", "")[:ETAG_CHARS_MAX]
    return Reply(response.status_code, content_type, _unpack(packed, encoding), pause, etag)


def _broken(error: httpx.HTTPError) -> type[LineError]:
    if isinstance(error, _NOT_REACHED):
        return LineError
    return LineCutError if isinstance(error, _CUT) else LineBrokeError


def _receive(response: httpx.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    for part in response.iter_raw():
        size += len(part)
        if size > PACKED_BYTES_MAX:
            raise ServerError(Code.SERVER_BROKEN, "reply too large")
        parts.append(part)
    return b"".join(parts)


def _unpack(packed: bytes, encoding: str) -> bytes:
    try:
        if encoding in ("", "identity"):
            body = packed
        elif encoding == "zstd":
            with zstandard.ZstdDecompressor().stream_reader(packed) as reader:
                body = reader.read(BODY_BYTES_MAX + 1)
        elif encoding == "gzip":
            unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
            body = unpacker.decompress(packed, BODY_BYTES_MAX + 1)
        else:
            raise ServerError(Code.SERVER_BROKEN, "unknown encoding")
    except (zlib.error, zstandard.ZstdError) as error:
        raise ServerError(Code.SERVER_BROKEN, "reply cannot be unpacked") from error
    if len(body) > BODY_BYTES_MAX:
        raise ServerError(Code.SERVER_BROKEN, "reply too large")
    return body


def _retry_after(text: str) -> float | None:
    """Seconds; None where the header is missing, a date, or nonsense."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit()) or len(digits) > _RETRY_AFTER_DIGITS_MAX:
        return None
    return min(float(digits), RETRY_AFTER_SECONDS_MAX)


def accept_headers() -> Mapping[str, str]:
    """What we ask replies to be."""
    return {"Accept": "application/msgpack", "Accept-Encoding": "zstd, gzip"}
