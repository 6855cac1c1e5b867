"""Counters that write at the same time, a reader that follows them, and what must be true after."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError

from mykey_server.core import Core
from mykey_server.database import is_passing, reading
from mykey_server.services.feeds import LINKS
from mykey_server.services.intake import take
from mykey_server.services.publish import page_after
from mykey_server.services.selfcheck import self_check
from mykey_server.services.site import read_epoch
from mykey_server.services.terminals import find_terminal
from mykey_server.tables.base import table_of
from mykey_server.tables.terminal import MutationTable
from mykey_tui.wire.messages import ItemVerdict, PushItem
from tests.server.conftest import Counter

WRITERS = 8
CNS = [f"W{number:013d}07202002B" for number in range(WRITERS)]


class Writer:
    """One counter that links and unlinks one person, one numbered act after the other."""

    def __init__(self, core: Core, counter: Counter, cn: str) -> None:
        self.core = core
        self.counter = counter
        self.cn = cn
        self.acknowledged: list[int] = []
        with reading(core.engine) as connection:
            terminal = find_terminal(connection, counter.identity.device_id)
        assert terminal is not None
        self.terminal = terminal

    def run(self, until: threading.Event) -> None:
        """Act until told to stop; what fails is sent again, the same."""
        while not until.is_set():
            odd = len(self.acknowledged) % 2
            item = self.counter.item("unlink" if odd else "link", self.cn, "" if odd else self.cn)
            verdict = self._until_answered(item, until)
            if verdict is None:
                return
            assert (verdict.mid, verdict.verdict) == (item.mid, "applied")
            self.acknowledged.append(item.mid)

    def _until_answered(self, item: PushItem, until: threading.Event) -> ItemVerdict | None:
        while not until.is_set():
            try:
                return self.push(item)
            except DBAPIError as error:
                assert is_passing(error), error
                time.sleep(0.05)
        return None

    def push(self, *items: PushItem) -> ItemVerdict:
        core = self.core
        reply = take(
            core.engine,
            core.site,
            core.prove,
            terminal=self.terminal,
            request=self.counter.batch(list(items)),
            now=core.clock.now(),
        )
        return reply.items[-1]


class Tail:
    """A counter's copy of one scope, kept by its cursor alone."""

    def __init__(self, engine: Engine, scope: str) -> None:
        self.engine = engine
        self.scope = scope
        self.after = 0
        self.rows: dict[bytes, tuple[Any, ...]] = {}

    def pull(self) -> None:
        with reading(self.engine) as connection:
            page = page_after(
                connection, LINKS, self.scope, epoch=read_epoch(connection), after=self.after,
                limit=1000,
            )  # fmt: skip
        assert not page.more
        self.rows |= {row[0]: tuple(row) for row in page.rows}
        self.after = page.next

    def missing(self) -> list[bytes]:
        """Tokens whose newest row the cursor never met."""
        with reading(self.engine) as connection:
            found = connection.execute(
                select(*LINKS.row_columns).where(LINKS.rows.c.scope == self.scope)
            )
            return [row[0] for row in found if self.rows.get(row[0]) != tuple(row)]


def late(one: Tail) -> int:
    """Rows that lie below the cursor and were never met."""
    with reading(one.engine) as connection:
        found = connection.execute(
            select(*LINKS.row_columns).where(
                LINKS.rows.c.scope == one.scope, LINKS.rows.c.seq <= one.after
            )
        )
        return sum(one.rows.get(row[0], (0,) * 5)[4] < row[4] for row in found)


def run_all(writers: list[Writer], meanwhile: Callable[[], None]) -> list[BaseException]:
    """Let all writers act until `meanwhile` returns; give what went wrong in a thread."""
    stop, wrong = threading.Event(), []

    def run(writer: Writer) -> None:
        try:
            writer.run(stop)
        except BaseException as error:  # noqa: BLE001 - given to the test, which fails with it
            wrong.append(error)

    threads = [threading.Thread(target=run, args=(writer,)) for writer in writers]
    for thread in threads:
        thread.start()
    try:
        meanwhile()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    return wrong


def tail(tails: list[Tail], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for one in tails:
            one.pull()


def stored_mids(engine: Engine, writer: Writer) -> list[int]:
    mutations = table_of(MutationTable)
    with reading(engine) as connection:
        return list(
            connection.execute(
                select(mutations.c.mid)
                .where(mutations.c.device_id == writer.terminal.device_id)
                .order_by(mutations.c.mid)
            ).scalars()
        )


def check_nothing_lost_or_doubled(engine: Engine, writers: list[Writer]) -> None:
    """Each acknowledged act is there; each that is there moved its scope once, without a gap."""
    moved: dict[str, int] = {}
    for writer in writers:
        mids = stored_mids(engine, writer)
        assert mids == list(range(1, len(mids) + 1))
        assert set(writer.acknowledged) <= set(mids)
        moved[writer.terminal.scope] = moved.get(writer.terminal.scope, 0) + len(mids)
    with reading(engine) as connection:
        for scope, count in moved.items():
            assert LINKS.head(connection, scope).seq == count
            places = connection.execute(
                select(LINKS.places.c.seq)
                .where(LINKS.places.c.scope == scope)
                .order_by(LINKS.places.c.seq)
            )
            assert list(places.scalars()) == list(range(1, count + 1))
    assert [finding for finding in self_check(engine) if not finding.ok] == []
