"""The demo's tray: sample cards, one key each. Nothing here exists outside a demo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from textual import events

from mykey_tui.domain.codes import Code
from mykey_tui.domain.text import safe
from mykey_tui.flows.services import DemoPort, SampleCard
from mykey_tui.i18n.catalog import Language
from mykey_tui.screens import actions
from mykey_tui.screens.actions import Action
from mykey_tui.screens.base import CounterScreen
from mykey_tui.screens.host import Face, Host
from mykey_tui.screens.layout import Line, Role, centre, left, padded, rows

ROWS_SHOWN = 15
_NAME_WIDTH = 30


def tray_stage(cards: Sequence[SampleCard], at: int, placed: str | None, face: Face) -> list[Line]:
    """One row per card: key, what it is, what should happen."""
    if not cards:
        return rows((5, centre(face.text("tray.empty"))))
    first = max(0, min(at - ROWS_SHOWN // 2, len(cards) - ROWS_SHOWN))
    shown = enumerate(cards[first : first + ROWS_SHOWN], start=first)
    return rows(
        (0, left(face.text("tray.title"), Role.STRONG)),
        (2, [_row(card, face, current=n == at, lies=card.key == placed) for n, card in shown]),
    )


def _row(card: SampleCard, face: Face, *, current: bool, lies: bool) -> Line:
    japanese = face.catalog.language is Language.JAPANESE
    name = safe(card.name_ja if japanese else card.name_en, 40)
    expect = (
        face.text("tray.lies") if lies else safe(card.expect_ja if japanese else card.expect_en, 60)
    )
    pointer = face.profile.glyphs.pointer if current else " "
    text = f" {pointer} {safe(card.key, 2).upper():<2} {padded(name, _NAME_WIDTH)} {expect}"
    return Line(((padded(text, 80), Role.CURRENT if current else Role.PLAIN),))


class TrayScreen(CounterScreen):
    """Choose a card with its key, or with the arrows and Enter."""

    heading = "place.tray"
    is_overlay = True

    def __init__(self, host: Host, demo: DemoPort) -> None:
        super().__init__(host)
        self._demo = demo
        self._cards = demo.cards()
        self._at = next((n for n, card in enumerate(self._cards) if card.key == demo.placed()), 0)

    def offered(self) -> tuple[Action, ...]:
        """The cards' own keys come first; see `on_key`."""
        return (actions.UP, actions.DOWN, actions.PLACE, actions.REMOVE, actions.BACK)

    def stage(self) -> list[Line]:
        """The tray."""
        return tray_stage(self._cards, self._at, self._demo.placed(), self.face)

    def next_step(self) -> Line:
        """How to choose."""
        return left(self.face.text("tray.next"), indent=1)

    def on_key(self, event: events.Key) -> None:
        """A card's key lays that card; all other keys are as everywhere."""
        key = next(
            (card.key for card in self._cards if card.key.lower() == event.key.lower()), None
        )
        if key is None:
            super().on_key(event)
            return
        event.stop()
        event.prevent_default()
        self._lay(key)

    def do_up(self) -> None:
        """One row up."""
        self._at = max(0, self._at - 1)

    def do_down(self) -> None:
        """One row down."""
        self._at = max(0, min(len(self._cards) - 1, self._at + 1))

    def do_place(self) -> None:
        """Lay the current card."""
        if self._cards:
            self._lay(self._cards[self._at].key)

    def do_remove(self) -> None:
        """Take the card away."""
        self._do(self._demo.remove)

    def _lay(self, key: str) -> None:
        self._do(partial(self._demo.place, key))

    def _do(self, hand: Callable[[], None]) -> None:
        """Close the tray first: the hand may wait a second before it lays the next card."""
        self.host.back()
        self.host.background(hand, _nothing, _nothing)


def _nothing(_: Code | None) -> None:
    """What the card brings about comes as an event of the desk."""
