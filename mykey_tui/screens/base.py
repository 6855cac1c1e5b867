"""The frame of every screen: head, stage, next step, status line, keys, always in the same rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from mykey_tui.domain.text import safe
from mykey_tui.flows.desk_events import DeskEvent
from mykey_tui.flows.scan_test import Scan
from mykey_tui.screens import actions
from mykey_tui.screens.actions import Action
from mykey_tui.screens.banner import banner
from mykey_tui.screens.frame import head_line, key_line
from mykey_tui.screens.host import Face, Host, Overlay, Place
from mykey_tui.screens.layout import STAGE_HEIGHT, STAGE_WIDTH, Line, Role, left
from mykey_tui.screens.status_line import status_line
from mykey_tui.screens.theme import drawn

_PREPARING = "why.preparing"
_QUIT_KEYS = frozenset({"ctrl+c", "ctrl+q", "ctrl+d", "ctrl+z"})


class CounterScreen(Screen[None], inherit_bindings=False):
    """One screen of the counter. A subclass says what is on the stage and what the keys do.

    For each action that it offers it has a method `do_<id>`. Keys that do nothing say why.
    """

    heading: ClassVar[str] = ""
    """Catalogue key of the name in the upper left corner."""
    is_overlay: ClassVar[bool] = False
    is_technicians: ClassVar[bool] = False
    """Laid over the work of a clerk, whose answers still go to the screen below."""
    shows_queue: ClassVar[bool] = False
    measures_scans: ClassVar[bool] = False
    """Codes are tried out here: they go to `measured`."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.host = host
        self._flash = ""
        self._painted: dict[str, list[Line]] = {}
        self._painted_width = 0

    # What a subclass says

    def offered(self) -> tuple[Action, ...]:
        """The actions of this screen, in the order of the key row."""
        return (actions.BACK, actions.HELP, actions.LANGUAGE)

    def stage(self) -> list[Line]:
        """The stage's rows, at most 18."""
        raise NotImplementedError

    def next_step(self) -> Line:
        """What to do next, for row 21."""
        return Line()

    def desk_event(self, event: DeskEvent) -> None:
        """Something happened at the card reader."""

    def entered(self) -> None:
        """This screen was opened, or the services under it arrived: say what a card is for."""

    def status_changed(self) -> None:
        """A new status came."""
        self.repaint_status()

    def forget(self) -> None:
        """This screen is closed: forget what it knows of a person."""

    def why_not(self, action: Action) -> str | None:
        """Catalogue key of the reason why `action` cannot be done now; None when it can."""
        if action is actions.LANGUAGE and not self.face.profile.draws_japanese:
            return "why.console"
        if self.host.services is None and action not in (
            actions.HELP, actions.LANGUAGE, actions.LEAVE, actions.BACK, actions.YES, actions.DOCTOR,
        ):  # fmt: skip
            return _PREPARING
        if action is actions.DOCTOR and self.host.technician is None:
            return _PREPARING
        return None

    def scanned(self, text: str) -> None:
        """A barcode came while this screen was open."""
        self.flash(self.face.text("why.scan"))

    def measured(self, scan: Scan) -> None:
        """A barcode came while scanners are tried out; see `measures_scans`."""
        raise NotImplementedError

    @property
    def gives_way(self) -> bool:
        """Whether a card that is laid closes this screen, to be answered on the one below."""
        return self.is_overlay

    @property
    def wants_a_card(self) -> bool:
        """Whether row 21 says which card is needed: more than that the last one lies there still."""
        return False

    @property
    def takes_text(self) -> bool:
        """While true, digits and letters go into a field and are no keys."""
        return False

    @property
    def takes_secret(self) -> bool:
        """While true, nothing that is typed is held back as a barcode."""
        return False

    # The frame

    @property
    def face(self) -> Face:
        """Language and way of drawing."""
        return self.host.face

    def compose(self) -> ComposeResult:
        """The seven fixed parts, painted at once, and what a subclass lays over the stage."""
        self._painted_width = self._width
        parts = {name: self._static(name, lines) for name, lines in self._parts()}
        yield parts["head"]
        yield parts["upper"]
        with Container(id="body"), Container(id="box"):
            yield parts["stage"]
            yield from self.over_the_stage()
        yield parts["next"]
        yield parts["lower"]
        yield parts["status"]
        yield parts["keys"]

    def over_the_stage(self) -> Iterable[Widget]:
        """Widgets that float over the stage: an input field."""
        return ()

    def on_resize(self) -> None:
        """Paint the full-width rows again."""
        if self._width != self._painted_width:
            self._painted.clear()
            self._painted_width = self._width
        self.repaint()

    def repaint(self) -> None:
        """Bring every part up to date; parts that did not change send nothing to the terminal."""
        for name, lines in self._parts():
            self._paint(name, lines)

    def repaint_status(self) -> None:
        """Bring the status line and the banner up to date."""
        for name, lines in self._parts():
            if name in ("upper", "status"):
                self._paint(name, lines)

    def _parts(self) -> Iterator[tuple[str, list[Line]]]:
        rule = Line(((self.face.profile.glyphs.rule * self._width, Role.DIM),))
        yield "head", [head_line(self.host, self.heading, self._width)]
        yield "upper", [banner(self.host, at_queue=self.shows_queue) or rule]
        yield "stage", self.stage()[:STAGE_HEIGHT]
        yield "next", [self._next_line()]
        yield "lower", [rule]
        yield "status", [self._status_line()]
        yield "keys", [self._key_line(self._width)]

    @property
    def _width(self) -> int:
        return self.app.size.width or STAGE_WIDTH

    def _status_line(self) -> Line:
        return status_line(self.host, self._width)

    def _key_line(self, width: int) -> Line:
        return key_line(self.offered(), self.face, width, digits=not self.takes_text)

    def _next_line(self) -> Line:
        if self._flash:
            return left(self._flash, Role.STRONG, indent=1)
        if self.host.card_forgotten and not self.wants_a_card:
            return left(self.face.text("reception.forgotten"), Role.WARN, indent=1)
        return self.next_step()

    def _static(self, part: str, lines: list[Line]) -> Static:
        self._painted[part] = lines
        return Static(self._content(part, lines), id=part, markup=False)

    def _paint(self, part: str, lines: list[Line]) -> None:
        if not self.is_mounted or self._painted.get(part) == lines:
            return
        self._painted[part] = lines
        # None where this screen was closed a moment ago and a thread's answer came after that.
        for static in self.query(f"#{part}").results(Static):
            static.update(self._content(part, lines), layout=False)

    def _content(self, part: str, lines: list[Line]) -> Content:
        width = STAGE_WIDTH if part == "stage" else self._width
        return drawn(lines, self.face.profile, width)

    def flash(self, text: str) -> None:
        """Say something in row 21 until the next key or card; results are never said here alone."""
        self._flash = text
        self.repaint()

    def calm(self) -> None:
        """Take the passing words away."""
        self._flash = ""

    # Keys

    def on_key(self, event: events.Key) -> None:
        """Do what the key stands for, or say why nothing happens."""
        # A till may have Caps Lock on, and the key row prints capitals.
        key = event.key.lower() if len(event.key) == 1 else event.key
        action = next((each for each in self.offered() if key in each.keys), None)
        if action is None:
            if self.focused is None:
                event.stop()
                self.flash(self._dead_key(event.key))
            return
        event.stop()
        event.prevent_default()
        self.calm()
        reason = self.why_not(action)
        if reason is None:
            getattr(self, f"do_{action.id}")()
            if self.is_mounted:
                self.repaint()
        else:
            self.flash(self._why(reason))

    def _why(self, reason: str) -> str:
        """Why a key does nothing. What could not be made ready is not waited for: what to do then."""
        trouble = self.host.trouble
        if reason != _PREPARING or trouble is None:
            return self.face.text(reason)
        return f"{self.face.code(trouble).next} {trouble.value}"

    def _dead_key(self, key: str) -> str:
        if key in _QUIT_KEYS:
            return self.face.text("dead.quit")
        return self.face.text("dead.key", key=safe(actions.shown(key), 16))

    def do_help(self) -> None:
        """Lay the help over this screen."""
        self.host.lay(Overlay.HELP)

    def do_language(self) -> None:
        """Change the language."""
        self.host.change_language()

    def do_doctor(self) -> None:
        """Examine the box; this screen stays as it is below."""
        self.host.over(Place.DOCTOR)

    def demo_hands(self) -> tuple[Action, ...]:
        """The hands of a demo, for screens that take cards: cut or mend the line, open the tray."""
        demo = self.host.services.demo if self.host.services is not None else None
        if demo is None:
            return ()
        return (actions.MEND if demo.line_is_cut() else actions.CUT, actions.TRAY)

    def do_tray(self) -> None:
        """Open the demo's tray."""
        self.host.lay(Overlay.TRAY)

    def do_cut(self) -> None:
        """Cut the line of the demo, or mend it."""
        services = self.host.services
        if services is not None and services.demo is not None:
            services.demo.set_line_cut(not services.demo.line_is_cut())

    do_mend = do_cut

    def do_back(self) -> None:
        """Go back to where one came from; always safe."""
        self.host.back()
