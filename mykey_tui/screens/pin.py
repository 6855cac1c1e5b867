"""暗証番号: the resident types four digits; the screen shows four boxes.

The digits are in a `PinEntry` alone, from the key to the card. It is emptied when the card is
taken, when nobody types for a while, and when this screen closes. One press of Enter is one
attempt: what comes after it finds nothing to send. Where this screen closes by itself, what is
still typed goes nowhere (`pin_leftovers`), and the keypad is kept for as long.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from textual import events
from textual.timer import Timer

from mykey_tui.card.allow_list import PIN_LENGTH
from mykey_tui.card.jpki import TRIES_LEFT_MIN
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import MyKeyError, failure_code
from mykey_tui.flows.desk_events import (
    CardTaken,
    DeskEvent,
    LinkFinished,
    LookedUp,
    ReadingStarted,
)
from mykey_tui.flows.outcomes import Stopped
from mykey_tui.flows.pin_entry import PinEntry, PinGiven
from mykey_tui.flows.services import KeypadPort, KeypadSign
from mykey_tui.screens import actions
from mykey_tui.screens.actions import Action
from mykey_tui.screens.base import CounterScreen
from mykey_tui.screens.deadline import ReadingDeadline
from mykey_tui.screens.host import Host, PinAsk
from mykey_tui.screens.layout import Line, left
from mykey_tui.screens.pin_view import OVERRIDE_WORD, PinState, PinStep, pin_stage, slip_text
from mykey_tui.screens.scanner import Pace

QUIET_SECONDS = 60.0
"""Without a key the digits are forgotten and the visit ends."""
_AGAIN = frozenset({Code.PIN_WRONG, Code.PIN_LAST, Code.PIN_BLOCKED})


class PinScreen(CounterScreen):
    """One PIN, over the screen that needs it; closes with the answer, which goes to that screen."""

    heading = "place.pin"

    def __init__(self, host: Host, ask: PinAsk) -> None:
        super().__init__(host)
        self._ask = ask
        self._entry = PinEntry()
        self._pace = Pace()
        self._on_reader = ask.wanted.on_reader
        self._override = False
        self._keypad: KeypadPort | None = None
        self._is_over = False
        self._awaited = False
        """Whether a person closes it, or waits for the answer: nobody is in the midst of typing."""
        self._quiet: Timer | None = None
        self._deadline = ReadingDeadline(self, self._too_slow)
        self.state = PinState(
            PinStep.TYPING, ask.wanted.tries_left, for_link=ask.failed is LinkFinished
        )
        self._next_attempt(ask.wanted.tries_left)

    # What is shown

    def offered(self) -> tuple[Action, ...]:
        """Few, and none by a digit: digits are the PIN's."""
        ends = (actions.ENTER, actions.BACK, actions.LANGUAGE)
        return (actions.EXPORT, *ends) if self.state.step is PinStep.LOCKED else ends

    def stage(self) -> list[Line]:
        """Boxes, or the slip."""
        return pin_stage(self.state, self.face)

    def next_step(self) -> Line:
        """What the keys do."""
        return left(self.face.text(f"pin.next.{self.state.step.value}"), indent=1)

    @property
    def wants_a_card(self) -> bool:
        """The card must stay: nobody is asked to take it while the PIN is typed."""
        return self.state.step is not PinStep.LOCKED

    @property
    def takes_text(self) -> bool:
        """Digits are no keys here."""
        return True

    @property
    def takes_secret(self) -> bool:
        """What is typed here is no barcode."""
        return True

    # Opening and closing

    def entered(self) -> None:
        """Take the keypad; without anything to type on, the visit ends here."""
        self._wait_for_a_key()
        services = self.host.services
        if services is None or self._on_reader or self.state.step is PinStep.LOCKED:
            return
        if services.pin.keypad is not None and not self.state.on_keypad:
            try:
                services.pin.keypad.start(self._entry, self._from_keypad)
                self._keypad, self.state.on_keypad = services.pin.keypad, True
            except MyKeyError as error:
                if not services.pin.keyboard:
                    self._nothing_to_type_on(failure_code(error))
                    return
        elif services.pin.keypad is None and not services.pin.keyboard:
            self._nothing_to_type_on(Code.KEYPAD_NONE)
            return
        self.repaint()

    def _nothing_to_type_on(self, code: Code) -> None:
        self._awaited = True
        self._end(Stopped(code))

    def forget(self) -> None:
        """Nothing of the PIN stays behind, and nothing more of it comes."""
        self._is_over = True
        self._entry.seal()
        self.state.word = ""
        self._deadline.stop()
        if self._quiet is not None:
            self._quiet.stop()
        if self._awaited or self.state.step is PinStep.LOCKED:
            self._let_go()
        else:
            self.host.swallow_typing(self._let_go)

    def _let_go(self) -> None:
        if self._keypad is not None:
            self._keypad.stop()

    def _end(self, stopped: Stopped) -> None:
        self.host.answer_below(self, self._ask.failed(stopped))

    def _wait_for_a_key(self) -> None:
        if self._quiet is not None:
            self._quiet.stop()
        self._quiet = self.set_timer(QUIET_SECONDS, self._nobody_typed)

    def _nobody_typed(self) -> None:
        if self.state.step is not PinStep.SENT:
            self._give_up()

    def _too_slow(self) -> None:
        self._end(Stopped(Code.CARD_SLOW))

    # What happens at the reader

    def desk_event(self, event: DeskEvent) -> None:
        """The answer to an attempt, or a card that was taken away: which is no wrong PIN."""
        self.calm()
        match event:
            case ReadingStarted():
                if not self._on_reader:
                    self._deadline.start()
            case LookedUp(outcome) | LinkFinished(outcome):
                self._deadline.stop()
                if isinstance(outcome, Stopped) and outcome.code in _AGAIN:
                    self._refused(outcome)
                else:
                    self._awaited = self.state.step is PinStep.SENT
                    self.host.answer_below(self, event)
            case CardTaken() if self.state.step is not PinStep.LOCKED:
                self._end(Stopped(Code.CARD_REMOVED))
            case _:
                return
        self.repaint()

    def _refused(self, stopped: Stopped) -> None:
        count = stopped.values.get("count", "")
        self.state.wrong = stopped.code is Code.PIN_WRONG
        self._next_attempt(int(count) if count.isdecimal() else None)
        self._wait_for_a_key()

    def _next_attempt(self, tries_left: int | None) -> None:
        self._empty()
        self._override = False
        self.state.tries_left, self.state.word = tries_left, ""
        if tries_left == 0:
            self.state.step = PinStep.LOCKED
        elif tries_left is None or tries_left < TRIES_LEFT_MIN:
            self.state.step = PinStep.OVERRIDE
        else:
            self._may_type()

    def _may_type(self) -> None:
        self._empty()  # What the keypad sent while a word was asked for is no PIN.
        self.state.step = PinStep.ON_READER if self._on_reader else PinStep.TYPING

    def _empty(self) -> None:
        self._entry.wipe()
        self._pace = Pace()
        self.state.dots = 0

    # Keys

    def on_key(self, event: events.Key) -> None:
        """Digits and letters go into the entry or the word; all other keys are as everywhere."""
        if self._is_over:  # The key was on its way when this screen closed.
            event.stop()
            return
        character = event.character or ""
        if self.state.step is PinStep.OVERRIDE and character.isascii() and character.isalpha():
            self.state.word = (self.state.word + character.upper())[-len(OVERRIDE_WORD) :]
        elif character.isdecimal():  # Never a key of ours here, also while none is wanted.
            if self.state.step is PinStep.TYPING:
                self._typed(character, event.time)
        elif self._takes_keys and event.is_printable:
            self._entry.spoil()  # A scanner's code may have four digits among its letters.
            self.flash(self.face.text("pin.four"))
        elif event.key == "backspace":
            self._entry.erase()
            self.state.word = self.state.word[:-1]
        else:
            super().on_key(event)
            return
        event.stop()
        event.prevent_default()
        self._changed()

    @property
    def _takes_keys(self) -> bool:
        """Whether the PIN is typed on this keyboard now."""
        services = self.host.services
        allowed = services is not None and services.pin.keyboard
        return allowed and self.state.step is PinStep.TYPING

    def _typed(self, digit: str, seconds: float) -> None:
        if not self._takes_keys:
            self.flash(self.face.text("pin.not.here"))
            return
        self._pace.key_at(seconds)
        if not self._entry.press(digit) and self._entry.count < PIN_LENGTH:
            self._entry.spoil()  # A digit of another script.

    def _changed(self) -> None:
        self._wait_for_a_key()
        self.state.dots = self._entry.count if self.state.step is PinStep.TYPING else 0
        self.repaint()

    def _from_keypad(self, sign: KeypadSign) -> None:
        """Called on the keypad's thread."""
        self.host.soon(partial(self._signed, sign))

    def _signed(self, sign: KeypadSign) -> None:
        if self._is_over:
            self.host.typing_goes_on()
            return
        if not self.is_mounted:
            return
        match sign:
            case KeypadSign.TYPED:
                self._changed()
            case KeypadSign.ENTER:
                self.do_enter()
            case KeypadSign.CANCEL if self.state.step is not PinStep.SENT:
                self.do_back()
            case KeypadSign.GONE if self.state.step is not PinStep.SENT:
                self._end(Stopped(Code.KEYPAD_NONE))
            case _:
                pass  # The answer to what was sent comes from the card.

    def why_not(self, action: Action) -> str | None:
        """While the card has the PIN, nothing is sent and nothing is called back."""
        if self.state.step is PinStep.SENT:
            return "why.reading"
        return super().why_not(action)

    def do_enter(self) -> None:
        """Send what was typed, once; or accept the word; or leave the slip."""
        match self.state.step:
            case PinStep.TYPING if not self._entry.complete or self._pace.is_burst:
                # A barcode, or a part of it or of a longer password, is no PIN.
                key = "pin.burst" if self._entry.complete else "pin.four"
                self._empty()
                self.flash(self.face.text(key))
            case PinStep.TYPING:
                self._give(self._entry.moved())
            case PinStep.ON_READER:
                self._give(None)
            case PinStep.OVERRIDE if self.state.word == OVERRIDE_WORD:
                self._override = True
                self._may_type()
            case PinStep.OVERRIDE:
                self.flash(self.face.text("pin.last.word", word=OVERRIDE_WORD))
            case PinStep.LOCKED:
                self.do_back()
            case PinStep.SENT:
                pass  # A second press of the keypad's Enter finds nothing to send.
        if self.is_mounted:
            self.repaint()

    def _give(self, entry: PinEntry | None) -> None:
        self.state.step, self.state.wrong = PinStep.SENT, False
        self._ask.give(PinGiven(entry, allow_last_try=self._override))

    def do_back(self) -> None:
        """Give up: nothing was sent."""
        self._awaited = True
        self._give_up()

    def _give_up(self) -> None:
        code = Code.PIN_BLOCKED if self.state.step is PinStep.LOCKED else Code.PIN_NEEDED
        self._end(Stopped(code))

    def do_export(self) -> None:
        """Write the slip to a file."""
        services = self.host.services
        if services is None:
            return
        text = "\n".join([*slip_text(self.face), ""])
        self.host.background(
            lambda: services.counter.export_slip(text), self._exported, self._export_failed
        )

    def _exported(self, path: Path) -> None:
        self.flash(self.face.text("card.exported", path=path.name))

    def _export_failed(self, code: Code) -> None:
        self.flash(f"{self.face.code(code).say} {code.value}")
