"""Whether a reply on a stick tells more than is known here, and as of when its rows are."""

from __future__ import annotations

from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.freshness import CLOCK_DOUBT_SECONDS, is_clock_doubtful
from mykey_tui.store.suspending import SuspensionHead
from mykey_tui.sync.plan import is_behind
from mykey_tui.sync.stick import StickLine
from mykey_tui.wire.messages import SUSPENSION_PREFIX, HeadReply


def moment_of(store: CounterStore, made_at: int) -> int:
    """As of when the reply's rows are: its own time, or now where that time has not come.

    A server's clock may have stood in the future; its rows may not. The two clocks may differ a
    little, and where this box's is plainly wrong, nothing but the reply tells what time it is.
    """
    now = int(store.clock_time())
    is_ahead = made_at > now + CLOCK_DOUBT_SECONDS
    return now if is_ahead and not is_clock_doubtful(now, 0) else made_at


def is_newer(store: CounterStore, line: StickLine, made_at: int, moment: int) -> bool:
    """Whether the reply tells more than is known here. Within one history its places decide.

    Clocks do not: one that stood a year ahead once would make every later reply an old one. Where
    the places are those that are here, a later time makes the rows younger, and only a time that has
    come; so the same stick twice makes nothing young again.
    """
    known, suspended = store.progress(), store.suspension_head()
    scope = store.identity.scope
    if known.synced_at is None or line.refuses(scope, pos=known.position, mark=known.mark):
        return True
    rows, suspensions = line.newest(scope), line.newest(SUSPENSION_PREFIX + scope)
    if rows is None or rows.epoch != known.epoch:
        return known.synced_at < made_at
    ahead = _seqs_ahead(suspended, suspensions)
    if is_behind(rows.seq, known) or ahead < 0:
        return False
    return rows.seq > known.cursor or ahead > 0 or known.synced_at < made_at == moment


def _seqs_ahead(known: SuspensionHead | None, told: HeadReply | None) -> int:
    """By how much a list of suspensions is newer than the one here; 0 where they do not compare."""
    if told is None:
        return 0
    if known is None:
        return 1
    return told.seq - known.seq if told.epoch == known.epoch else 0
