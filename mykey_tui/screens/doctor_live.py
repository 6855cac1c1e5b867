"""読取機とカード: what the service lists at this moment, and the trace of what passes to a card."""

from __future__ import annotations

from mykey_tui.card.live import SlotsNow
from mykey_tui.domain.codes import Code
from mykey_tui.flows.desk_events import DeskEvent, TapDone
from mykey_tui.flows.services import Trace
from mykey_tui.flows.soak import Tap
from mykey_tui.screens import actions
from mykey_tui.screens.actions import Action
from mykey_tui.screens.doctor_live_view import live_stage, trouble_of
from mykey_tui.screens.evidence_key import EvidenceKey
from mykey_tui.screens.host import Host
from mykey_tui.screens.layout import Line, left

LOOK_SECONDS = 2.0
"""One look blocks in the service until something changes; after this it is asked again."""


class LiveScreen(EvidenceKey):
    """Looks only while it is open. A card laid here is read for its time and its trace alone."""

    heading = "place.live"
    is_technicians = True

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._now: SlotsNow | None = None
        self._tap: Tap | None = None
        self._trace = Trace(is_on=False)
        self._looking = self._left = False

    def offered(self) -> tuple[Action, ...]:
        """Trace, evidence."""
        first = (actions.TRACE, actions.EVIDENCE)
        ends = (actions.BACK, actions.HELP, actions.LANGUAGE)
        return (*first, *ends, *self.demo_hands())

    def stage(self) -> list[Line]:
        """Readers above, the last card, the trace below."""
        return live_stage(self._now, self._tap, self._trace, self.face)

    def next_step(self) -> Line:
        """What a card laid here is for; back to the doctor where none can be read."""
        key = "live.next" if trouble_of(self._now) is None else "tools.next.doctor"
        return left(self.face.text(key), indent=1)

    @property
    def wants_a_card(self) -> bool:
        """A card may lie here as long as it likes."""
        return True

    def entered(self) -> None:
        """Look, and time the cards that are laid."""
        if self.host.technician is not None:
            self.host.technician.expect_taps()
            self._look()

    def forget(self) -> None:
        """Nobody looks any more."""
        self._left = True

    def desk_event(self, event: DeskEvent) -> None:
        """A card was read."""
        if isinstance(event, TapDone):
            self._tap = event.tap
            self._fetch_trace()
            self.repaint()

    def why_not(self, action: Action) -> str | None:
        """Nothing here needs a store."""
        if action in (actions.TRACE, actions.EVIDENCE):
            return None
        return super().why_not(action)

    def do_trace(self) -> None:
        """Begin a trace, or end it."""
        if self.host.technician is not None:
            self.host.technician.set_trace(not self._trace.is_on)
            self._fetch_trace()

    def _fetch_trace(self) -> None:
        if self.host.technician is not None:
            self._trace = self.host.technician.trace()

    def _look(self) -> None:
        technician = self.host.technician
        if technician is None or self._looking or self._left:
            return
        self._looking = True
        self.host.background(lambda: technician.look(LOOK_SECONDS), self._seen, self._failed)

    def _seen(self, now: SlotsNow) -> None:
        self._looking = False
        self._now = now
        self._fetch_trace()
        self.repaint()
        self._look()

    def _failed(self, code: Code) -> None:
        self._looking = False
        self.flash(f"{self.face.code(code).say} {code.value}")
