"""The real screen on fake services, for a real terminal: F8 lays cards, nothing else is there."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mykey_tui.domain.codes import Code
from mykey_tui.flows.desk_events import (
    CardTaken,
    DeskEvent,
    LookedUp,
    ReadingStarted,
)
from mykey_tui.flows.outcomes import (
    IdentifiedCard,
    LookupOutcome,
    NotLinked,
    PinWanted,
    Stopped,
    Unconfirmed,
)
from mykey_tui.flows.pin_entry import PinGiven
from mykey_tui.flows.services import Services
from mykey_tui.i18n.catalog import Language
from mykey_tui.screens.profile import detect, prepare_environment
from tests.screens.fakes import (
    QUEUE,
    FakeCounter,
    FakeDemo,
    FakeDesk,
    Fakes,
    found,
    identified,
)


class LayingDemo(FakeDemo):
    """A tray whose cards bring their outcomes about."""

    emit: Callable[[DeskEvent], None]

    def place(self, key: str) -> None:
        super().place(key)
        if key == "9":
            raise RuntimeError("a bug that names 1C2410DF79DGEL")
        old = Unconfirmed(identified(), Code.ROWS_OLD, {"hours": "30"})
        outcomes: dict[str, LookupOutcome] = {
            "1": found(), "2": NotLinked(identified()), "4": old, "5": PinWanted(identified(), 3),
        }  # fmt: skip
        self.emit(ReadingStarted())
        self.emit(LookedUp(outcomes.get(key, Stopped(Code.SUSPENDED))))
        if key != "5":  # The PIN's card lies there until it is looked up.
            self.emit(CardTaken())


class ConfirmingDesk(FakeDesk):
    """Hands over what a clerk confirms."""

    emit: Callable[[DeskEvent], None]

    def lookup_with_pin(self, card: IdentifiedCard, given: PinGiven) -> None:
        """Only 7351 is right; what was sent at all is told on the screen."""
        super().lookup_with_pin(card, given)
        digits, _ = self.pins[-1]
        answer = found() if digits == "7351" else Stopped(Code.PIN_WRONG, {"count": "2"})
        self.emit(LookedUp(answer))

    def confirm_lookup(self, card: IdentifiedCard) -> None:
        self.emit(LookedUp(found()))


def main() -> int:
    profile = detect(os.environ)
    prepare_environment(os.environ, profile)
    from mykey_tui.app import MyKeyApp, run

    demo, desk = LayingDemo(), ConfirmingDesk()
    fakes = Fakes(desk=desk, counter=FakeCounter(items=QUEUE), demo=demo)

    def build(emit: Callable[[DeskEvent], None]) -> Services:
        demo.emit = desk.emit = emit
        return fakes.build(emit)

    return run(MyKeyApp(build, language=Language.JAPANESE, profile=profile, simulated=True))


if __name__ == "__main__":
    sys.exit(main())
