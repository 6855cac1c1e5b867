"""The reasons for which the server refuses a request as a whole."""

from __future__ import annotations

from enum import Enum, unique


@unique
class ProblemType(Enum):
    """`type` of an RFC 9457 problem; stable. The HTTP status stands beside it."""

    MALFORMED = ("malformed", 400)
    CODE_REFUSED = ("enrolment-code-refused", 403)
    TOO_MANY_TRIES = ("too-many-tries", 429)
    SLOW_DOWN = ("too-many-requests", 429)
    """More than this counter's share; carries `Retry-After`."""
    UNSIGNED = ("signature-missing", 401)
    SIGNATURE = ("signature-refused", 401)
    CLOCK = ("signature-created-out-of-range", 401)
    """Carries `server_time`: the counter learns its offset from it and signs again."""
    RETIRED = ("device-retired", 401)
    NOT_FOUND = ("not-found", 404)
    """Also the answer for another provider's scope: the same as for one that does not exist."""
    RESET = ("reset", 409)
    """Carries `epoch` and `action`; never cacheable."""
    TOO_LARGE = ("too-large", 413)
    CLONED = ("device-quarantined", 409)
    """One mutation number, two contents: a copied disk. Nothing was applied."""
    BROKEN = ("server-error", 500)
    BUSY = ("busy", 503)

    def __init__(self, type_name: str, status: int) -> None:
        self.type_name = type_name
        self.status = status
