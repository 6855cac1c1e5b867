"""The server as the rest of the counter knows it: one method for each operation of the protocol."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.store.believing import Believed
from mykey_tui.store.identity import Identity
from mykey_tui.sync.exchange import (
    LineCutError,
    Reply,
    ServerBusyError,
    accept_headers,
    exchange,
    make_http_client,
)
from mykey_tui.sync.parts import Part, read_part
from mykey_tui.sync.replies import (
    read,
    read_hello,
    read_page,
    read_problem,
    read_time,
    read_verdicts,
)
from mykey_tui.sync.retire import RetiredError, is_retirement
from mykey_tui.wire.messages import (
    MSGPACK,
    SUSPENSION_PREFIX,
    DigestReply,
    HeadReply,
    HelloReply,
    LogReply,
    Position,
    Problem,
    PushReply,
    PushRequest,
    RecoverReply,
    RecoverRequest,
    to_msgpack,
)
from mykey_tui.wire.poll import sign_poll
from mykey_tui.wire.problems import ProblemType
from mykey_tui.wire.signature import sign

OFFSET_NOTICED = timedelta(seconds=2)
"""A smaller difference of clocks is the line's delay and not worth a write."""

AGAIN_AFTER_SECONDS = (0.2, 1.0)
"""The pauses before a request goes again that a bad line has cut. Every one may be sent twice."""

_CODES = {
    ProblemType.RETIRED.type_name: Code.SERVER_DENIED,
    ProblemType.CLONED.type_name: Code.SERVER_COPIED,
    ProblemType.SIGNATURE.type_name: Code.SERVER_DENIED,
    ProblemType.UNSIGNED.type_name: Code.SERVER_DENIED,
    ProblemType.NOT_FOUND.type_name: Code.SERVER_DENIED,
    ProblemType.CLOCK.type_name: Code.SERVER_CLOCK,
}

_BUSY = frozenset({429, 503})
_NOT_MODIFIED = 304


class PushRefusedError(ServerError):
    """A push failed as a whole in a way that one of its items may have caused."""


class ResetError(ServerError):
    """The server's history does not have the place that this counter named."""

    def __init__(self, epoch: str | None) -> None:
        super().__init__(Code.SERVER_RESET, "another history")
        self.epoch = epoch


class ServerClient:
    """One counter's signed requests. Any thread may call; one request at a time is usual.

    Every method raises `LineError` when the server was not reached, and `ServerError` when it
    refused (SERVER_DENIED, SERVER_CLOCK, SERVER_COPIED, SERVER_BUSY), has another history
    (`ResetError`), made no sense (SERVER_BROKEN), is not proven (SERVER_TLS and its kind), or
    proved that this counter has ended (`RetiredError`).
    """

    def __init__(
        self,
        identity: Identity,
        clock: SystemClock,
        *,
        remember_offset: Callable[[timedelta], None] | None = None,
        transport: httpx.BaseTransport | None = None,
        verify: ssl.SSLContext | bool = True,
        again_after_seconds: tuple[float, ...] = AGAIN_AFTER_SECONDS,
    ) -> None:
        """Nothing is sent yet.

        `clock.offset` follows the server's time; `remember_offset` gets each new offset, to be
        kept for the next start. `transport` stands in for the network (the demo cuts it there).
        `again_after_seconds`: how often, and after which pauses, a cut request goes again.
        """
        self._identity = identity
        self._clock = clock
        self._remember_offset = remember_offset
        self._key = Ed25519PrivateKey.from_private_bytes(identity.device_key)
        self._poll_key: bytes | None = None
        self._again_after_seconds = again_after_seconds
        self._line_holds = False
        self._believed = Believed(identity.server_key, identity.seal_key)
        self._http = make_http_client(transport, verify)
        self._base = f"{identity.server_url}/v1"

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def believe(self, keys: Believed) -> None:
        """From now on these are the server's keys; at first those that the store was opened with."""
        self._believed = keys

    def hello(self, incarnation: bytes | None = None) -> HelloReply:
        """What the server speaks, takes at most, and knows of this counter under an incarnation."""
        path = f"/hello?incarnation={(incarnation or self._identity.incarnation).hex()}"
        if self._believed.fingerprint is not None:
            path += f"&believes={self._believed.fingerprint}"
        hello = read_hello(self._call("GET", path))
        self._note_time(hello.server_time)
        self._poll_key = hello.poll_key
        return hello

    @property
    def can_poll(self) -> bool:
        """Whether this server gave a key for polls, in a `hello` of this client's."""
        return self._poll_key is not None

    def poll(self, etag: str) -> str | None:
        """Whether anything is new since the state that `etag` names: its new ETag, or None if not.

        Only after `can_poll`.
        """
        reply = self._call("GET", f"/poll?scope={self._scope(False)}", etag=etag)
        return None if reply.status == _NOT_MODIFIED else reply.etag

    def head(
        self,
        *,
        pos: Position | None = None,
        mark: Position | None = None,
        suspensions: bool = False,
    ) -> HeadReply:
        """The newest place of this counter's scope, or of its suspensions.

        With a place the server says too whether its history has that. Raises `ResetError` where not.
        """
        query = f"scope={self._scope(suspensions)}"
        for name, place in (("pos", pos), ("mark", mark)):
            if place is not None:
                epoch = quote(place.epoch, safe="")
                query += f"&{name}={epoch}.{place.seq}.{place.digest.hex()}"
        head = read(self._call("GET", f"/heads?{query}"), HeadReply)
        self._note_time(head.server_time)
        return head

    def log(
        self, *, epoch: str, after: int, limit: int, suspensions: bool = False
    ) -> tuple[LogReply, int]:
        """Rows after a seq, and how many rows of the page could not be read."""
        scope = self._scope(suspensions)
        path = f"/log/{quote(epoch, safe='')}/{scope}/{after}?limit={limit}"
        return read_page(self._call("GET", path), after=after, limit=limit)

    def snapshot(self, *, epoch: str, first: int, rows: int, buckets: int) -> Part:
        """Whole buckets of rows from `first` on: as many as hold `rows`, at most `buckets`."""
        path = f"/snapshot/{quote(epoch, safe='')}/{self._scope(False)}/{first}"
        reply = self._call("GET", f"{path}?rows={rows}&buckets={buckets}")
        return read_part(reply, first=first, buckets=buckets)

    def digest(self) -> DigestReply:
        """The scope's digest in 256 parts."""
        return read(self._call("GET", f"/digest/{self._scope(False)}"), DigestReply)

    def recover(self, request: RecoverRequest) -> RecoverReply:
        """What became of these mutation numbers."""
        return read(self._call("POST", "/recover", to_msgpack(request)), RecoverReply)

    def push(self, request: PushRequest) -> PushReply:
        """Send mutations. Raises `PushRefusedError` where a single item may be the cause."""
        reply = read_verdicts(self._call("POST", "/push", to_msgpack(request)))
        self._note_time(reply.server_time)
        return reply

    def _scope(self, suspensions: bool) -> str:
        prefix = SUSPENSION_PREFIX if suspensions else ""
        return quote(prefix + self._identity.scope, safe=":")

    def _call(
        self, method: str, path: str, body: bytes | None = None, *, etag: str | None = None
    ) -> Reply:
        """Ask, signed as a poll where there is an `etag`."""
        sound = (200,) if etag is None else (200, _NOT_MODIFIED)
        reply = self._send(method, path, body, etag)
        if reply.status in sound:
            return reply
        problem = read_problem(reply)
        if _is_clock(problem) and self._note_time(problem.server_time if problem else None):
            # Signed again with the server's time, once; a second refusal is final.
            reply = self._send(method, path, body, etag)
            if reply.status in sound:
                return reply
            problem = read_problem(reply)
        if is_retirement(problem, self._identity, self._believed.server_key):
            raise RetiredError
        raise _refusal(reply, problem, is_push=path == "/push")

    def _send(self, method: str, path: str, body: bytes | None, etag: str | None) -> Reply:
        """Send, and where the line cut it send again: but not on a line that has just failed.

        There one request is enough to see that it still does, or an outage is a storm of them.
        """
        pauses = self._again_after_seconds if self._line_holds else ()
        self._line_holds = False
        for pause in pauses:
            try:
                reply = exchange(self._http, self._request(method, path, body, etag))
                break
            except LineCutError:
                time.sleep(pause)
        else:
            reply = exchange(self._http, self._request(method, path, body, etag))
        self._line_holds = True
        return reply

    def _request(
        self, method: str, path: str, body: bytes | None, etag: str | None
    ) -> httpx.Request:
        request = self._http.build_request(
            method, self._base + path, content=body, headers=dict(accept_headers())
        )
        if etag is None:
            request.headers.update(self._signature(method, str(request.url), body))
        else:
            request.headers.update(self._poll_signature(str(request.url)))
            request.headers["If-None-Match"] = etag
        return request

    def _signature(self, method: str, url: str, body: bytes | None) -> dict[str, str]:
        return sign(
            method=method,
            url=url,
            body=body,
            content_type=MSGPACK if body else None,
            key=self._key,
            key_id=str(self._identity.device_id),
            created=self._clock.now(),
        )

    def _poll_signature(self, url: str) -> dict[str, str]:
        if self._poll_key is None:
            raise RuntimeError("no key for polls")
        device_id = str(self._identity.device_id)
        return sign_poll(url=url, key=self._poll_key, key_id=device_id, created=self._clock.now())

    def _note_time(self, server_time: str | None) -> bool:
        """Follow the server's clock. Returns whether the time was sound."""
        moment = read_time(server_time)
        if moment is None:
            return False
        offset = moment - datetime.now(UTC)
        if abs(offset - self._clock.offset) > OFFSET_NOTICED:
            self._clock.offset = offset
            if self._remember_offset is not None:
                self._remember_offset(offset)
        return True


def _is_clock(problem: Problem | None) -> bool:
    return problem is not None and problem.type == ProblemType.CLOCK.type_name


def _refusal(reply: Reply, problem: Problem | None, *, is_push: bool) -> ServerError:
    """What a refusal is to us. The server's own words are not repeated to people."""
    if problem is not None:
        if problem.type == ProblemType.RESET.type_name:
            return ResetError(problem.epoch)
        code = _CODES.get(problem.type)
        if code is not None:
            return ServerError(code)
    if reply.status in _BUSY and reply.retry_after_s is not None:
        return ServerBusyError(reply.retry_after_s)
    kind = PushRefusedError if is_push and reply.status in (400, 413) else ServerError
    return kind(Code.SERVER_BROKEN, f"status {reply.status}")
