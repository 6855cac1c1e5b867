"""What stands behind the card desk of a running screen: store, trust, hand-over, line."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from mykey_tui.card.connection import CardReader
from mykey_tui.composition.counter import Counter, make_client, open_counter, require_fit
from mykey_tui.composition.hands import Hands
from mykey_tui.composition.keypad import pin_ways
from mykey_tui.composition.point_card import number_place
from mykey_tui.flows.card_text import card_lines
from mykey_tui.flows.counter import SIMULATED_PROFILE, CounterDesk
from mykey_tui.flows.courier import BackgroundLine
from mykey_tui.flows.desk import Desk
from mykey_tui.flows.happenings import HappeningBook
from mykey_tui.flows.outcomes import CardDetail
from mykey_tui.flows.services import Services
from mykey_tui.flows.spot_check import SpotCheck
from mykey_tui.flows.visits import Visits
from mykey_tui.i18n.catalog import Catalog, Language
from mykey_tui.settings import Settings
from mykey_tui.store.home import Home
from mykey_tui.sync.background import BackgroundSync
from mykey_tui.sync.client import ServerClient


@dataclass(frozen=True, slots=True)
class Backroom:
    """An opened counter with its sync thread running."""

    counter: Counter
    client: ServerClient
    background: BackgroundSync
    reader: CardReader
    hands: Hands
    only: ExitStack
    """Lets go of the store, and of the home, which is this screen's alone meanwhile."""

    @classmethod
    def open(
        cls, settings: Settings, reader: CardReader, hands: Hands, happenings: HappeningBook
    ) -> Backroom:
        """Open the counter and begin to sync; `happenings` is told when the line changes.

        Raises:
            MyKeyError: with a code, as `open_counter` and `require_fit`; K-SCREEN where another
                screen runs on this home. Nothing is left open.
        """
        # A wrong setting is said before anything is opened.
        number_place(settings.point_card_block)
        with ExitStack() as opening:
            counter = opening.enter_context(open_counter(settings))
            opening.enter_context(Home(settings.home).only_screen())
            require_fit(reader, counter)
            client = make_client(counter, hands.transport)
            only = opening.pop_all()
        background = BackgroundSync(
            counter.store,
            client,
            # The screen asks for the status by itself.
            on_change=lambda: _note_line(BackgroundLine(background), happenings),
            probe=hands.probe,
        )
        background.start()
        return cls(counter, client, background, reader, hands, only)

    def visits(self) -> Visits:
        """What the desk does with a card."""
        counter, line = self.counter, BackgroundLine(self.background)
        return Visits(
            self.reader,
            counter.judge,
            counter.store,
            counter.handover,
            line,
            counter.clock,
            pin=counter.settings.pin.policy,
            number_place=number_place(counter.settings.point_card_block),
            spot_check=SpotCheck(line),
        )

    def services(self, desk: Desk) -> Services:
        """What the screens may ask for."""
        counter, line = self.counter, BackgroundLine(self.background)
        return Services(
            desk=desk,
            counter=CounterDesk(
                store=counter.store,
                line=line,
                handover=counter.handover,
                reader=lambda: desk.reader_state,
                card_text=_card_text(counter, simulated_reader=self.reader.simulated),
                clock=counter.clock,
                simulated_reader=self.reader.simulated,
            ),
            demo=self.hands.demo(line.nudge) if self.hands.demo is not None else None,
            pin=pin_ways(counter.settings.pin),
        )

    def close(self) -> None:
        """End the sync thread and let go of the store."""
        self.background.stop()
        self.client.close()
        self.only.close()


def _card_text(counter: Counter, *, simulated_reader: bool) -> Callable[[CardDetail], str]:
    catalog = Catalog(Language(counter.settings.language or Language.JAPANESE.value))
    simulated = simulated_reader or counter.store.identity.profile == SIMULATED_PROFILE
    return lambda detail: "\n".join([*card_lines(detail, catalog, simulated=simulated), ""])


def _note_line(line: BackgroundLine, happenings: HappeningBook) -> None:
    happenings.note_line(line.line()[0], line.code())
