"""What a command says while a long round runs: how far the load is, how much is still to be sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from mykey_tui.commands.output import Output
from mykey_tui.domain.errors import StoreError
from mykey_tui.flows.ageing import loading_of
from mykey_tui.store.counter_store import CounterStore

FIRST_SECONDS = 1.0
"""A round that is over sooner says nothing."""
NEXT_SECONDS = 2.0


@contextmanager
def progress_told(
    store: CounterStore,
    output: Output,
    *,
    first_seconds: float = FIRST_SECONDS,
    next_seconds: float = NEXT_SECONDS,
) -> Iterator[None]:
    """Tell whoever waits, a line every `next_seconds`, until the block ends; nothing with `--json`."""
    over = threading.Event()
    # A daemon: nobody waits for words when the command was told to end.
    teller = threading.Thread(
        target=_tell, args=(store, output, over, first_seconds, next_seconds), daemon=True
    )
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def _tell(
    store: CounterStore, output: Output, over: threading.Event, first: float, following: float
) -> None:
    pause = first
    while not over.wait(pause):
        pause = following
        try:
            loading, waiting = loading_of(store.freshness()), store.counts().waiting
        except StoreError:  # The round itself meets it, and says so.
            continue
        if loading is not None:
            output.tell("cli.status.loading", rows=f"{loading.rows:,}", percent=loading.percent)
        elif waiting:
            output.tell("cli.progress.sending", count=waiting)
