"""The download half of a round: pages by cursor, the next one fetched while one is stored."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.sync.client import ServerClient
from mykey_tui.sync.plan import Limits, check_epoch
from mykey_tui.wire.messages import LogReply, Row, ScopeHead

PAGES_MAX = 1000
"""In one round: ten million rows. A server that always has more must not hold the round for ever."""

STORE_ROWS = 20_000
"""Rows of one transaction, cursor included: two large pages are stored faster together, and a link
made meanwhile waits a fraction of a second for the write lock."""


@dataclass(slots=True)
class Pulled:
    """What the download came to. `match` is None when it did not come to the end."""

    rows: int = 0
    refused: int = 0
    match: bool | None = None


def pull_scope(
    store: CounterStore, client: ServerClient, limits: Limits, *, epoch: str, poll_first: bool
) -> Pulled:
    """Fetch everything after the cursor and compare digests at the end.

    `poll_first` asks for the head alone, which is all there is to do most of the time.
    Raises `LineError` and `ServerError`; what was stored before stays, with its cursor.
    """
    result = Pulled()
    known = store.progress()
    if poll_first:
        head = client.head()
        check_epoch(head.epoch, known)
        if head.seq < known.cursor:
            raise ServerError(Code.SERVER_RESET, "the server is behind")
        if head.seq == known.cursor:
            result.match = store.finish_pull(ScopeHead(head.seq, head.digest), epoch=epoch)
            return result
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="sync-page") as fetcher:
        _pull_pages(store, client, limits, epoch, known.cursor, fetcher, result)
    return result


def _pull_pages(
    store: CounterStore,
    client: ServerClient,
    limits: Limits,
    epoch: str,
    cursor: int,
    fetcher: ThreadPoolExecutor,
    result: Pulled,
) -> None:
    def fetch(after: int) -> Future[tuple[LogReply, int]]:
        return fetcher.submit(client.log, epoch=epoch, after=after, limit=limits.page_rows)

    coming = fetch(cursor)
    held: list[Row] = []
    bad = 0
    for number in range(1, PAGES_MAX + 1):
        page, refused = coming.result()
        if page.more and number < PAGES_MAX:
            coming = fetch(page.next)
        held.extend(page.rows)
        result.rows += len(page.rows)
        bad += refused
        if page.more and len(held) < STORE_ROWS and number < PAGES_MAX:
            continue
        result.refused += store.apply_page(held, epoch=epoch, cursor=page.next, refused=bad)
        held, bad = [], 0
        if not page.more:
            if page.head is None:
                raise ServerError(Code.SERVER_BROKEN, "a last page without a head")
            result.match = store.finish_pull(page.head, epoch=epoch)
            return
