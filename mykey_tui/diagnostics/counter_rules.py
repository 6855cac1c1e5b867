"""Rules of the counter behind the reader: clock, store, line, server, hand-over."""

from __future__ import annotations

from collections.abc import Mapping

from mykey_tui.diagnostics.card_rules import CLOCK_TROUBLE
from mykey_tui.diagnostics.finding import Finding, State
from mykey_tui.diagnostics.known import Known, Rule
from mykey_tui.diagnostics.layer import Layer
from mykey_tui.domain.codes import Code

SKEW_SECONDS = 300.0
"""Annex B "clock": a box that differs by more from its server has a wrong clock."""

LINE_TROUBLE = frozenset(
    {Code.LINE_DOWN, Code.SERVER_TLS, Code.SERVER_TLS_NAME, Code.SERVER_TLS_TIME}
)
"""Nobody was reached, or nobody who could prove to be our server."""


def clock_differs(known: Known) -> Finding | None:
    """Annex B "clock", by the server's time."""
    line = known.line
    if line is None:
        return None
    skew = line.skew_seconds
    if line.trouble is not Code.SERVER_CLOCK and (skew is None or abs(skew) <= SKEW_SECONDS):
        return None
    facts = {} if skew is None else {"seconds": str(round(skew))}
    return Finding(Layer.CLOCK, State.FAULT, Code.SERVER_CLOCK, facts)


def clock_impossible(known: Known) -> Finding | None:
    """With no server to ask: the clock stands before a time that has certainly come."""
    doubt = known.store is not None and known.store.clock_doubt
    if not doubt and known.reader.trouble not in CLOCK_TROUBLE:
        return None
    return Finding(Layer.CLOCK, State.FAULT, Code.TRUST_CLOCK)


def not_enrolled(known: Known) -> Finding | None:
    """Nothing is broken: this home was never set up, and the rest waits for that."""
    if known.store is None or known.store.trouble is not Code.STORE_NONE:
        return None
    return Finding(Layer.STORE, State.NOTE, Code.STORE_NONE)


def store_in_trouble(known: Known) -> Finding | None:
    """The file cannot be opened: key, damage, disk, version."""
    if known.store is None or known.store.trouble in (None, Code.STORE_NONE):
        return None
    return Finding(Layer.STORE, State.FAULT, known.store.trouble)


def line_in_trouble(known: Known) -> Finding | None:
    """No line, or a server that is not proven."""
    if known.line is None or known.line.trouble not in LINE_TROUBLE:
        return None
    return Finding(Layer.LINE, State.FAULT, known.line.trouble)


def server_in_trouble(known: Known) -> Finding | None:
    """The server was reached and refuses, or makes no sense."""
    line = known.line
    if line is None or line.trouble is None:
        return None
    if line.trouble in LINE_TROUBLE or line.trouble is Code.SERVER_CLOCK:
        return None
    return Finding(Layer.SERVER, State.FAULT, line.trouble)


def till_in_trouble(known: Known) -> Finding | None:
    """The folder or the program of the existing system is not as it has to be."""
    handover = known.handover
    if handover is None or handover.trouble is None:
        return None
    facts = {"reason": handover.reason} if handover.reason else {}
    return Finding(Layer.HANDOVER, State.FAULT, handover.trouble, facts)


RULES: Mapping[Layer, tuple[Rule, ...]] = {
    Layer.CLOCK: (clock_differs, clock_impossible),
    Layer.STORE: (not_enrolled, store_in_trouble),
    Layer.LINE: (line_in_trouble,),
    Layer.SERVER: (server_in_trouble,),
    Layer.HANDOVER: (till_in_trouble,),
}
"""The first that finds something speaks for its layer."""
