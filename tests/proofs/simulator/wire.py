"""The line between the simulated counters and the server: loses by seed, and sees everything."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeAlias

import httpx
import msgspec

from mykey_tui.wire.messages import HeadReply, LogReply, PushReply, PushRequest
from tests.proofs.messages import decoded

MutationId: TypeAlias = tuple[str, bytes, int]
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
        """How often the line is gone between the reply to a push and the pull."""
        self.stuck = False
        """No push gets through; everything else does."""
        self.gone = False
        self.before_push: Callable[[], bool] | None = None
        """What befalls the server between a counter's comparing and its next push; once. Returns
        whether the server's history still has the places that the counter knows."""
        self.verdicts: dict[MutationId, tuple[str, str | None]] = {}
        self.told: set[tuple[int, bytes]] = {(0, bytes(16))}
        """Places that the server told a counter of as complete: a head, or the last page's."""
        self.repairs = 0
        """How often a counter asked which part of its rows is wrong."""

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
        answer = self._seen(request, send())
        if roll < 0.5:
            answer = self._seen(request, send())  # sent twice
        elif roll < 1.0:
            raise httpx.ReadError("the reply is lost")
        if is_push and self._dice.random() < self.loss_after_push:
            self.gone = True
        return answer

    def _refused(self, answer: httpx.Response) -> httpx.Response:
        """A push is compared with the history before anything of it is applied."""
        if answer.status_code == 200:
            raise ViolationError("a push was applied to a history that its counter does not know")
        return answer

    def forget_all_but(self, stored: set[MutationId]) -> None:
        """The server went back to a backup: what it does not have, it may decide anew."""
        self.verdicts = {key: self.verdicts[key] for key in self.verdicts.keys() & stored}

    def _seen(self, request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        path = request.url.path
        if answer.status_code != 200:
            return answer
        if path == "/v1/push":
            self._see_verdicts(request, decoded(answer, PushReply))
        elif path == "/v1/heads":
            head = decoded(answer, HeadReply)
            self.told.add((head.seq, head.digest))
        elif path.startswith("/v1/log/"):
            page = decoded(answer, LogReply)
            if page.head is not None:
                self.told.add((page.head.seq, page.head.digest))
        elif path.startswith("/v1/digest"):
            self.repairs += 1
        return answer

    def _see_verdicts(self, request: httpx.Request, reply: PushReply) -> None:
        """A verdict once final is given again, whether or not its counter ever saw it."""
        sent = msgspec.msgpack.decode(request.content, type=PushRequest)
        for item in reply.items:
            if item.verdict in FINAL:
                key = (sent.device, sent.incarnation, item.mid)
                now = (item.verdict, item.kind)
                if self.verdicts.setdefault(key, now) != now:
                    raise ViolationError(f"verdict of {item.mid}: {self.verdicts[key]}, then {now}")
