"""カード確認: what the certificate on the card says. No name, no birth date: they are not read."""

from __future__ import annotations

from pathlib import Path

from mykey_tui.domain.codes import Code
from mykey_tui.domain.text import safe
from mykey_tui.flows.card_text import CardField, card_fields
from mykey_tui.flows.desk_events import (
    CardShown,
    CardTaken,
    DeskEvent,
    ReadingStarted,
)
from mykey_tui.flows.outcomes import CardDetail, CardDetailOutcome, Stopped
from mykey_tui.screens import actions
from mykey_tui.screens.actions import Action
from mykey_tui.screens.base import CounterScreen
from mykey_tui.screens.deadline import ReadingDeadline
from mykey_tui.screens.host import Face, Host
from mykey_tui.screens.layout import (
    BLANK,
    STAGE_WIDTH,
    Line,
    Role,
    centre,
    left,
    padded,
    rows,
    wrap,
)
from mykey_tui.screens.reception_view import said

_NAME_WIDTH = 26
_VALUE_ROWS_MAX = 4
_VALUE_LENGTH_MAX = 192
"""The longest sentence of a refusal fits; a value from a card is cut before it comes here."""
_PATH_LENGTH_MAX = 36
"""So much of a path fits in row 21; its end is the part that one looks for."""


def card_stage(outcome: CardDetailOutcome | None, face: Face, *, reading: bool) -> list[Line]:
    """The certificate's fields, or the prompt, or why there is nothing to show."""
    if outcome is None:
        key = "reception.reading" if reading else "card.lay"
        return rows((5, centre(face.text(key), Role.STRONG)))
    if isinstance(outcome, Stopped):
        return said(outcome, face)
    shown = card_fields(outcome, face.catalog)
    role = Role.STRONG if outcome.verdict is None else Role.WARN
    fields = [row for field in shown[:-1] for row in _field(field)]
    return rows(
        (0, centre(face.text("card.title"), Role.STRONG)),
        (2, [*fields, BLANK, *_field(shown[-1], role), BLANK, *_not_checked(face)]),
    )


def _not_checked(face: Face) -> list[Line]:
    return [left(row) for row in wrap(face.text("card.not.checked"))]


def _field(field: CardField, role: Role = Role.STRONG) -> list[Line]:
    """A field, on a second row where its value is long (an issuer's name is)."""
    rows_of_value = wrap(safe(field.value, _VALUE_LENGTH_MAX), STAGE_WIDTH - 2 - _NAME_WIDTH)
    return [
        Line(
            (
                ("  ", Role.PLAIN),
                (padded("" if n else field.name, _NAME_WIDTH), Role.DIM),
                (row, role),
            )
        )
        for n, row in enumerate(rows_of_value[:_VALUE_ROWS_MAX])
    ]


class CardScreen(CounterScreen):
    """The card view, and its export."""

    heading = "place.card"

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._outcome: CardDetailOutcome | None = None
        self._reading = False
        self._deadline = ReadingDeadline(self, self._too_slow)

    def offered(self) -> tuple[Action, ...]:
        """Export, read again."""
        ends = (actions.BACK, actions.HELP, actions.LANGUAGE, actions.DOCTOR)
        return (actions.EXPORT, actions.AGAIN, *ends, *self.demo_hands())

    def stage(self) -> list[Line]:
        """The fields."""
        return card_stage(self._outcome, self.face, reading=self._reading)

    def next_step(self) -> Line:
        """What may be done."""
        done = isinstance(self._outcome, CardDetail)
        return left(self.face.text("card.next" if done else "card.next.lay"), indent=1)

    def entered(self) -> None:
        """Ask for the card. No card laid here is looked up: the till must not hear of it."""
        if self.host.services is not None:
            self.host.services.desk.expect_nothing()
            self.host.services.desk.show_card()

    def forget(self) -> None:
        """Nothing of the person stays behind."""
        self._outcome = None

    def desk_event(self, event: DeskEvent) -> None:
        """Show what was read."""
        self.calm()
        match event:
            case ReadingStarted():
                self._read(None, reading=True)
                self._deadline.start()
            case CardShown(outcome):
                self._read(outcome)
            case CardTaken() if self._reading:
                self._read(Stopped(Code.CARD_REMOVED))
                self.entered()
            case CardTaken() if self._outcome is not None:
                self.entered()  # The next card is shown as well; this one's content stays till then.
            case _:
                return
        self.repaint()

    def _read(self, outcome: CardDetailOutcome | None, *, reading: bool = False) -> None:
        self._outcome, self._reading = outcome, reading
        self._deadline.stop()

    def _too_slow(self) -> None:
        self._read(Stopped(Code.CARD_SLOW))
        self.repaint()

    def why_not(self, action: Action) -> str | None:
        """There must be something to export."""
        if action is actions.EXPORT and not isinstance(self._outcome, CardDetail):
            return "why.no.card"
        return super().why_not(action)

    def do_again(self) -> None:
        """Read the card again."""
        self._outcome = None
        self.entered()

    def do_export(self) -> None:
        """Write the fields to a file."""
        services, detail = self.host.services, self._outcome
        if services is None or not isinstance(detail, CardDetail):
            return
        self.host.background(
            lambda: services.counter.export_card(detail), self._exported, self._export_failed
        )

    def _exported(self, path: Path) -> None:
        where = str(path)
        if len(where) > _PATH_LENGTH_MAX:
            where = "..." + where[3 - _PATH_LENGTH_MAX :]
        self.flash(self.face.text("card.exported", path=where))

    def _export_failed(self, code: Code) -> None:
        self.flash(f"{self.face.code(code).say} {code.value}")
