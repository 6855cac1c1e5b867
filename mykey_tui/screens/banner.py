"""The row under the head: a plain rule while all is well, else what is wrong, its code, what now."""

from __future__ import annotations

from mykey_tui.domain.codes import Code
from mykey_tui.flows.outcomes import Loading, Status
from mykey_tui.flows.standing import standing_code
from mykey_tui.screens.host import Face, Host
from mykey_tui.screens.layout import Line, Role
from mykey_tui.screens.status_line import age


def banner(host: Host, *, at_queue: bool = False) -> Line | None:
    """What the whole counter suffers from, or how far a load is; None where there is nothing.

    `at_queue`: the queue is on the stage, so nobody is sent there.
    """
    status = host.status
    if status is None:
        return None
    code = standing_code(status)
    if status.loading is not None and code in (None, Code.ROWS_LOADING):
        return _band(_load_words(status.loading, code, host.face), code)
    if code is None:
        return None
    return _band(_words(code, status, host.face, at_queue=at_queue), code)


def _words(code: Code, status: Status, face: Face, *, at_queue: bool) -> str:
    oldest = status.oldest_seconds if code is Code.QUEUE_STUCK else status.revocation_age_seconds
    words = age(oldest, face.catalog) if oldest is not None else ""
    here = ".here" if at_queue and code is Code.QUEUE_STUCK else ""
    return face.text(f"banner.{code.value}{here}", age=words, count=status.unsent)


def _load_words(loading: Loading, code: Code | None, face: Face) -> str:
    key = "banner.load" if code is None else "banner.first.load"
    return face.text(key, rows=f"{loading.rows:,}", percent=loading.percent)


def _band(words: str, code: Code | None) -> Line:
    """Only the code is painted: the answer below it is the louder one."""
    named = ((f" {code.value} ", Role.WARN),) if code is not None else ()
    return Line((*named, (f" {words}", Role.BAR)), fill=Role.BAR)
