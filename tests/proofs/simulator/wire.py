"""The line between the simulated counters and the server: loses by seed, and sees everything.

A cache stands on it that keeps for ever whatever the server lets it keep: nothing, in a sound server.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeAlias

import httpx
import msgspec

from mykey_tui.wire.messages import (
    SUSPENSION_PREFIX,
    HeadReply,
    LogReply,
    Problem,
    PushReply,
    PushRequest,
)
from mykey_tui.wire.problems import ProblemType
from tests.proofs.messages import decoded

MutationId: TypeAlias = tuple[str, bytes, int]
Place: TypeAlias = tuple[int, bytes]
FINAL = frozenset({"applied", "already", "conflict", "invalid"})


class ViolationError(AssertionError):
    """An invariant does not hold."""


class Wire:
    """One `spoil` for `world.Line`: what goes wrong is drawn from the history's dice."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self.loss = 0.0
        """Share of requests that something happens to."""
        self.loss_after_push = 0.0
        """How often the line is gone between a reply with verdicts and the pull."""
        self.stuck = False
        """No push gets through; everything else does."""
        self.gone = False
        self.before_push: Callable[[], bool] | None = None
        """What befalls the server between a counter's comparing and its next push; once. Returns
        whether the server's history still has the places that the counter knows."""
        self.verdicts: dict[MutationId, tuple[str, str | None]] = {}
        self.told: set[Place] = {(0, bytes(16))}
        """Places that the server told a counter of as complete: a head, or the last page's."""
        self._digests: dict[tuple[str, int], bytes] = {}
        """By scope and seq, since the server last went back."""
        self._kept: dict[httpx.URL, httpx.Response] = {}
        self.repairs = 0
        """How often a counter asked which part of its rows is wrong."""
        self.server_places: Callable[[], set[Place]] | None = None
        """Of the links' scope, as the server's file has them now."""

    def new_turn(self) -> None:
        """Another round: the line is back."""
        self.gone = False

    def __call__(
        self, request: httpx.Request, send: Callable[[], httpx.Response]
    ) -> httpx.Response:
        is_push = request.url.path == "/v1/push"
        if self.gone or (self.stuck and is_push):
            raise httpx.ReadError("the line is gone")
        if is_push and self.before_push is not None:
            befall, self.before_push = self.before_push, None
            if not befall():
                return self._refused(send())
        roll = self._dice.random() / self.loss if self.loss else 1.0
        if roll < 0.35:
            raise httpx.ReadError("lost before it reached the server")
        answer = self._seen(request, self._through_cache(request, send))
        if roll < 0.5:
            answer = self._seen(request, self._through_cache(request, send))  # sent twice
        elif roll < 1.0:
            raise httpx.ReadError("the reply is lost")
        tells_verdicts = is_push or request.url.path == "/v1/recover"
        if tells_verdicts and self._dice.random() < self.loss_after_push:
            self.gone = True
        return answer

    def _through_cache(
        self, request: httpx.Request, send: Callable[[], httpx.Response]
    ) -> httpx.Response:
        """What was kept under this address, or what the server says, kept where it may be."""
        if request.method != "GET":
            return send()
        if request.url not in self._kept:
            answer = send()
            if "no-store" in answer.headers.get("cache-control", ""):
                return answer
            self._kept[request.url] = answer
        kept = self._kept[request.url]
        return httpx.Response(kept.status_code, headers=kept.headers, stream=kept.stream)

    def _refused(self, answer: httpx.Response) -> httpx.Response:
        """A push is compared with the history before anything of it is applied."""
        if answer.status_code == 200:
            raise ViolationError("a push was applied to a history that its counter does not know")
        return answer

    def forget_all_but(self, stored: set[MutationId]) -> None:
        """The server went back to a backup: what it does not have, it may decide anew."""
        self.verdicts = {key: self.verdicts[key] for key in self.verdicts.keys() & stored}
        self._digests.clear()

    def _seen(self, request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        path = request.url.path
        if answer.status_code == 409:
            self._see_reset(request, answer)
        if answer.status_code != 200:
            return answer
        if path == "/v1/push":
            pushed = decoded(answer, PushReply)
            self._see_verdicts(request, pushed)
            self._see_place("", pushed.seq, pushed.digest)
        elif path == "/v1/heads":
            head = decoded(answer, HeadReply)
            self.told.add((head.seq, head.digest))
            self._see_place(request.url.params["scope"][:2], head.seq, head.digest)
        elif path.startswith("/v1/log/"):
            page = decoded(answer, LogReply)
            if page.head is not None:
                self.told.add((page.head.seq, page.head.digest))
        elif path.startswith("/v1/digest"):
            self.repairs += 1
        return answer

    def _see_reset(self, request: httpx.Request, answer: httpx.Response) -> None:
        """Nobody is made to begin anew whose places are in the server's history."""
        if decoded(answer, Problem).type != ProblemType.RESET.type_name:
            return
        named = {place for place in places_named(request) if place is not None}
        if named and self.server_places is not None and named <= self.server_places():
            raise ViolationError("a counter begins anew whose places the server has")

    def _see_place(self, scope: str, seq: int, digest: bytes) -> None:
        """Whoever stands at a seq has had everything up to it: it never means other rows later."""
        scope = SUSPENSION_PREFIX if scope == SUSPENSION_PREFIX else ""
        if self._digests.setdefault((scope, seq), digest) != digest:
            raise ViolationError(f"two sets of rows under seq {seq}")

    def _see_verdicts(self, request: httpx.Request, reply: PushReply) -> None:
        """A verdict once final is given again, whether or not its counter ever saw it."""
        sent = msgspec.msgpack.decode(request.content, type=PushRequest)
        for item in reply.items:
            if item.verdict in FINAL:
                key = (sent.device, sent.incarnation, item.mid)
                now = (item.verdict, item.kind)
                if self.verdicts.setdefault(key, now) != now:
                    raise ViolationError(f"verdict of {item.mid}: {self.verdicts[key]}, then {now}")


def places_named(request: httpx.Request) -> list[Place | None]:
    """Which places of the links a request asks to be compared: of `heads` and of a push."""
    if request.url.path == "/v1/push":
        sent = msgspec.msgpack.decode(request.content, type=PushRequest)
        return [None if at is None else (at.seq, at.digest) for at in (sent.base, sent.mark)]
    query = request.url.params
    if request.url.path != "/v1/heads" or query["scope"].startswith(SUSPENSION_PREFIX):
        return []
    told = [query[name].split(".") for name in ("pos", "mark") if name in query]
    return [(int(seq), bytes.fromhex(digest)) for _, seq, digest in told]
