"""E on every screen of the doctor: write the evidence sheet, and say where it is."""

from __future__ import annotations

from pathlib import Path

from mykey_tui.domain.codes import Code
from mykey_tui.screens.base import CounterScreen

PATH_LENGTH_MAX = 42
"""So much of a path fits in row 21; its end is the part that one looks for."""


class EvidenceKey(CounterScreen):
    """One key, one file."""

    def do_evidence(self) -> None:
        """Write it off the screen's thread."""
        technician, notes = self.host.technician, self.host.notes
        if technician is None:
            return
        self.flash(self.face.text("evidence.writing"))
        self.host.background(
            lambda: technician.write_evidence(notes.report, notes.figures),
            self._written,
            self._not_written,
        )

    def _written(self, path: Path) -> None:
        where = str(path)
        if len(where) > PATH_LENGTH_MAX:
            where = "..." + where[3 - PATH_LENGTH_MAX :]
        self.flash(self.face.text("evidence.written", path=where))

    def _not_written(self, code: Code) -> None:
        self.flash(f"{self.face.code(code).say} {code.value}")
