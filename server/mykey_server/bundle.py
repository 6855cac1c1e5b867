"""`mykey-server bundle import`: a counter's export from a stick is asked, and the reply written.

What the export asks goes through the same application as on the line, within this process, and so
does everything else that the counter's round will ask; the reply holds the answers, sealed to that
counter. So there is one way in which a mutation is decided and a row is told, and this is not a
second one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from secrets import token_bytes, token_hex
from typing import Any, TypeVar
from urllib.parse import quote, unquote

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from fastapi import FastAPI

from mykey_server.app import create_app
from mykey_server.auth import CARRIED
from mykey_server.core import Core
from mykey_server.database import reading, write
from mykey_server.services.admin import AdminRefusedError
from mykey_server.services.site import Keys
from mykey_server.services.terminals import Terminal, find_terminal, note_believed
from mykey_server.settings import Settings
from mykey_tui.domain.clock import Clock
from mykey_tui.wire.bundle import (
    Answer,
    Ask,
    BundleError,
    BundleHeader,
    BundleReader,
    BundleWriter,
    ExportStart,
    ReplyStart,
    open_bundle,
    read_header,
)
from mykey_tui.wire.messages import (
    BUCKETS,
    MSGPACK,
    PAGE_ROWS_MAX,
    SNAPSHOT_ROWS_MAX,
    SUSPENSION_PREFIX,
    HeadReply,
    HelloReply,
    LogReply,
    Position,
    PushReply,
    SnapshotReply,
)

_OK = 200
_PAGES_MAX = 10_000
_ID_LENGTH = 16
_Message = TypeVar("_Message", bound=msgspec.Struct)


class BundleRefusedError(AdminRefusedError):
    """The export is not taken. Nothing was applied."""


@dataclass(slots=True)
class Carried:
    """What an export came to."""

    device_id: str
    mutations: int = 0
    verdicts: int = 0
    """Of them, how many have a final one now."""


def carry(settings: Settings, export: Path, reply: Path, *, clock: Clock | None = None) -> Carried:
    """Ask what the export asks, and write the reply, whole or not at all.

    The same export may come any number of times, and exports in any order.

    Raises:
        BundleRefusedError: `bundle-damaged`, `bundle-foreign`, `terminal-unknown`.
        OSError: a file cannot be read or written. What was applied by then stays applied, and the
            counter learns it from the reply of the next try.
    """
    app = create_app(settings, clock)
    core: Core = app.state.core
    try:
        return asyncio.run(_carry(app, core, export, reply))
    except BundleError as error:
        raise BundleRefusedError("bundle-damaged", f"{export.name}: {error}") from error
    finally:
        core.close()


async def _carry(app: FastAPI, core: Core, export: Path, reply: Path) -> Carried:
    with open_bundle(export) as file:
        header = read_header(file)
        if header.kind != "export":
            raise BundleRefusedError("bundle-foreign", f"{export.name} is no export of a counter")
        with reading(core.engine) as connection:
            terminal = find_terminal(connection, header.device)
            keys = core.site.keys(connection)
        if terminal is None:
            raise BundleRefusedError("terminal-unknown", "no counter of this server")
        sealed_to = [X25519PrivateKey.from_private_bytes(key) for key in keys.seal_keys]
        reader = BundleReader(file, signed_by=terminal.public_key, open_with=sealed_to)
        reader.check_all()
        talk = _Conversation(app, terminal, reader)
        if (believes := talk.start.believes) not in (None, terminal.believes):
            write(core.engine, lambda c: note_believed(c, terminal.device_id, believes))
        beside = reply.with_name(f".{token_hex(8)}.new")
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as out:
                writer = BundleWriter(
                    out,
                    _header(terminal, talk.start, keys),
                    seal_to=X25519PublicKey.from_public_bytes(talk.start.reply_key),
                    sign_with=keys.sign_key,
                )
                writer.add(ReplyStart(export=header.id, made_at=int(core.clock.now().timestamp())))
                async for answer in talk.answers():
                    writer.add(answer)
                writer.finish()
                out.flush()
                os.fsync(out.fileno())
            beside.replace(reply)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    return talk.carried


def _header(terminal: Terminal, start: ExportStart, keys: Keys) -> BundleHeader:
    """Of a reply, with the way to the key that signs it for a counter that must go it."""
    follows = start.believes not in (None, keys.fingerprint)
    return BundleHeader(
        "reply",
        token_bytes(_ID_LENGTH),
        terminal.device_id,
        successions=keys.successions if follows else [],
    )


class _Conversation:
    """What the counter's round would ask on the line, asked here, in the order of a round."""

    def __init__(self, app: FastAPI, terminal: Terminal, reader: BundleReader) -> None:
        """Look at every message once: a file of another form changes nothing."""
        self._app = app
        self._terminal = terminal
        self._reader = reader
        self.start = _decoded(next(self._contents(), b""), ExportStart)
        for content in islice(self._contents(), 1, None):
            _decoded(content, Ask)
        self.carried = Carried(terminal.device_id)
        self._scope = quote(self.start.scope, safe="")

    def _contents(self) -> Iterator[bytes]:
        return (content for _, content in self._reader.messages())

    async def answers(self) -> AsyncIterator[Answer]:
        """Every answer, as it comes. A counter that may not speak gets the refusal alone."""
        newest = 0
        for incarnation in reversed(self.start.incarnations):
            hello = await self._get(f"hello?incarnation={incarnation.hex()}")
            yield hello
            if hello.status != _OK:
                return
            newest = _decoded(hello.content, HelloReply).last_mid
        # A counter that was put back to a copy learns so from the greeting, as on the line, before
        # its numbers are seen with two contents.
        is_copy = newest > self.start.last_number
        for content in islice(self._contents(), 1, None):
            ask = _decoded(content, Ask)
            if not (is_copy and ask.request.endswith("/push")):
                yield await self._asked(ask)
        async for answer in self._suspensions():
            yield answer
        async for answer in self._rows():
            yield answer

    async def _asked(self, ask: Ask) -> Answer:
        answer = await self._ask(ask.request, ask.body)
        if ask.request.endswith("/push") and answer.status == _OK:
            verdicts = _decoded(answer.content, PushReply).items
            self.carried.mutations += len(verdicts)
            self.carried.verdicts += sum(v.verdict not in ("held", "retry") for v in verdicts)
        return answer

    async def _suspensions(self) -> AsyncIterator[Answer]:
        """The signed head, and the whole list where it is short or is not known there."""
        scope = quote(SUSPENSION_PREFIX, safe=":") + self._scope
        answer = await self._get(f"heads?scope={scope}")
        yield answer
        if answer.status != _OK:
            return  # a server without suspensions of their own
        head = _decoded(answer.content, HeadReply)
        place = self.start.position
        known = place is not None and place.epoch == head.epoch
        after = self.start.suspension_seq if known and head.seq > PAGE_ROWS_MAX else 0
        async for page in self._log(head.epoch, scope, min(after, head.seq)):
            yield page

    async def _rows(self) -> AsyncIterator[Answer]:
        """Head and rows: what came after the counter's cursor, or all of them."""
        places = _places(self.start.position, self.start.mark)
        judged = await self._get(f"heads?scope={self._scope}{places}")
        plain = await self._get(f"heads?scope={self._scope}") if places else judged
        digest = await self._get(f"digest/{self._scope}")
        for answer in (judged, plain, digest) if places else (plain, digest):
            yield answer
        if plain.status != _OK:
            return
        head = _decoded(plain.content, HeadReply)
        after = self.start.cursor
        if self.start.whole or judged.status != _OK or not head.horizon <= after <= head.seq:
            after = head.seq
            async for part in self._snapshot(head.epoch):
                yield part
                # Of the first part: what moved since then comes with the log.
                after = min(after, _decoded(part.content, SnapshotReply).seq)
        async for page in self._log(head.epoch, self._scope, after):
            yield page

    async def _snapshot(self, epoch: str) -> AsyncIterator[Answer]:
        first: int | None = 0
        while first is not None:
            path = f"snapshot/{quote(epoch, safe='')}/{self._scope}/{first}"
            answer = await self._get(f"{path}?rows={SNAPSHOT_ROWS_MAX}&buckets={BUCKETS}")
            if answer.status != _OK:
                return
            yield answer
            first = _decoded(answer.content, SnapshotReply).next

    async def _log(self, epoch: str, scope: str, after: int) -> AsyncIterator[Answer]:
        for _ in range(_PAGES_MAX):
            path = f"log/{quote(epoch, safe='')}/{scope}/{after}"
            answer = await self._get(f"{path}?limit={PAGE_ROWS_MAX}")
            yield answer
            if answer.status != _OK:
                return
            page = _decoded(answer.content, LogReply)
            if not page.more:
                return
            after = page.next

    async def _get(self, path: str) -> Answer:
        return await self._ask(f"GET /v1/{path}", b"")

    async def _ask(self, request: str, body: bytes) -> Answer:
        """One request through the application, as if the counter had signed it."""
        method, _, target = request.partition(" ")
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode("ascii"),
            "query_string": query.encode("ascii"),
            "root_path": "",
            "headers": [
                (b"accept", MSGPACK.encode()),
                (b"content-type", MSGPACK.encode()),
                (b"content-length", str(len(body)).encode()),
            ],
            CARRIED: self._terminal.device_id,
        }
        told: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:  # noqa: ANN401 - as ASGI has it
            told.append(message)

        await self._app(scope, receive, send)
        kinds = {name: value for name, value in told[0]["headers"] if name == b"content-type"}
        return Answer(
            request=request,
            body=body,
            status=told[0]["status"],
            content_type=kinds.get(b"content-type", b"").decode("latin-1").partition(";")[0],
            content=b"".join(part.get("body", b"") for part in told[1:]),
        )


def _places(position: Position | None, mark: Position | None) -> str:
    """The places as the counter writes them into its query."""
    return "".join(
        f"&{name}={quote(place.epoch, safe='')}.{place.seq}.{place.digest.hex()}"
        for name, place in (("pos", position), ("mark", mark))
        if place is not None
    )


def _decoded(content: bytes, form: type[_Message]) -> _Message:
    try:
        return msgspec.msgpack.decode(content, type=form)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BundleError("a message of another form") from error
