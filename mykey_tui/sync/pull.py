"""The download: pages by cursor, the next one fetched while one is stored; or all rows anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.store.columns import Rows
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.sync.client import ServerClient
from mykey_tui.sync.parts import Part
from mykey_tui.sync.plan import Limits
from mykey_tui.wire.messages import BUCKETS, SNAPSHOT_ROWS_MAX, LogReply, Row, ScopeHead

PAGES_MAX = 1000
"""In one round: ten million rows. A server that always has more must not hold the round for ever."""

STORE_ROWS = 20_000
"""Rows of one transaction, cursor included: two large pages are stored faster together, and a link
made meanwhile waits a fraction of a second for the write lock."""

_T = TypeVar("_T")


@dataclass(slots=True)
class Pulled:
    """What the download came to. `match` is None when it did not come to the end."""

    rows: int = 0
    refused: int = 0
    match: bool | None = None


class Sink(Protocol):
    """Where rows of the log go: those that serve, or a load beside them."""

    @property
    def of(self) -> Rows:
        """Which rows these are."""
        ...

    def cursor(self) -> int:
        """From which seq on the log is to be read."""
        ...

    def take(self, rows: Iterable[Row], *, cursor: int, refused: int) -> int:
        """Store a page with its cursor. Returns how many rows were bad."""
        ...

    def finish(self, head: ScopeHead) -> bool:
        """The last page is in: are the digests equal?"""
        ...


@dataclass(frozen=True, slots=True)
class ServingRows:
    """The rows that lookups are answered from."""

    store: CounterStore
    epoch: str
    renew_age: bool
    """False where the suspensions could not be verified: then old data does not become fresh."""
    of: Rows = "link"

    def cursor(self) -> int:
        """As `Sink`."""
        return self.store.progress().cursor

    def take(self, rows: Iterable[Row], *, cursor: int, refused: int) -> int:
        """As `Sink`."""
        return self.store.apply_page(rows, epoch=self.epoch, cursor=cursor, refused=refused)

    def finish(self, head: ScopeHead) -> bool:
        """As `Sink`."""
        return self.store.finish_pull(head, epoch=self.epoch, renew_age=self.renew_age)


@dataclass(frozen=True, slots=True)
class LoadingRows:
    """The rows of a load; when their digest is the server's they serve from then on."""

    store: CounterStore
    epoch: str
    renew_age: bool
    of: Rows = "link_next"

    def cursor(self) -> int:
        """As `Sink`."""
        load = self.store.load()
        return 0 if load is None else load.cursor or 0

    def take(self, rows: Iterable[Row], *, cursor: int, refused: int) -> int:
        """As `Sink`."""
        return self.store.apply_load_page(rows, cursor=cursor, refused=refused)

    def finish(self, head: ScopeHead, *, anyway: bool = False) -> bool:
        """As `Sink`."""
        return self.store.finish_load(
            head, epoch=self.epoch, anyway=anyway, renew_age=self.renew_age
        )


def pull_log(
    client: ServerClient, limits: Limits, sink: Sink, epoch: str, into: Pulled
) -> ScopeHead | None:
    """Fetch everything after the sink's cursor, and compare digests at the end (`into.match`).

    Returns the head that was compared with; None where there is more than one round takes.
    Raises `LineError` and `ServerError`; what was stored before stays, with its cursor.
    """

    def fetch(after: int) -> Callable[[], tuple[LogReply, int]]:
        return lambda: client.log(epoch=epoch, after=after, limit=limits.page_rows)

    with _Ahead(fetch(sink.cursor())) as pages:
        held: list[Row] = []
        bad = 0
        for number in range(1, PAGES_MAX + 1):
            page, refused = pages.result()
            if page.more and number < PAGES_MAX:
                pages.begin(fetch(page.next))
            held.extend(page.rows)
            into.rows += len(page.rows)
            bad += refused
            if page.more and len(held) < STORE_ROWS and number < PAGES_MAX:
                continue
            into.refused += sink.take(held, cursor=page.next, refused=bad)
            held, bad = [], 0
            if not page.more:
                if page.head is None:
                    raise ServerError(Code.SERVER_BROKEN, "a last page without a head")
                into.match = sink.finish(page.head)
                return page.head
    return None


def pull_parts(store: CounterStore, client: ServerClient, epoch: str, into: Pulled) -> None:
    """Fetch the parts of the snapshot that the load under way has not got yet.

    Each is stored with how far the load is; cut off anywhere, the next call goes on.
    """
    load = store.load()
    if load is None or load.next_bucket is None:
        return

    def fetch(first: int) -> Callable[[], Part]:
        return lambda: client.snapshot(
            epoch=epoch, first=first, rows=SNAPSHOT_ROWS_MAX, buckets=BUCKETS
        )

    with _Ahead(fetch(load.next_bucket)) as parts:
        following: int | None = load.next_bucket
        while following is not None:  # each part ends behind its beginning: at most 256 times
            part = parts.result()
            following = part.next
            if following is not None:
                parts.begin(fetch(following))
            into.rows += len(part.rows)
            into.refused += part.refused
            store.store_part(part.rows, next_bucket=following, seq=part.seq, refused=part.refused)


class _Ahead(Generic[_T]):
    """One request ahead, in a thread of its own, while what came before is stored."""

    def __init__(self, first: Callable[[], _T]) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sync-page")
        self.begin(first)

    def begin(self, act: Callable[[], _T]) -> None:
        """Ask for the next one."""
        self._coming: Future[_T] = self._thread.submit(act)

    def result(self) -> _T:
        """What came, or what went wrong."""
        return self._coming.result()

    def __enter__(self) -> _Ahead[_T]:
        """For the thread's end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the request that is under way, which is bounded."""
        self._thread.shutdown()
