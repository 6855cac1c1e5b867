"""The counter's program: one screen stack, one message queue, everything heavy loaded afterwards.

It paints first. Then a thread builds the services (`build`), and what the card desk and the status
watch tell is posted as messages: no thread ever touches a widget.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeAlias, TypeVar

from textual import on
from textual.app import App
from textual.message import Message
from textual.screen import Screen

from mykey_tui.card.connection import ReaderState
from mykey_tui.domain.codes import Code
from mykey_tui.flows.desk_events import (
    CardForgotten,
    CardTaken,
    CounterEvent,
    LinkFinished,
    LookedUp,
    ReaderIs,
    ReadingStarted,
    Scanned,
    ScannerIs,
)
from mykey_tui.flows.outcomes import Status
from mykey_tui.flows.scan_test import Scan, scan_of
from mykey_tui.i18n.catalog import Catalog, Language
from mykey_tui.screens.background import BackgroundCalls
from mykey_tui.screens.base import CounterScreen
from mykey_tui.screens.crash import crash_report, crash_words
from mykey_tui.screens.doctor_notes import DoctorNotes
from mykey_tui.screens.host import Face, Host, Place
from mykey_tui.screens.profile import RenderProfile
from mykey_tui.screens.reception import ReceptionScreen
from mykey_tui.screens.scanner import BURST_GAP_SECONDS, ScanRouting
from mykey_tui.screens.stack import ScreenStack
from mykey_tui.screens.status_watch import StatusWatch
from mykey_tui.screens.theme import theme_of

if TYPE_CHECKING:
    from mykey_tui.flows.services import Services, TechnicianPort

T = TypeVar("T")
Emit = Callable[[CounterEvent], None]
Build: TypeAlias = "Callable[[Emit], Services]"

EXIT_CRASHED = 70
"""EX_SOFTWARE: the supervisor starts the counter again."""
EXIT_CANNOT_START = 3
_log = logging.getLogger(__name__)


class MyKeyApp(ScreenStack, ScanRouting, BackgroundCalls, App[None], inherit_bindings=False):
    """The counter's screen.

    `build` is called once in a thread, after the first paint, with the function that takes
    happenings from any thread; they may come before it returns. It may raise a `MyKeyError` with a
    code: the screen then says it, and Enter tries again. Closing what it made is the caller's.
    `simulated` says SIMULATED from the first paint on. `log_path` is named when the program fails.
    `technician` gives what the doctor asks, as soon as the reader is watched; None before.
    """

    CSS_PATH: ClassVar = "screens/counter.tcss"
    ENABLE_COMMAND_PALETTE: ClassVar = False
    ALLOW_SELECT: ClassVar = False

    class DeskHappened(Message):
        """The card desk or the scanner told something."""

        def __init__(self, event: CounterEvent) -> None:
            super().__init__()
            self.event = event

    class StatusIs(Message):
        """The counter's status, or why there is none."""

        def __init__(self, news: Status | Code) -> None:
            super().__init__()
            self.news = news

        def can_replace(self, message: Message) -> bool:
            """Only the latest counts."""
            return isinstance(message, MyKeyApp.StatusIs)

    def __init__(
        self,
        build: Build,
        *,
        language: Language,
        profile: RenderProfile,
        simulated: bool,
        log_path: Path | None = None,
        scan_gap_seconds: float = BURST_GAP_SECONDS,
        technician: Callable[[], TechnicianPort | None] = lambda: None,
    ) -> None:
        super().__init__()
        self.simulated = simulated
        self._build = build
        self._log_path = log_path
        self._technician = technician
        self._notes = DoctorNotes()
        wanted = language if profile.draws_japanese else Language.ENGLISH
        self._face = Face(Catalog(wanted), profile)
        self._services: Services | None = None
        self._status: Status | None = None
        self._trouble: Code | None = None
        self._reader: ReaderState | None = None
        self._card_lies = self._card_forgotten = self._scanner_missing = False
        self._watch: StatusWatch | None = None
        self.hold_bursts(scan_gap_seconds)
        self.register_theme(theme_of(profile))
        self.theme = theme_of(profile).name

    # The host of the screens

    @property
    def as_host(self) -> Host:
        """This program."""
        return self

    @property
    def face(self) -> Face:
        """Language and way of drawing."""
        return self._face

    @property
    def services(self) -> Services | None:
        """The running counter, once it is loaded."""
        return self._services

    @property
    def status(self) -> Status | None:
        """The last status."""
        return self._status

    @property
    def trouble(self) -> Code | None:
        """Why there is no status."""
        return self._trouble

    @property
    def reader(self) -> ReaderState | None:
        """The reader as its last happening told."""
        return self._reader

    @property
    def notes(self) -> DoctorNotes:
        """What the doctor's screens found since the start."""
        return self._notes

    @property
    def technician(self) -> TechnicianPort | None:
        """What the doctor's screens ask."""
        return self._technician()

    @property
    def card_lies(self) -> bool:
        """Whether a card lies on the reader."""
        return self._card_lies

    @property
    def scanner_missing(self) -> bool:
        """Whether the scanner that this counter is set up with is not there."""
        return self._scanner_missing

    @property
    def card_forgotten(self) -> bool:
        """Whether it should have been taken by now."""
        return self._card_forgotten

    def get_default_screen(self) -> Screen[None]:
        """The reception lies under everything (never DEFAULT_MODE, which crashes with an Input)."""
        return ReceptionScreen(self)

    def on_ready(self) -> None:
        """Load once the first screen was painted.

        Not by `call_after_refresh`: a key pressed at that moment lays another screen over the
        first, whose refresh then never comes.
        """
        self.reload()

    def reload(self) -> None:
        """Build the services in a thread."""
        self._trouble = None
        self.background(partial(self._build, self.emit), self._services_built, self._cannot_start)

    def emit(self, event: CounterEvent) -> None:
        """Take a happening from any thread."""
        self.post_message(self.DeskHappened(event))

    def _services_built(self, services: Services) -> None:
        self._services = services
        self._watch = StatusWatch(
            services.counter,
            self._tell_status,
            self.crash_from_thread,
        )
        self._watch.start()
        self.base_screen.entered()
        self.counter_screen.repaint()

    def _tell_status(self, news: Status | Code) -> None:
        self.post_message(self.StatusIs(news))

    def _cannot_start(self, code: Code) -> None:
        self._return_code = EXIT_CANNOT_START
        self._trouble = code
        for screen in self.screen_stack:
            if isinstance(screen, ReceptionScreen):
                screen.cannot_start(code)

    def change_language(self) -> None:
        """The other language, on every screen."""
        self._face = Face(Catalog(self._face.catalog.language.other), self._face.profile)
        for screen in self.screen_stack:
            if isinstance(screen, CounterScreen):
                screen.calm()
                screen.repaint()

    def quit(self) -> None:
        """End, with the code of a failed start where there was one."""
        self.exit(return_code=self._return_code or 0)

    def on_unmount(self) -> None:
        """Ask nothing more, and let go of the keypad."""
        self.swallow_no_more()
        if self._watch is not None:
            self._watch.stop()

    # Messages

    @on(DeskHappened)
    def _desk_happened(self, message: DeskHappened) -> None:
        match message.event:
            case Scanned(text):
                self.scanned(text)
                return
            case ScannerIs(present):
                self._scanner_missing = not present
                self.counter_screen.repaint()
                return
            case ReadingStarted():
                self._card_lies, self._card_forgotten = True, False
                while self.counter_screen.gives_way:
                    self.back()
            case CardTaken():
                self._card_lies = self._card_forgotten = False
            case CardForgotten():
                self._card_forgotten = True
                if not self.base_screen.takes_secret:
                    self.bell()  # A card that waits for its PIN is not forgotten.
            case ReaderIs(state):
                self._reader = state
                self._ask_status()
            case LinkFinished():
                self._ask_status()
            case _:
                pass  # The screens' own business.
        screen = self.base_screen
        if isinstance(message.event, LookedUp | LinkFinished):
            screen = self.working_screen
        screen.desk_event(message.event)
        self.counter_screen.repaint()

    def _ask_status(self) -> None:
        if self._watch is not None:
            self._watch.nudge()

    @on(StatusIs)
    def _status_is(self, message: StatusIs) -> None:
        news = message.news
        status, trouble = (None, news) if isinstance(news, Code) else (news, None)
        first = (self._status is None) is not (status is None)
        self._status, self._trouble = status, trouble
        if trouble is Code.SERVER_RETIRED:
            self._retired(trouble)
            return
        self.counter_screen.status_changed()
        if first:
            self.counter_screen.repaint()

    def _retired(self, code: Code) -> None:
        """The counter is at its end: nothing is left that a card could be answered from."""
        if self._watch is not None:
            self._watch.stop()
        self._services = self._watch = None
        self.go(Place.RECEPTION)
        self._cannot_start(code)

    @property
    def scans_are_off(self) -> bool:
        """Whether a secret is typed now."""
        return isinstance(self.screen, CounterScreen) and self.screen.takes_secret

    def scanned(self, text: str) -> None:
        """A barcode came, wherever the focus was."""
        self.counter_screen.calm()
        if self.measures_scans:
            self.measured(scan_of(text, times=(), end=""))
        else:
            self.base_screen.scanned(text)

    @property
    def measures_scans(self) -> bool:
        """Whether the scanner is tried out now."""
        return self.base_screen.measures_scans

    def measured(self, scan: Scan) -> None:
        """A barcode came on the screen that tries scanners out."""
        self.counter_screen.calm()
        self.base_screen.measured(scan)

    def use_scan_gap(self, seconds: float) -> None:
        """Keys that follow each other within this time may be a scan, from now on."""
        self.hold_bursts(seconds)

    # The end that nobody wants

    def _fatal_error(self) -> None:
        """End without a traceback on a display that the public sees; the log has one, no values."""
        self._return_code = EXIT_CRASHED
        if self._exception is not None:
            _log.critical("%s", crash_report(self._exception))
        self._exit_renderables.append(crash_words(self._log_path))
        self._close_messages_no_wait()


def run(app: MyKeyApp) -> int:
    """Run until somebody ends it; the exit code: 0, 3 could not start, 70 failed."""
    app.run(mouse=False)
    return app.return_code or 0
