"""「スキャナーの確認」: three scans show what the scanner sends, and which gap it needs."""

from __future__ import annotations

from mykey_tui.flows.desk_events import DeskEvent
from mykey_tui.flows.scan_test import SCANS_WANTED, Scan, gap_needed, is_too_slow, sends_no_end
from mykey_tui.screens import actions
from mykey_tui.screens.actions import Action
from mykey_tui.screens.base import CounterScreen
from mykey_tui.screens.host import Face, Host
from mykey_tui.screens.layout import Line, Role, centre, left, rows, wrap

SCANS_SHOWN = 6


class ScanTestScreen(CounterScreen):
    """Nothing that is scanned here is a member's number to anybody: only its shape is shown."""

    heading = "place.scan"
    is_technicians = True
    measures_scans = True

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._scans: list[Scan] = []
        self._saved: int | None = None

    def offered(self) -> tuple[Action, ...]:
        """Use what was found, anew, back."""
        return (actions.USE_GAP, actions.ANEW, actions.BACK, actions.HELP, actions.LANGUAGE)

    def stage(self) -> list[Line]:
        """What to do, the scans so far, and what follows from them."""
        return scan_stage(self._scans, self._saved, self.face)

    def next_step(self) -> Line:
        """Scan, or use what was found."""
        found = gap_needed(self._scans) is not None and self._saved is None
        return left(self.face.text("scan.next.use" if found else "scan.next"), indent=1)

    def entered(self) -> None:
        """Cards are left alone here."""
        if self.host.technician is not None:
            self.host.technician.expect_nothing()

    def desk_event(self, event: DeskEvent) -> None:
        """No card is asked for here."""

    def measured(self, scan: Scan) -> None:
        """A code came."""
        self._scans = [*self._scans, scan][-SCANS_SHOWN:]
        self._saved = None
        self.repaint()

    def why_not(self, action: Action) -> str | None:
        """Nothing to use before three scans of a keyboard scanner."""
        if action is actions.USE_GAP:
            return None if gap_needed(self._scans) is not None else "why.scan.few"
        return None if action is actions.ANEW else super().why_not(action)

    def do_anew(self) -> None:
        """Forget the scans so far."""
        self._scans, self._saved = [], None

    def do_gap(self) -> None:
        """Write the setting, and use it from now on."""
        technician, needed = self.host.technician, gap_needed(self._scans)
        if technician is None or needed is None:
            return
        self.host.background(
            lambda: technician.save_scan_gap(needed),
            lambda _: self._taken_over(needed),
            lambda code: self.flash(f"{self.face.code(code).say} {code.value}"),
        )

    def _taken_over(self, gap_ms: int) -> None:
        self.host.use_scan_gap(gap_ms / 1000)
        self._saved = gap_ms
        self.repaint()


def scan_stage(scans: list[Scan], saved: int | None, face: Face) -> list[Line]:
    """The stage of the scanner's test."""
    return rows(
        (0, centre(face.text("scan.title"), Role.STRONG)),
        (2, [centre(row) for row in wrap(face.text("scan.prompt", count=SCANS_WANTED), 70)]),
        (5, [_scan(number, scan, face) for number, scan in enumerate(scans, start=1)]),
        (12, [left(row, Role.STRONG) for row in wrap(_conclusion(scans, saved, face), 74)]),
        (15, [left(row, Role.DIM) for row in wrap(face.text("scan.privacy"), 74)]),
    )


def _scan(number: int, scan: Scan, face: Face) -> Line:
    if scan.longest_gap_ms is None:
        gap, end = face.text("scan.port"), ""
    else:
        key = scan.end or "none"
        gap, end = face.text("scan.gap", ms=scan.longest_gap_ms), face.text(f"scan.end.{key}")
    text = face.text("scan.row", number=number, count=scan.length, gap=gap)
    return left(f"{text}  {end}  {scan.shape}")


def _conclusion(scans: list[Scan], saved: int | None, face: Face) -> str:
    if saved is not None:
        return face.text("scan.saved", ms=saved)
    if sends_no_end(scans):
        return face.text("scan.no-end")
    if is_too_slow(scans):
        return face.text("scan.slow")
    needed = gap_needed(scans)
    if needed is not None:
        return face.text("scan.found", ms=needed)
    if scans and scans[-1].longest_gap_ms is None:
        return face.text("scan.works")
    return ""
