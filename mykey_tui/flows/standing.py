"""What is wrong with the counter as a whole, for as long as it is: one thing, the gravest. Light."""

from __future__ import annotations

from mykey_tui.domain.codes import Code
from mykey_tui.flows.outcomes import LineState, Status

STUCK_UP_SECONDS = 300.0
"""With a line, what was accepted goes within seconds; after this somebody must look (M37)."""
STUCK_DOWN_SECONDS = 24 * 3600.0
"""Without one the queue is meant to wait, and the line's own age is on the screen all the time."""

_NOTHING_HANDED_OVER = frozenset({Code.ROWS_STALE, Code.ROWS_MANY, Code.ROWS_LOADING})
_SERVER = frozenset(
    {
        Code.STORE_FULL,
        Code.SERVER_COPIED,
        Code.SERVER_NEWER,
        Code.SERVER_BROKEN,
        Code.SERVER_DENIED,
        Code.SERVER_RESET,
        Code.SERVER_DIGEST,
        Code.SERVER_SUSPENSIONS,
        Code.SERVER_KEYS,
        Code.SERVER_CLOCK,
        Code.SERVER_TLS,
        Code.SERVER_TLS_NAME,
        Code.SERVER_TLS_TIME,
    }
)
"""What does not mend itself. A line that is down or busy does, and the status line has its age."""

STANDING = _NOTHING_HANDED_OVER | _SERVER | {Code.QUEUE_STUCK, Code.ROWS_OLD, Code.ROWS_CLOCK}


def standing_code(status: Status) -> Code | None:
    """What people must know before the next card is laid; None where all is well.

    First what stops the reception, then what somebody must be called for, then what asks more of
    the clerk.
    """
    if status.age_code in _NOTHING_HANDED_OVER:
        return status.age_code
    if status.line_code in _SERVER:
        return status.line_code
    return Code.QUEUE_STUCK if is_stuck(status) else status.age_code


def is_stuck(status: Status) -> bool:
    """Whether something waits, or is held back, for longer than it should."""
    bound = STUCK_UP_SECONDS if status.line is LineState.UP else STUCK_DOWN_SECONDS
    return status.oldest_seconds is not None and status.oldest_seconds > bound
