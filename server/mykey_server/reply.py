"""Replies: encoded by msgspec, compressed when asked for, never cached."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from datetime import datetime

import msgspec
import zstandard
from starlette.requests import Request
from starlette.responses import Response

from mykey_server.problem import ProblemError
from mykey_tui.wire.messages import JSON, MSGPACK, PROBLEM_JSON, Problem
from mykey_tui.wire.problems import ProblemType

COMPRESS_FROM_BYTES = 512
"""Tokens and digests do not shrink; a head or a verdict would only grow."""

PAGES = zstandard.ZstdCompressionParameters.from_level(
    3, strategy=zstandard.STRATEGY_GREEDY, min_match=4
)
"""How zstd packs rows: two thirds of a row are a token, which does not shrink, so what counts are the
few bytes that repeat from row to row. 10,000 rows: 4 ms; 9 % smaller than level 1, 6 % than 3."""

COLUMNS = zstandard.ZstdCompressionParameters.from_level(1)
"""How zstd packs columns: nothing repeats in them but digits and zeros, and level 1 leaves those to
the entropy coder. 20,000 rows: 0.7 ms; six times faster and 2 % smaller than `PAGES`."""

_TITLES = {
    ProblemType.MALFORMED: "The request could not be read",
    ProblemType.CODE_REFUSED: "This enrolment code is wrong, used, or its time is over",
    ProblemType.TOO_MANY_TRIES: "Too many wrong tries; wait, or ask for a new code",
    ProblemType.SLOW_DOWN: "Too many requests from this counter; wait",
    ProblemType.UNSIGNED: "The request is not signed",
    ProblemType.SIGNATURE: "The signature is not valid",
    ProblemType.CLOCK: "The signature's time is not the server's",
    ProblemType.RETIRED: "This counter was retired by the operator",
    ProblemType.NOT_FOUND: "Not found",
    ProblemType.RESET: "This place is not in the server's history",
    ProblemType.TOO_LARGE: "The request is too large",
    ProblemType.CLONED: "One mutation number came with two contents: this counter is quarantined",
    ProblemType.BROKEN: "The server failed; nothing was applied",
    ProblemType.BUSY: "The server is busy; try again",
}

_WITH_TIME = frozenset({ProblemType.CLOCK, ProblemType.RETIRED, ProblemType.RESET})
_PASSING = frozenset({ProblemType.BUSY, ProblemType.SLOW_DOWN})
_HEADERS = {
    "Cache-Control": "no-store",
    "Vary": "Accept, Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


def not_modified(etag: str) -> Response:
    """What the counter has is what there is."""
    return Response(status_code=304, headers=_HEADERS | {"ETag": etag})


@dataclass(frozen=True, slots=True)
class Encoded:
    """A message as it travels."""

    body: bytes
    media_type: str
    encoding: str | None


def form_of(request: Request) -> tuple[str, str | None]:
    """The media type and the content encoding that the counter asked for."""
    media_type = MSGPACK if MSGPACK in request.headers.get("accept", "") else JSON
    return media_type, _best_encoding(request.headers.get("accept-encoding", ""))


def encode(
    message: msgspec.Struct,
    form: tuple[str, str | None],
    *,
    zstd: zstandard.ZstdCompressionParameters = PAGES,
) -> Encoded:
    """Encode a message in a form: msgpack or JSON, zstd (packed so) or gzip or neither."""
    media_type, encoding = form
    plain = msgspec.msgpack.encode if media_type == MSGPACK else msgspec.json.encode
    body = plain(message)
    if encoding is None or len(body) < COMPRESS_FROM_BYTES:
        return Encoded(body, media_type, None)
    if encoding == "zstd":
        body = zstandard.ZstdCompressor(compression_params=zstd).compress(body)
    else:
        body = gzip.compress(body, compresslevel=1, mtime=0)
    return Encoded(body, media_type, encoding)


def reply(request: Request, message: msgspec.Struct, *, etag: str | None = None) -> Response:
    """A message as the counter asked for it."""
    return send(encode(message, form_of(request)), etag=etag)


def send(encoded: Encoded, *, etag: str | None = None) -> Response:
    """The reply with these bytes."""
    headers = _HEADERS | ({} if etag is None else {"ETag": etag})
    if encoded.encoding is not None:
        headers["Content-Encoding"] = encoded.encoding
    return Response(encoded.body, media_type=encoded.media_type, headers=headers)


def problem_reply(error: ProblemError, *, now: datetime) -> Response:
    """A refusal as RFC 9457 problem, always JSON. Equal problems have equal bytes but for time."""
    problem = error.problem
    body = Problem(
        type=problem.type_name,
        title=_TITLES[problem],
        status=problem.status,
        server_time=now.isoformat() if problem in _WITH_TIME else None,
        epoch=error.epoch,
        action=error.action,
        reason=error.reason,
        proof=error.proof,
        successions=list(error.successions),
    )
    headers = dict(_HEADERS)
    if problem in _PASSING:
        headers["Retry-After"] = "1"
    return Response(
        msgspec.json.encode(body),
        status_code=problem.status,
        media_type=PROBLEM_JSON,
        headers=headers,
    )


def _best_encoding(accepted: str) -> str | None:
    """Zstd before gzip; an encoding with `q=0` is refused by whoever wrote that."""
    offers = {}
    for offer in accepted.lower().split(","):
        name, _, parameters = offer.partition(";")
        offers[name.strip()] = parameters.replace(" ", "") not in {"q=0", "q=0.0"}
    return next((name for name in ("zstd", "gzip") if offers.get(name)), None)
