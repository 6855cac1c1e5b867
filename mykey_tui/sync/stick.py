"""A line that answers from a stick: what the server had answered when it made the reply.

A round over it is a round like any other, so that everything is checked as on the line. What was
not asked then has no answer here, and is a line that breaks. Answers fit also where the counter has
moved on since it made the export (another reply came first): a page of the log, or a part of a
snapshot, that holds what is asked for is cut to it. Whether the server's history has a place is
answered only for places that it compared, and for those that cannot lie outside it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec

from mykey_tui.sync.stick_numbers import RecordedNumbers
from mykey_tui.wire.bundle import Answer, BundleError, BundleReader, Place
from mykey_tui.wire.messages import (
    BUCKETS,
    MSGPACK,
    SUSPENSION_PREFIX,
    HeadReply,
    HelloReply,
    LogReply,
    Position,
    RecoverReply,
    RecoverRequest,
    SnapshotReply,
)

_ROOT = "/v1/"
_TOKEN = 16

_Message = TypeVar("_Message", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class _Span:
    """A page or a part: where it lies, and what it covers. `last` None: to the end."""

    place: Place
    first: int
    last: int | None


class StickLine(httpx.BaseTransport):
    """Answers requests from the answers of a reply. Any thread may ask."""

    def __init__(self, reader: BundleReader, answers: Iterator[tuple[Place, Answer]]) -> None:
        """Remember where each answer lies, and none of the answers themselves."""
        self._reader = reader
        self._lock = threading.Lock()
        self._exact: dict[tuple[str, bytes], Place] = {}
        self._heads: dict[str, Place] = {}
        self._judged: dict[tuple[str, str, str], int] = {}
        self._durable_through = 0
        self._numbers = RecordedNumbers()
        self._pages: dict[str, list[_Span]] = {}
        self._parts: dict[str, list[_Span]] = {}
        for place, answer in answers:
            self._exact[answer.request, answer.body] = place
            self._remember_judgement(answer)
            if answer.status == httpx.codes.OK:
                self._remember(place, answer)

    def _remember_judgement(self, answer: Answer) -> None:
        path, names = _split(answer.request)
        if path[0] == "heads" and ("pos" in names or "mark" in names):
            asked = names.get("scope", ""), names.get("pos", ""), names.get("mark", "")
            self._judged[asked] = answer.status

    def _remember(self, place: Place, answer: Answer) -> None:
        path, names = _split(answer.request)
        if path[0] == "heads" and "pos" not in names and "mark" not in names:
            self._heads[names.get("scope", "")] = place
        elif path[0] == "recover":
            self._numbers.note(
                decoded(answer.body, RecoverRequest), decoded(answer.content, RecoverReply)
            )
        elif path[0] == "hello":
            self._durable_through = decoded(answer.content, HelloReply).durable_through
        elif path[0] == "log":
            page = decoded(answer.content, LogReply)
            last = page.next if page.more else None
            series = self._pages.setdefault("/".join(path[1:3]), [])
            series.append(_Span(place, int(path[3]), last))
        elif path[0] == "snapshot":
            part = decoded(answer.content, SnapshotReply)
            series = self._parts.setdefault("/".join(path[1:3]), [])
            series.append(_Span(place, part.first, part.next))

    def newest(self, scope: str) -> HeadReply | None:
        """The newest place of a scope at that moment; None where the stick does not tell.

        Raises `BundleError` where the head does not open, or is none.
        """
        place = self._heads.get(scope)
        if place is None:
            return None
        with self._lock:
            answer = self._answer(place)
        return decoded(answer.content, HeadReply)

    def refuses(self, scope: str, *, pos: Position | None, mark: Position | None) -> bool:
        """Whether the server compared these very places, and its history is another one."""
        return self._judgement(scope, pos, mark) == httpx.codes.CONFLICT

    def durable_through(self, scope: str, *, pos: Position, mark: Position) -> int:
        """Up to which seq a verified backup held the history that has both places.

        0 where the server did not compare these two, or has not both: it may speak of a history
        that lacks what was acknowledged here, and nothing may be forgotten for its sake.
        """
        return self._durable_through if self._judgement(scope, pos, mark) == httpx.codes.OK else 0

    def _judgement(self, scope: str, pos: Position | None, mark: Position | None) -> int | None:
        return self._judged.get((scope, _written(pos), _written(mark)))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer that fits. Raises `httpx.ReadError` where there is none."""
        target = request.url.raw_path.decode("ascii")
        asked = f"{request.method} {target[target.find(_ROOT) :]}"
        body = request.read()
        try:
            with self._lock:
                answer = self._find(asked, body)
        except (BundleError, ValueError, LookupError, OSError) as error:
            raise httpx.ReadError("the stick does not hold it", request=request) from error
        return httpx.Response(
            answer.status,
            headers={"content-type": answer.content_type},
            stream=httpx.ByteStream(answer.content),
        )

    def _find(self, asked: str, body: bytes) -> Answer:
        path, names = _split(asked)
        exact = self._exact.get((asked, body))
        if exact is not None:
            return _forgetting_nothing(path, self._answer(exact))
        if path[0] == "recover":
            return self._recovered(asked, body)
        if path[0] == "hello":
            # Asked for by name: which keys are believed by now is no matter.
            asked = f"GET {_ROOT}hello?incarnation={names.get('incarnation', '')}"
            return _forgetting_nothing(path, self._answer(self._exact[asked, b""]))
        if path[0] == "heads" and names.get("scope", "") in self._heads:
            found = self._answer(self._heads[names["scope"]])
            return _within(found, names)
        if path[0] == "log":
            after = int(path[3])
            found = self._answer(_covering(self._pages, path, after).place)
            return _cut(found, _later(decoded(found.content, LogReply), after))
        if path[0] == "snapshot":
            first, buckets = int(path[3]), int(names.get("buckets", BUCKETS))
            found = self._answer(_covering(self._parts, path, first).place)
            part = _slice(decoded(found.content, SnapshotReply), first, first + buckets)
            return _cut(found, part)
        raise ValueError("not on the stick")

    def _recovered(self, asked: str, body: bytes) -> Answer:
        reply = self._numbers.answer(decoded(body, RecoverRequest))
        return Answer(asked, body, httpx.codes.OK, MSGPACK, msgspec.msgpack.encode(reply))

    def _answer(self, place: Place) -> Answer:
        return decoded(self._reader.message(place), Answer)


def decoded(content: bytes, form: type[_Message]) -> _Message:
    """A message of a bundle. Raises `BundleError` where it is none of this form."""
    try:
        return msgspec.msgpack.decode(content, type=form)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BundleError("a message of another form") from error


def _split(request: str) -> tuple[list[str], dict[str, str]]:
    """The parts of the path behind `/v1/`, and the query."""
    parts = urlsplit(request.partition(" ")[2])
    names = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return parts.path.removeprefix(_ROOT).split("/"), names


def _written(place: Position | None) -> str:
    """A place as it stands in a query."""
    return "" if place is None else f"{place.epoch}.{place.seq}.{place.digest.hex()}"


def _within(found: Answer, names: dict[str, str]) -> Answer:
    """A head that no places were compared for, where these cannot lie outside its history.

    Those are places of its own epoch that are not behind it. Raises `ValueError` for others: the
    server may have come back from a backup, or this stick may be older than what is here. A list of
    suspensions proves itself.
    """
    head = decoded(found.content, HeadReply)
    if not names["scope"].startswith(SUSPENSION_PREFIX):
        for place in (names[name] for name in ("pos", "mark") if name in names):
            epoch, seq, _ = place.rsplit(".", 2)
            if epoch != head.epoch or int(seq) > head.seq:
                raise ValueError("the server has not compared this place")
    return found


def _forgetting_nothing(path: list[str], found: Answer) -> Answer:
    """A greeting that tells of no backup: a round cannot know which places were compared.

    What may be forgotten is decided before the round (`StickLine.durable_through`).
    """
    if path[0] != "hello" or found.status != httpx.codes.OK:
        return found
    hello = decoded(found.content, HelloReply)
    return _cut(found, msgspec.structs.replace(hello, durable_through=0))


def _covering(series: dict[str, list[_Span]], path: list[str], number: int) -> _Span:
    """Which page or part of this epoch and scope holds what comes from `number` on."""
    for span in series.get("/".join(path[1:3]), ()):
        if span.first <= number and (span.last is None or number < span.last):
            return span
    raise ValueError("not on the stick")


def _later(page: LogReply, after: int) -> LogReply:
    """The page without what the counter has by now. Raises `ValueError` where it has more."""
    if page.head is not None and after > page.head.seq:
        raise ValueError("this reply is older than what is here")
    return msgspec.structs.replace(page, rows=[row for row in page.rows if row[4] > after])


def _slice(part: SnapshotReply, first: int, end: int) -> SnapshotReply:
    """The buckets from `first` to `end` - 1 of a part that begins at `first` or before."""
    here = BUCKETS if part.next is None else part.next
    end = min(end, here)
    starts = range(0, len(part.tokens), _TOKEN)
    kept = [n for n, start in enumerate(starts) if first <= part.tokens[start] < end]
    service_ids = part.service_ids.split("\n")
    return SnapshotReply(
        first=first,
        next=None if end == BUCKETS else end,
        seq=part.seq,
        digest=part.digest,
        tokens=b"".join(part.tokens[n * _TOKEN : (n + 1) * _TOKEN] for n in kept),
        service_ids="".join(f"{service_ids[n]}\n" for n in kept),
        statuses=bytes(part.statuses[n] for n in kept),
        bindings={at: part.bindings[n] for at, n in enumerate(kept) if n in part.bindings},
    )


def _cut(answer: Answer, message: msgspec.Struct) -> Answer:
    content = msgspec.msgpack.encode(message)
    return msgspec.structs.replace(answer, content=content, content_type=MSGPACK)
