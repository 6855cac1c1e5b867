"""Wrong servers: numbers drawn before the lock, replies that a cache may keep, keys forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from unittest.mock import patch

import msgspec
from sqlalchemy import Connection, delete, update
from starlette.responses import Response

from mykey_server import app
from mykey_server.problem import ProblemError
from mykey_server.reply import problem_reply, reply, send
from mykey_server.routes import sync as sync_routes
from mykey_server.services import intake, site
from mykey_server.services.feeds import LINKS, Change, Feed, Head
from mykey_server.services.holdings import write_holdings
from mykey_tui.wire.messages import LogReply
from mykey_tui.wire.problems import ProblemType
from tests.proofs.server_file import read_server
from tests.proofs.simulator.history import History

FOR_A_YEAR = "max-age=31536000"


@dataclass
class Sequence:
    """Numbers as a database's sequence gives them: at once, whenever their transaction commits."""

    first: int = 0
    beyond: int = 0
    device: str = ""
    """Who has drawn from `first` to before `beyond`; nobody when empty."""
    asking: str = field(default="", init=False)

    def draw(self, device: str, seq: int, count: int) -> None:
        """Keep `count` numbers behind `seq` for a push that has begun."""
        self.device, self.first, self.beyond = device, seq, seq + count

    def place_before(self, seq: int) -> int:
        """Behind which number the rows of the present push go."""
        if self.device and self.asking == self.device:
            self.device = ""
            return self.first
        return max(seq, self.beyond) if self.device else seq


@contextmanager
def draws_numbers_before_the_lock() -> Iterator[None]:
    """The cursor is a sequence's number: a later one may be committed, and read, before it.

    One process with one writer has no such race, so the simulator makes it: a push draws, another
    counter's whole round goes by, and the push commits.
    """
    sequence = Sequence()
    overlap, apply, move = History.overlap, intake._apply, Feed.move

    def drawing(self: History, first: int, second: int) -> None:
        counter = self.boxes[first].counter
        seq = read_server(self.server.file).seq
        sequence.draw(str(counter.store.identity.device_id), seq, len(counter.waiting()))
        overlap(self, first, second)
        sequence.device = ""

    def asking(connection: Any, site: Any, prepared: intake.Prepared) -> Any:
        sequence.asking = prepared.request.device
        return apply(connection, site, prepared)

    def drawn(connection: Any, provider: Any, head: Head, holdings: Any) -> Head:
        place = sequence.place_before(head.seq)
        return write_holdings(connection, provider, replace(head, seq=place), holdings)

    def moved(
        self: Feed, connection: Connection, scope: str, head: Head, changes: list[Change]
    ) -> Head:
        """The head is the highest number that was committed."""
        if self is not LINKS:
            return move(self, connection, scope, head, changes)
        present = self.head(connection, scope)
        newest = max(present.seq, head.seq + len(changes))
        heads, places = self.heads, self.places.c
        start = update(heads).where(heads.c.scope == scope).values(seq=newest - len(changes))
        connection.execute(start)
        connection.execute(delete(self.places).where(places.scope == scope, places.seq == newest))
        return move(self, connection, scope, present, changes)

    with (
        patch.object(History, "overlap", drawing),
        patch.object(intake, "_apply", asking),
        patch.object(intake, "write_holdings", drawn),
        patch.object(Feed, "move", moved),
    ):
        yield


@contextmanager
def lets_rows_be_kept() -> Iterator[None]:
    """Full pages and parts may be kept for longer than tombstones are."""

    def sent(*arguments: Any, **rest: Any) -> Response:
        return _may_be_kept(send(*arguments, **rest))

    def replied(request: Any, message: msgspec.Struct, **rest: Any) -> Response:
        answer = reply(request, message, **rest)
        is_full_page = isinstance(message, LogReply) and message.more
        return _may_be_kept(answer) if is_full_page else answer

    with patch.object(sync_routes, "send", sent), patch.object(sync_routes, "reply", replied):
        yield


@contextmanager
def lets_refusals_be_kept() -> Iterator[None]:
    """What was no place in the history yesterday may be taken for none today."""

    def refused(error: ProblemError, *, now: datetime) -> Response:
        answer = problem_reply(error, now=now)
        return _may_be_kept(answer) if error.problem is ProblemType.RESET else answer

    with patch.object(app, "problem_reply", refused):
        yield


def _may_be_kept(answer: Response) -> Response:
    answer.headers["Cache-Control"] = FOR_A_YEAR
    return answer


@contextmanager
def opens_with_the_present_key_alone() -> Iterator[None]:
    """What counters sealed before the keys changed is not opened any more."""
    real = site.read_keys

    def read_keys(connection: Connection) -> site.Keys:
        keys = real(connection)
        return replace(keys, seal_keys=keys.seal_keys[:1])

    with patch.object(site, "read_keys", read_keys):
        yield
