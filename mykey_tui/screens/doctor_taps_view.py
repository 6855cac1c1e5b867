"""The 100-taps test as it is drawn: figures, the last tap, and the row to paste."""

from __future__ import annotations

from dataclasses import dataclass

from mykey_tui.domain.codes import Code
from mykey_tui.flows.soak import ReaderInTest, SoakFigures, Tap, row_to_paste
from mykey_tui.screens.host import Face
from mykey_tui.screens.layout import Line, Role, centre, left, padded, rows, wrap

_NAME_WIDTH = 22
_ROW_ROWS_MAX = 4


@dataclass(slots=True)
class TapsShown:
    """What the screen knows."""

    figures: SoakFigures
    last: Tap | None = None
    reading: bool = False


def taps_stage(
    shown: TapsShown,
    reader: ReaderInTest,
    face: Face,
    *,
    card_lies: bool,
    trouble: Code | None = None,
) -> list[Line]:
    """What to do, how it goes, and the row for the tested-reader list.

    No card is asked for while the reader has a `trouble`: no card could be read.
    """
    figures = shown.figures
    row = wrap(row_to_paste(figures, reader), 78)[:_ROW_ROWS_MAX] if figures.laid else []
    return rows(
        (0, centre(face.text("taps.title", count=figures.wanted), Role.STRONG)),
        (2, _prompt(shown, face, card_lies=card_lies, trouble=trouble)),
        (4, _fields(figures, face)),
        (10, left(last_tap(shown.last, face))),
        (12, left(face.text("taps.row"), Role.DIM) if row else Line()),
        (13, [left(part, indent=1) for part in row]),
    )


def trouble_rows(trouble: Code, face: Face) -> list[Line]:
    """What the reader has, by name and code, and in a sentence."""
    text = face.code(trouble)
    return [left(f"{text.title}   {trouble.value}", Role.WARN), left(text.say)]


def _prompt(shown: TapsShown, face: Face, *, card_lies: bool, trouble: Code | None) -> list[Line]:
    if shown.figures.is_done:
        key = "taps.done"
    elif trouble is not None:
        return trouble_rows(trouble, face)
    elif shown.reading and shown.last is None:
        key = "reception.reading"
    else:
        key = "taps.lift" if card_lies else "taps.lay"
    return [centre(face.text(key), Role.STRONG)]


def _fields(figures: SoakFigures, face: Face) -> list[Line]:
    percent = figures.success_percent
    values = (
        ("count", f"{figures.laid} / {figures.wanted}"),
        ("success", "-" if percent is None else f"{figures.good}   {percent:.1f} %"),
        ("removed", str(figures.removed)),
        ("others", ", ".join(f"{c.value} {n}" for c, n in figures.others.items()) or "0"),
        ("times", _times(figures, face)),
    )
    return [
        Line(
            (
                ("  ", Role.PLAIN),
                (padded(face.text(f"taps.{name}"), _NAME_WIDTH), Role.DIM),
                (value, Role.STRONG),
            )
        )
        for name, value in values
    ]


def _times(figures: SoakFigures, face: Face) -> str:
    if figures.median_ms is None or figures.p95_ms is None:
        return "-"
    return face.text("taps.ms", median=f"{figures.median_ms:.0f}", p95=f"{figures.p95_ms:.0f}")


def last_tap(tap: Tap | None, face: Face) -> str:
    """What became of the last card laid; empty before the first."""
    if tap is None:
        return ""
    if tap.code is None:
        return face.text("taps.last.good", ms=f"{tap.milliseconds:.0f}")
    return face.text("taps.last.bad", title=face.code(tap.code).title, code=tap.code.value)
