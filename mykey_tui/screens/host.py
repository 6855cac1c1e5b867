"""What a screen may ask of the program around it, and what a view needs for drawing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, unique
from typing import TYPE_CHECKING, Protocol, TypeVar

from mykey_tui.card.connection import ReaderState
from mykey_tui.domain.codes import Code
from mykey_tui.flows.outcomes import IdentifiedCard, PinWanted, Status, Stopped
from mykey_tui.i18n.catalog import Catalog, CodeText
from mykey_tui.screens.doctor_notes import DoctorNotes
from mykey_tui.screens.profile import Render, RenderProfile

if TYPE_CHECKING:
    from mykey_tui.flows.desk_events import DeskEvent, LinkFinished, LookedUp
    from mykey_tui.flows.pin_entry import PinGiven
    from mykey_tui.flows.services import Services, TechnicianPort
    from mykey_tui.screens.base import CounterScreen

T = TypeVar("T")


@unique
class Place(Enum):
    """The screens that one can go to; the reception lies under all of them."""

    RECEPTION = "reception"
    LINK = "link"
    QUEUE = "queue"
    CARD = "card"
    DOCTOR = "doctor"
    TAPS = "taps"
    LIVE = "live"
    SCAN = "scan"


@unique
class Overlay(Enum):
    """Screens laid over the present one; a card that is laid closes them."""

    HELP = "help"
    TRAY = "tray"
    TOUR = "tour"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Face:
    """Language and way of drawing: all that a view needs besides its state."""

    catalog: Catalog
    profile: RenderProfile

    def text(self, key: str, /, **values: str | int) -> str:
        """The catalogue's text."""
        return self.catalog.text(key, **values)

    def code(self, code: Code, values: Mapping[str, str] | None = None) -> CodeText:
        """The catalogue's title, sentence and next step."""
        return self.catalog.code(code, values)

    def marked(self, mark: str, title: str) -> str:
        """A title with the sign of its kind: `good`, `bad` or `ask`."""
        return self.catalog.text(f"band.{mark}", title=title)

    @property
    def is_console(self) -> bool:
        """Whether only ASCII can be drawn."""
        return self.profile.render is Render.CONSOLE


@dataclass(frozen=True, slots=True)
class PinAsk:
    """A PIN for the screen below: send what is given; and how a failure is told to that screen."""

    wanted: PinWanted
    give: Callable[[PinGiven], None]
    failed: Callable[[Stopped], LookedUp | LinkFinished]


class Host(Protocol):
    """The program, as a screen sees it."""

    simulated: bool

    @property
    def face(self) -> Face:
        """Language and way of drawing, now."""
        ...

    @property
    def services(self) -> Services | None:
        """The running counter; None until it is loaded."""
        ...

    @property
    def status(self) -> Status | None:
        """The last status; None until the first one, and while none can be had."""
        ...

    @property
    def trouble(self) -> Code | None:
        """Why no status can be had."""
        ...

    @property
    def reader(self) -> ReaderState | None:
        """The reader as its last happening told; it is watched before anything else is known."""
        ...

    @property
    def card_lies(self) -> bool:
        """Whether a card lies on the reader, as far as its happenings tell."""
        ...

    @property
    def card_forgotten(self) -> bool:
        """Whether the card that lies there should have been taken by now."""
        ...

    @property
    def scanner_missing(self) -> bool:
        """Whether the scanner that this counter is set up with is not there."""
        ...

    @property
    def notes(self) -> DoctorNotes:
        """What the doctor's screens found since the start."""
        ...

    @property
    def technician(self) -> TechnicianPort | None:
        """What the doctor's screens ask; there also where the counter cannot start. None at first."""
        ...

    def background(
        self, work: Callable[[], T], done: Callable[[T], None], failed: Callable[[Code], None]
    ) -> None:
        """Run `work` off the screen's thread; its result or failure code comes back on it."""
        ...

    def background_each(
        self,
        work: Callable[[], Iterator[T]],
        each: Callable[[T], None],
        done: Callable[[], None],
        failed: Callable[[Code], None],
    ) -> None:
        """Run `work` off the screen's thread; what it yields comes back one by one."""
        ...

    def use_scan_gap(self, seconds: float) -> None:
        """Keys that follow each other within this time may be a scan, from now on."""
        ...

    def over(self, place: Place) -> None:
        """Open one of the doctor's places over the present one, which stays as it is."""
        ...

    def go(self, place: Place, card: IdentifiedCard | None = None) -> None:
        """Open a place, closing what lies over the reception."""
        ...

    def lay(self, overlay: Overlay) -> None:
        """Lay an overlay over the present screen."""
        ...

    def back(self) -> None:
        """Close the uppermost screen."""
        ...

    def soon(self, call: Callable[[], None]) -> None:
        """Run `call` on the screen's thread; from any thread."""
        ...

    def ask_pin(self, ask: PinAsk) -> None:
        """Lay the PIN screen over the present one."""
        ...

    def answer_below(self, closing: CounterScreen, event: DeskEvent) -> None:
        """Close this screen, if it is still open, and give the event to the clerk's one below."""
        ...

    def swallow_typing(self, ended: Callable[[], None]) -> None:
        """Let digits, Enter and Backspace go nowhere until none came for a while, then `ended`."""
        ...

    def typing_goes_on(self) -> None:
        """One more key came on the keypad: wait anew, if that is waited for."""
        ...

    def change_language(self) -> None:
        """Change to the other language, on every screen."""
        ...

    def reload(self) -> None:
        """Try again to load the services."""
        ...

    def quit(self) -> None:
        """End the program."""
        ...
