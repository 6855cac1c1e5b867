"""診断: what is wrong with this box, found layer by layer while one watches, and the one next step."""

from __future__ import annotations

import time

from mykey_tui.diagnostics.finding import Finding
from mykey_tui.domain.codes import Code
from mykey_tui.screens import actions
from mykey_tui.screens.actions import Action
from mykey_tui.screens.doctor_view import LAYERS, Examined, doctor_stage
from mykey_tui.screens.evidence_key import EvidenceKey
from mykey_tui.screens.host import Host, Place
from mykey_tui.screens.layout import Line, left


class DoctorScreen(EvidenceKey):
    """The examination runs in a thread; each finding appears as soon as it is known."""

    heading = "place.doctor"
    is_technicians = True

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._examined = Examined()
        self._begun = 0.0

    def offered(self) -> tuple[Action, ...]:
        """Again, evidence, taps, the live view, the scanner, and the pointer over the layers."""
        first = (actions.EXAMINE, actions.EVIDENCE, actions.TAPS, actions.LIVE, actions.SCAN)
        ends = (actions.BACK, actions.UP, actions.DOWN, actions.HELP, actions.LANGUAGE)
        return (*first, *ends, *self.demo_hands())

    def stage(self) -> list[Line]:
        """The layers, and what to do next."""
        return doctor_stage(self._examined, self.face)

    def next_step(self) -> Line:
        """That it runs, or what the keys do."""
        key = "doctor.running" if self._examined.running else "doctor.next.keys"
        return left(self.face.text(key), indent=1)

    def entered(self) -> None:
        """Cards are left alone here. The first time, examine at once."""
        technician = self.host.technician
        if technician is None:
            return
        technician.expect_nothing()
        if not self._examined.found and not self._examined.running:
            self._examine()
        self.repaint()

    def why_not(self, action: Action) -> str | None:
        """One examination at a time; the rest needs no store and no server."""
        if action is actions.EXAMINE and self._examined.running:
            return "doctor.running"
        if action in (actions.EXAMINE, actions.EVIDENCE, actions.TAPS, actions.LIVE, actions.SCAN):
            return "why.preparing" if self.host.technician is None else None
        return None if action in (actions.UP, actions.DOWN) else super().why_not(action)

    def do_examine(self) -> None:
        """Once more, from the beginning."""
        self._examine()

    def do_taps(self) -> None:
        """The 100-taps test."""
        self.host.over(Place.TAPS)

    def do_live(self) -> None:
        """Readers and cards as they are now."""
        self.host.over(Place.LIVE)

    def do_scan(self) -> None:
        """Try the scanner out."""
        self.host.over(Place.SCAN)

    def do_up(self) -> None:
        """One layer up."""
        self._move(-1)

    def do_down(self) -> None:
        """One layer down."""
        self._move(1)

    def _move(self, step: int) -> None:
        at = self._examined.at
        place = LAYERS.index(at) + step if at is not None else 0
        self._examined.chosen = LAYERS[max(0, min(place, len(LAYERS) - 1))]

    def _examine(self) -> None:
        technician = self.host.technician
        if technician is None:
            return
        examined = self._examined = Examined(running=True)
        self._begun = time.monotonic()

        def take(finding: Finding) -> None:
            examined.found[finding.layer] = finding
            self.repaint()

        def done() -> None:
            examined.running = False
            examined.seconds = time.monotonic() - self._begun
            self.host.notes.report = examined.report
            self.repaint()

        self.host.background_each(technician.examine, take, done, self._failed)

    def _failed(self, code: Code) -> None:
        self._examined.running = False
        self.flash(f"{self.face.code(code).say} {code.value}")
