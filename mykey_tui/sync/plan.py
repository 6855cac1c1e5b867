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
    Feature,
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


@dataclass(frozen=True, slots=True)
class Abilities:
    """What this server can do beyond the first form of the protocol."""

    snapshot: bool
    digest: bool
    suspensions: bool
    recover: bool
    origin: bool

    @property
    def places(self) -> bool:
        """Whether `heads` compares the counter's places; every server with features does."""
        return self.snapshot or self.digest


def abilities_of(hello: HelloReply) -> Abilities:
    """What `hello.features` names; what we do not know is ignored."""
    named = set(hello.features)
    return Abilities(
        snapshot=Feature.SNAPSHOT.value in named,
        digest=Feature.DIGEST.value in named,
        suspensions=Feature.SUSPENSIONS.value in named,
        recover=Feature.RECOVER.value in named,
        origin=Feature.ORIGIN.value in named,
    )


def check_version(hello: HelloReply) -> None:
    """Raises `ServerError` SERVER_NEWER when the server speaks no form that we do."""
    if PROTOCOL_VERSION not in hello.proto or hello.min_schema > SCHEMA:
        raise ServerError(Code.SERVER_NEWER, "the server wants a newer counter")


def is_older_than_sent(hello: HelloReply, known: Progress) -> bool:
    """Whether the server knows more mutations of this incarnation than the counter does.

    Then the counter's file came back from a copy. Not seen here where it has made as many since as it
    lost: then the server meets a number with two contents, and shuts the counter out.
    """
    return hello.last_mid > known.last_number


def is_behind(seq: int, known: Progress) -> bool:
    """Whether a head lies before what this counter was told of: then the history is another one."""
    return seq < known.cursor or (known.mark is not None and seq < known.mark.seq)


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
