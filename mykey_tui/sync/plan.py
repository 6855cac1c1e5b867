"""What a round decides, without doing anything: pure functions, tested with tables."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.store.progress import Progress
from mykey_tui.wire.messages import (
    BODY_BYTES_MAX,
    PAGE_ROWS_MAX,
    PROTOCOL_VERSION,
    PUSH_ITEMS_MAX,
    SCHEMA,
    HelloReply,
)

ENVELOPE_BYTES = 1024
"""Room in a push body for what stands around the items."""

BACKOFF_FIRST_SECONDS = 1.0
BACKOFF_MAX_SECONDS = 60.0
POLL_MIN_SECONDS, POLL_MAX_SECONDS = 2.0, 300.0
"""The server steers the poll, within reason."""

_DOUBLINGS_MAX = 10


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one request may carry: what the server publishes, and never more than we know."""

    page_rows: int
    push_items: int
    push_bytes: int


def check_standing(hello: HelloReply, known: Progress) -> None:
    """Whether this counter and this server can go on from where they are.

    Raises:
        ServerError: SERVER_RESET when the server's history is another one. Nothing is dropped; a
            person decides. SERVER_BROKEN when the server speaks no form that we do.
    """
    if PROTOCOL_VERSION not in hello.proto or hello.min_schema > SCHEMA:
        raise ServerError(Code.SERVER_BROKEN, "the server wants a newer counter")
    check_epoch(hello.epoch, known)


def is_older_than_sent(hello: HelloReply, known: Progress) -> bool:
    """Whether the server knows more mutations of this counter than the counter does.

    Then the counter's file came back from a copy. Not seen here where it has made as many since as it
    lost: then the server meets a number with two contents, and shuts the counter out.
    """
    return hello.last_mid > known.last_mid


def check_epoch(epoch: str, known: Progress) -> None:
    """Raises `ServerError` SERVER_RESET for another history than the one we follow."""
    if known.epoch is not None and epoch != known.epoch:
        raise ServerError(Code.SERVER_RESET, "another epoch")


def limits_of(hello: HelloReply) -> Limits:
    """The published limits, held within our own; at least one item and one row."""
    return Limits(
        page_rows=max(1, min(hello.limits.page_rows, PAGE_ROWS_MAX)),
        push_items=max(1, min(hello.limits.push_items, PUSH_ITEMS_MAX)),
        push_bytes=max(1, min(hello.limits.body_bytes, BODY_BYTES_MAX) - ENVELOPE_BYTES),
    )


def backoff_seconds(failures: int, random: Random) -> float:
    """How long to wait after so many failures in a row.

    Full jitter, so that counters that lost the line together do not come back together.
    """
    ceiling = BACKOFF_FIRST_SECONDS * 2 ** min(failures, _DOUBLINGS_MAX)
    return random.uniform(BACKOFF_FIRST_SECONDS / 2, min(BACKOFF_MAX_SECONDS, ceiling))


def poll_seconds(asked: float, random: Random) -> float:
    """The server's interval, within bounds, a fifth more or less."""
    seconds = min(max(asked, POLL_MIN_SECONDS), POLL_MAX_SECONDS)
    return seconds * random.uniform(0.8, 1.2)
