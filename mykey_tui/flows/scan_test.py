"""Trying a scanner out: what it sends, how fast, and which gap a keyboard scanner needs. Pure.

Nothing of a code is kept but its length and its shape: it is somebody's member number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from mykey_tui.scanner_settings import GAP_MS

SCANS_WANTED = 3
"""One scan may be a quick one."""
MEASURING_GAP_SECONDS = 0.15
"""While it is tried out: slower than the slowest scanner that still makes sense."""
_STEP_MS = 5
_ADVISED_MS_MIN = 25
"""A busy box adds some to every gap, and no typist is that quick."""
_SHAPE_LENGTH_MAX = 32


@dataclass(frozen=True, slots=True)
class Scan:
    """One code as it came. `longest_gap_ms` is None from a port or a device of its own."""

    length: int
    shape: str
    """Digits as 9, letters as A, all else as it is: enough to see a wrong keyboard."""
    longest_gap_ms: int | None
    end: str
    """The key that ended it, `enter` or `tab`; empty where it was silence, or a port."""


def scan_of(text: str, *, times: Sequence[float], end: str) -> Scan:
    """Take a code apart. `times` are those of its keys, in seconds; empty from a port."""
    gaps = [later - earlier for earlier, later in pairwise(times)]
    longest = round(1000 * max(gaps)) if gaps else None
    return Scan(len(text), shape_of(text), longest, end)


def shape_of(text: str) -> str:
    """The kinds of its characters, at most 32 of them."""
    return "".join(_kind(character) for character in text[:_SHAPE_LENGTH_MAX])


def sends_no_end(scans: Sequence[Scan]) -> bool:
    """Whether the last scan of a keyboard scanner came without Enter or Tab behind it.

    In a field such a code would be taken for typing.
    """
    return bool(scans) and scans[-1].longest_gap_ms is not None and not scans[-1].end


def gap_needed(scans: Sequence[Scan]) -> int | None:
    """The setting `gap_ms` for this scanner: its longest gap and half as much again.

    None before there are `SCANS_WANTED`, for a scanner that is no keyboard or sends no end, and for
    one that is as slow as a typist: that one needs a port of its own.
    """
    if sends_no_end(scans):
        return None
    gaps = [scan.longest_gap_ms for scan in scans if scan.longest_gap_ms is not None]
    if len(gaps) < SCANS_WANTED:
        return None
    needed = -(-max(gaps) * 3 // (2 * _STEP_MS)) * _STEP_MS
    return max(_ADVISED_MS_MIN, needed) if needed <= GAP_MS[-1] else None


def is_too_slow(scans: Sequence[Scan]) -> bool:
    """Whether enough scans came, and no gap would do."""
    gaps = [scan.longest_gap_ms for scan in scans if scan.longest_gap_ms is not None]
    return len(gaps) >= SCANS_WANTED and not sends_no_end(scans) and gap_needed(scans) is None


def _kind(character: str) -> str:
    if character.isdecimal():
        return "9"
    return "A" if character.isalpha() else character
