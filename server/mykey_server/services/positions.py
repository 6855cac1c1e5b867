"""Is a place that a counter was told of still in this history?

It is where the history has that seq with that digest, whatever epoch the counter names: the digest
is keyed and has 128 bits, so two histories that agree there have the same rows. A new epoch with
the same history (a failover) is then no reset.
"""

from __future__ import annotations

from sqlalchemy import Connection

from mykey_server.problem import ProblemError, reset
from mykey_server.services.feeds import Feed, Head
from mykey_tui.domain.digest import DIGEST_LENGTH, EMPTY_DIGEST
from mykey_tui.wire.messages import Position, is_epoch
from mykey_tui.wire.problems import ProblemType

SEQ_DIGITS_MAX = 16
"""Sequence numbers stay below 2^53."""


def check_position(
    connection: Connection,
    feed: Feed,
    scope: str,
    *,
    head: Head,
    epoch: str,
    position: Position | None,
) -> None:
    """Compare a place with the history. Raises `RESET`, with the reason and the present epoch.

    No place, and the place before everything, are in every history.
    """
    if position is None or (position.seq == 0 and position.digest == EMPTY_DIGEST):
        return
    if position.seq == head.seq:
        known: bytes | None = head.digest
    else:
        known = feed.place(connection, scope, position.seq)
    if known == position.digest:
        return
    if position.seq < head.horizon:
        reason = "horizon"
    else:
        reason = "diverged" if position.epoch == epoch else "epoch"
    raise reset(epoch=epoch, action="snapshot", reason=reason)


def parse_position(text: str | None) -> Position | None:
    """`EPOCH.SEQ.HEXDIGEST` of a query. Raises `ProblemError` (`MALFORMED`)."""
    if text is None:
        return None
    epoch, _, rest = text.partition(".")
    seq, _, hexdigest = rest.partition(".")
    is_digest = len(hexdigest) == 2 * DIGEST_LENGTH and hexdigest.isascii() and hexdigest.isalnum()
    if not (is_epoch(epoch) and is_digest):
        raise ProblemError(ProblemType.MALFORMED)
    try:
        digest = bytes.fromhex(hexdigest)
    except ValueError as error:
        raise ProblemError(ProblemType.MALFORMED) from error
    return Position(epoch, parse_number(seq, least=0), digest)


def parse_number(text: str, *, least: int) -> int:
    """A number of a path or a query, below 2^53. Raises `ProblemError` (`MALFORMED`)."""
    if not (text.isascii() and text.isdigit()) or len(text) > SEQ_DIGITS_MAX:
        raise ProblemError(ProblemType.MALFORMED)
    number = int(text)
    if not least <= number < 2**53:
        raise ProblemError(ProblemType.MALFORMED)
    return number
