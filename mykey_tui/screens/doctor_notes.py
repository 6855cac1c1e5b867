"""What the doctor's screens found so far, for the evidence sheet; it outlives each of them."""

from __future__ import annotations

from dataclasses import dataclass

from mykey_tui.diagnostics.finding import Report
from mykey_tui.flows.soak import SoakFigures


@dataclass(slots=True)
class DoctorNotes:
    """The last whole examination, and the last taps."""

    report: Report | None = None
    figures: SoakFigures | None = None
