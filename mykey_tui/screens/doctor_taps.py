"""「100回テスト」: cards laid again and again, counted and timed. Each tap is the key press."""

from __future__ import annotations

from mykey_tui.domain.codes import Code
from mykey_tui.flows.desk_events import CardTaken, DeskEvent, ReadingStarted, TapDone
from mykey_tui.flows.reader_trouble import READER_TROUBLE
from mykey_tui.flows.soak import TAPS, TAPS_USUAL, ReaderInTest, Soak
from mykey_tui.screens import actions
from mykey_tui.screens.actions import Action
from mykey_tui.screens.doctor_taps_view import TapsShown, taps_stage
from mykey_tui.screens.evidence_key import EvidenceKey
from mykey_tui.screens.host import Host
from mykey_tui.screens.layout import Line, left


class TapsScreen(EvidenceKey):
    """Left at any moment, the result so far stays for the evidence sheet. Nothing of a card does."""

    heading = "place.taps"
    is_technicians = True

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._soak = Soak(TAPS_USUAL)
        self._shown = TapsShown(self._soak.figures)
        self._reader = ReaderInTest()

    def offered(self) -> tuple[Action, ...]:
        """How many, anew, evidence."""
        first = (actions.NUMBER, actions.ANEW, actions.EVIDENCE)
        ends = (actions.BACK, actions.HELP, actions.LANGUAGE)
        return (*first, *ends, *self.demo_hands())

    def stage(self) -> list[Line]:
        """The figures, and the row to paste."""
        return taps_stage(
            self._shown,
            self._reader,
            self.face,
            card_lies=self.host.card_lies,
            trouble=self._trouble,
        )

    @property
    def _trouble(self) -> Code | None:
        return READER_TROUBLE.get(self.host.reader) if self.host.reader is not None else None

    def next_step(self) -> Line:
        """Lay a card, or done; back to the doctor where the reader takes none."""
        key = "taps.next" if self._trouble is None else "tools.next.doctor"
        if self._soak.figures.is_done:
            key = "taps.next.done"
        return left(self.face.text(key), indent=1)

    @property
    def wants_a_card(self) -> bool:
        """A card that lies there is taken and laid again: the hint says so itself."""
        return True

    def entered(self) -> None:
        """Time the cards that are laid, and find out which reader it is."""
        technician = self.host.technician
        if technician is None:
            return
        technician.expect_taps()
        self.host.background(technician.reader_in_test, self._take_reader, lambda _: None)

    def _take_reader(self, reader: ReaderInTest) -> None:
        self._reader = reader
        self.repaint()

    def desk_event(self, event: DeskEvent) -> None:
        """Count."""
        match event:
            case ReadingStarted():
                self._shown.reading = True
            case TapDone(tap):
                self._soak.add(tap)
                self._shown = TapsShown(self._soak.figures, last=tap)
                self.host.notes.figures = self._shown.figures
            case CardTaken():
                self._shown.reading = False
            case _:
                return
        self.repaint()

    def why_not(self, action: Action) -> str | None:
        """The number is chosen before the first tap; nothing here needs a store."""
        if action is actions.NUMBER and self._soak.figures.laid:
            return "why.taps.begun"
        if action in (actions.NUMBER, actions.ANEW, actions.EVIDENCE):
            return None
        return super().why_not(action)

    def do_number(self) -> None:
        """The next larger number of taps, from the largest to the smallest."""
        self._begin(TAPS[(TAPS.index(self._soak.wanted) + 1) % len(TAPS)])

    def do_anew(self) -> None:
        """Forget the taps so far, and begin again."""
        self._begin(self._soak.wanted)

    def _begin(self, wanted: int) -> None:
        self._soak = Soak(wanted)
        self._shown = TapsShown(self._soak.figures)
