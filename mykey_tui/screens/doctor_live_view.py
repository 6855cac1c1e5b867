"""Readers, cards and trace as they are drawn."""

from __future__ import annotations

from mykey_tui.card.connection import ReaderState
from mykey_tui.card.live import SlotSeen, SlotsNow
from mykey_tui.domain.codes import Code
from mykey_tui.domain.text import safe
from mykey_tui.flows.reader_trouble import READER_TROUBLE
from mykey_tui.flows.services import Trace
from mykey_tui.flows.soak import Tap
from mykey_tui.screens.doctor_taps_view import last_tap, trouble_rows
from mykey_tui.screens.host import Face
from mykey_tui.screens.layout import Line, Role, clipped, left, padded, rows

SLOTS_SHOWN = 4
_TRACE_ROW = 11
_TRACE_SHOWN = 6
_NAME_WIDTH = 46
_WIDTH = 77


def live_stage(now: SlotsNow | None, tap: Tap | None, trace: Trace, face: Face) -> list[Line]:
    """Up to `SLOTS_SHOWN` readers, the last card's time, and the end of the trace."""
    return rows(
        (0, left(face.text("live.title"), Role.STRONG)),
        (1, _slots(now, face)),
        (9, _last(now, tap, face)),
        (_TRACE_ROW - 1, _trace_head(trace, face)),
        (_TRACE_ROW, [_trace_line(line) for line in trace.lines[-_TRACE_SHOWN:]]),
    )


def _last(now: SlotsNow | None, tap: Tap | None, face: Face) -> Line:
    """The last card's time; a reader that is listed and answers nothing is told in its place."""
    trouble = trouble_of(now)
    if now is None or trouble is None or not now.slots:
        return left(last_tap(tap, face))
    return trouble_rows(trouble, face)[0]


def trouble_of(now: SlotsNow | None) -> Code | None:
    """Why no card can be read as things are now; None where one can, or nobody looked yet."""
    if now is None or now.state is ReaderState.STARTING:
        return None
    return READER_TROUBLE.get(now.state, None if now.slots else Code.READER_NONE)


def _slots(now: SlotsNow | None, face: Face) -> list[Line]:
    if now is None or now.state is ReaderState.STARTING:
        return [left(face.text("live.looking"))]
    if not now.slots:
        return trouble_rows(trouble_of(now) or Code.READER_NONE, face)
    shown = [row for slot in now.slots[:SLOTS_SHOWN] for row in _slot(slot, face)]
    more = len(now.slots) - SLOTS_SHOWN
    if more > 0:
        shown[-1] = left(face.text("live.more", count=more), Role.DIM, indent=4)
    return shown


def _slot(slot: SlotSeen, face: Face) -> list[Line]:
    words = face.text("live.join").join(face.text(f"live.{word.value}") for word in slot.words)
    name = padded(clipped(safe(slot.name, 64), _NAME_WIDTH - 2), _NAME_WIDTH)
    atr = (
        left(clipped(f"ATR {safe(slot.atr, 64)}", _WIDTH - 2), Role.DIM, indent=4)
        if slot.atr
        else Line()
    )
    return [Line((("  ", Role.PLAIN), (name, Role.STRONG), (words, Role.PLAIN))), atr]


def _trace_head(trace: Trace, face: Face) -> Line:
    key = "live.trace.on" if trace.is_on else "live.trace.off"
    return left(face.text(key), Role.STRONG if trace.is_on else Role.DIM)


def _trace_line(line: str) -> Line:
    return left(clipped(safe(line, 96), _WIDTH))
