"""`GET /v1/poll`: is there anything new? The most frequent request, answered before the router.

What it answers with is at most `STATE_SECONDS` old, whatever process or host made the change: a
poll only tells a counter to come, and everything that the counter then asks for is checked anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import msgspec
from sqlalchemy import Select, bindparam, select, true
from sqlmodel import col
from starlette.types import Receive, Scope, Send

from mykey_server.auth import address_of
from mykey_server.core import Core
from mykey_server.database import reading
from mykey_server.problem import ProblemError
from mykey_server.reply import problem_reply
from mykey_server.services.terminals import find_terminal, refuse_unless_active
from mykey_server.tables.site import ScopeTable, SiteTable
from mykey_server.tables.suspension import SuspensionScopeTable
from mykey_tui.wire.messages import JSON, PollReply
from mykey_tui.wire.poll import verify_poll
from mykey_tui.wire.problems import ProblemType
from mykey_tui.wire.signature import SignatureError

PATH = "/v1/poll"
STATE_SECONDS = 1.0
REMEMBERED_MAX = 100_000
"""Counters and scopes remembered for that second; above it the oldest are asked for again."""

_QUERY_PREFIX = b"scope="
_WANTED = (b"signature-input", b"signature", b"if-none-match", b"host")
_HEADER_BYTES_MAX = 1024

_STATE: Select[int, bytes, int, bytes, str] = (
    select(
        col(ScopeTable.seq),
        col(ScopeTable.digest),
        col(SuspensionScopeTable.seq).label("suspension_seq"),
        col(SuspensionScopeTable.digest).label("suspension_digest"),
        col(SiteTable.epoch),
    )
    .join_from(
        ScopeTable,
        SuspensionScopeTable,
        col(SuspensionScopeTable.scope) == col(ScopeTable.scope),
    )
    .join(SiteTable, true())  # the site has one row
    .where(col(ScopeTable.scope) == bindparam("scope"))
)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _State:
    """Where a provider's scopes stand, ready to be sent."""

    etag: bytes
    body: bytes


@dataclass(slots=True)
class _Recent(Generic[_T]):
    """What was asked for within the last `STATE_SECONDS`."""

    ask: Callable[[str], _T]
    known: dict[str, tuple[float, _T]] = field(default_factory=dict)

    def get(self, name: str) -> _T:
        """What is known, or what `ask` says now."""
        now = time.monotonic()
        found = self.known.get(name)
        if found is not None and now - found[0] < STATE_SECONDS:
            return found[1]
        value = self.ask(name)
        self.known.pop(name, None)
        self.known[name] = (now, value)
        if len(self.known) > REMEMBERED_MAX:
            del self.known[next(iter(self.known))]
        return value


class Polls:
    """Answers polls as a small application of its own."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._scopes = _Recent(self._read_scope)
        self._states = _Recent(self._read_state)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 with an ETag, 304 for a counter that shows the same ETag, or a refusal."""
        del receive  # a poll has no body
        try:
            state, shown = self._answer(scope)
        except ProblemError as error:
            await problem_reply(error, now=self._core.clock.now())(scope, _nothing, send)
            return
        headers = [(b"cache-control", b"no-store"), (b"etag", state.etag)]
        if shown == state.etag:
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        headers.append((b"content-type", JSON.encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": state.body})

    def _answer(self, scope: Scope) -> tuple[_State, bytes]:
        shown = _headers(scope)
        device_id = self._who(scope, shown)
        self._core.buckets.take(device_id, self._core.clock.monotonic())
        own = self._scopes.get(device_id)
        query: bytes = scope["query_string"]
        if query != _QUERY_PREFIX + own.encode():
            raise ProblemError(ProblemType.NOT_FOUND)
        return self._states.get(own), shown.get(b"if-none-match", b"")

    def _who(self, scope: Scope, shown: dict[bytes, bytes]) -> str:
        try:
            return verify_poll(
                url=address_of(scope, shown.get(b"host", b""), self._core.settings.public_url),
                signature_input=shown.get(b"signature-input", b"").decode("ascii"),
                signature=shown.get(b"signature", b"").decode("ascii"),
                key_for=self._core.site.poll_key,
                now=self._core.clock.now(),
            )
        except UnicodeError as error:
            raise ProblemError(ProblemType.SIGNATURE) from error
        except SignatureError as error:
            raise ProblemError(error.problem) from error

    def _read_scope(self, device_id: str) -> str:
        """Its scope. Raises `ProblemError` for a counter that may not speak any more."""
        with reading(self._core.engine) as connection:
            terminal = find_terminal(connection, device_id)
        if terminal is None:
            raise ProblemError(ProblemType.SIGNATURE)
        refuse_unless_active(terminal, self._core.site, self._core.engine)
        return terminal.scope

    def _read_state(self, scope: str) -> _State:
        with reading(self._core.engine) as connection:
            row = connection.execute(_STATE, {"scope": scope}).one()
        reply = PollReply(epoch=row.epoch, seq=row.seq, suspension_seq=row.suspension_seq)
        own = f"{row.epoch}.{row.seq}.{row.digest.hex()}"
        etag = f'"{own}.{row.suspension_seq}.{row.suspension_digest.hex()}"'
        return _State(etag.encode("ascii"), msgspec.json.encode(reply))


def _headers(scope: Scope) -> dict[bytes, bytes]:
    """The headers that matter. Raises `SIGNATURE` for one that is there twice, or is too long."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in _WANTED:
            if name in found or len(value) > _HEADER_BYTES_MAX:
                raise ProblemError(ProblemType.SIGNATURE)
            found[name] = value
    return found


async def _nothing() -> dict[str, str]:
    return {"type": "http.disconnect"}
