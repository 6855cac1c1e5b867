"""A counter leaves its home, so that the home can be enrolled anew: never with anything unsent.

What was acknowledged to a person leaves this box to the server, or stays. Only who names how many
are lost may go without them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home
from mykey_tui.store.outbox import QueueCounts
from mykey_tui.store.presence import Presence
from mykey_tui.store.retire import destroy

_NOBODY_CAN_COUNT = frozenset({Code.STORE_KEY, Code.STORE_CORRUPT, Code.STORE_NEWER})


class UnsentError(StoreError):
    """The server has not decided all of the queue; `counts` says how much, and since when."""

    def __init__(self, counts: QueueCounts) -> None:
        super().__init__(Code.STORE_UNSENT, f"{counts.unsent} not sent")
        self.counts = counts


def set_aside(home: Home, *, may_lose: int = 0) -> Path:
    """Move store and key out of the way. Deletes nothing; returns where they are now.

    Raises:
        UnsentError: the server has not decided more than `may_lose`.
        StoreError: STORE_BUSY while another process has the store open, and every failure of
            `CounterStore.open`: then nobody knows what is unsent (`set_aside_unread`).
    """
    with _alone(home) as presence:
        _refuse_beyond(home, presence, may_lose)
        return home.set_aside()


def set_aside_unread(home: Home) -> Path:
    """The same of a store that cannot be opened: whoever asks for it knows that nobody can count.

    Raises:
        UnsentError: it can be opened, and holds something unsent.
        StoreError: as `set_aside`, but not for a wrong key, a damaged or a newer file.
    """
    with _alone(home) as presence:
        try:
            _refuse_beyond(home, presence, 0)
        except StoreError as error:
            if error.code not in _NOBODY_CAN_COUNT:
                raise
        return home.set_aside()


def wipe(home: Home, *, may_lose: int = 0) -> None:
    """Destroy keys and store, as a retired counter does (`store.retire`).

    Raises:
        UnsentError, StoreError: as `set_aside`. What nobody can count is never destroyed.
    """
    with _alone(home) as presence:
        _refuse_beyond(home, presence, may_lose)
        destroy(home)


@contextmanager
def _alone(home: Home) -> Iterator[Presence]:
    presence = Presence(home.path, alone=True)
    try:
        yield presence
    finally:
        presence.end()


def _refuse_beyond(home: Home, presence: Presence, may_lose: int) -> None:
    with closing(CounterStore.open(home, presence=presence)) as store:
        counts = store.counts()
    if counts.unsent > may_lose:
        raise UnsentError(counts)
