"""「100回テスト」: how reliably and how fast a reader reads, told from cards laid again and again.

Nothing of a card is kept: a tap is a time or a code. Light: the screens import this.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from mykey_tui.domain.codes import Code
from mykey_tui.domain.text import safe
from mykey_tui.flows.redaction import redacted

TAPS = (10, 20, 50, 100, 200, 500)
"""What a person may choose; a script may ask for any number up to the last."""
TAPS_USUAL = 100
_P95 = 0.95
_CELL_LENGTH_MAX = 256
_REMOVED = frozenset({Code.CARD_REMOVED})


@dataclass(frozen=True, slots=True)
class Tap:
    """One card laid down: how long its certificate took to read, or why it could not be read."""

    milliseconds: float = 0.0
    """With connecting and letting go; 0 where `code` says why there is none."""
    code: Code | None = None


@dataclass(frozen=True, slots=True)
class SoakFigures:
    """What the taps so far come to. Times in ms; None before the first good tap."""

    wanted: int
    laid: int
    good: int
    removed: int
    """Cards that were lifted before they were read."""
    others: Mapping[Code, int]
    """The other failures, the most frequent first."""
    median_ms: float | None
    p95_ms: float | None
    """The nearest-rank 95th percentile: the largest of fewer than 20."""

    @property
    def success_percent(self) -> float | None:
        """Of the cards laid; None before the first."""
        return 100 * self.good / self.laid if self.laid else None

    @property
    def is_done(self) -> bool:
        """Whether as many were laid as were wanted."""
        return self.laid >= self.wanted


class Soak:
    """Collects taps until there are `wanted` of them, 1 to `TAPS[-1]`; may end sooner at any tap."""

    def __init__(self, wanted: int = TAPS_USUAL) -> None:
        if not 1 <= wanted <= TAPS[-1]:
            raise ValueError(f"from 1 to {TAPS[-1]} taps")
        self.wanted = wanted
        self._taps: list[Tap] = []

    def add(self, tap: Tap) -> None:
        """Count one card; after the last one that was wanted, nothing changes any more."""
        if len(self._taps) < self.wanted:
            self._taps.append(tap)

    @property
    def figures(self) -> SoakFigures:
        """The result so far."""
        times = sorted(tap.milliseconds for tap in self._taps if tap.code is None)
        failures = Counter(tap.code for tap in self._taps if tap.code is not None)
        return SoakFigures(
            wanted=self.wanted,
            laid=len(self._taps),
            good=len(times),
            removed=sum(failures[code] for code in _REMOVED),
            others={c: n for c, n in failures.most_common() if c not in _REMOVED},
            median_ms=median(times) if times else None,
            p95_ms=_nearest_rank(times) if times else None,
        )


def _nearest_rank(ordered: Sequence[float]) -> float:
    return ordered[math.ceil(_P95 * len(ordered)) - 1]


@dataclass(frozen=True, slots=True)
class ReaderInTest:
    """Which reader on which software: what the row in the list of tested readers begins and ends with.

    Empty is not known.
    """

    name: str = ""
    usb_id: str = ""
    """`vid:pid`."""
    software: tuple[str, ...] = ()
    """Names with versions."""
    month: str = ""
    """`2026-11`: when, no finer."""


ROW_HEAD = "| Reader | VID:PID | Read | Median ms | p95 ms | Lifted early | Other failures | Software | When |"


def row_to_paste(figures: SoakFigures, reader: ReaderInTest) -> str:
    """One row for the list of tested readers (`docs/readers.md`), under `ROW_HEAD`."""
    percent = figures.success_percent
    read = f"{figures.good}/{figures.laid}"
    cells = (
        redacted(reader.name) or "?",
        redacted(reader.usb_id) or "?",
        read if percent is None else f"{read} ({percent:.1f} %)",
        _whole(figures.median_ms),
        _whole(figures.p95_ms),
        str(figures.removed),
        ", ".join(f"{code.value} {count}" for code, count in figures.others.items()) or "none",
        ", ".join(redacted(each) for each in reader.software) or "?",
        reader.month or "?",
    )
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _whole(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds:.0f}"


def _cell(text: str) -> str:
    """So that no text of a reader or a machine breaks out of its cell."""
    return safe(text, _CELL_LENGTH_MAX).replace("|", "/")
