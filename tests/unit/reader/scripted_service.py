"""A PC/SC service that does what a test says: for what the virtual reader of pcscd cannot show.

Stands where pyscard stands (`WinScard`), so the whole driver runs over it: readers come, go and
change their names, calls hang, contexts die with and without a word. The cards are the emulated
ones. Modelled on pcsc-lite 1.9.9 as measured: a context of a service that was restarted is dead for
ever; a blocked look ends when the service does; while a command hangs in a reader, connecting to
that reader hangs as well.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mykey_tui.reader import winscard as pcsc
from mykey_tui.reader.card_file import CardFile
from mykey_tui.reader.emulated_card import CardPulledError, EmulatedCard
from mykey_tui.reader.slots import CHANGED, MUTE, PRESENT

EMPTY, UNKNOWN, UNAVAILABLE = 0x0010, 0x0004, 0x0008
PROTOCOL_T1 = 2
HANG_SECONDS_MAX = 20.0
"""A test that forgot to let a call go must end all the same."""


@dataclass
class _Place:
    """One reader."""

    card: EmulatedCard | None = None
    count: int = 0
    exclusive: bool = False
    foreign_transaction: bool = False
    talking: int = 0

    @property
    def state(self) -> int:
        if self.card is None:
            return self.count << 16 | EMPTY
        return self.count << 16 | PRESENT | (MUTE if self.card.is_mute else 0)


@dataclass
class _Context:
    generation: int
    dead: bool = False
    deaf: bool = False
    heard: list[str] = field(default_factory=list)
    """What a deaf context still believes to be the readers."""
    cancelled: bool = False
    last_word: bool = False


UNSUPPORTED_FEATURE = 0x8010001F


@dataclass
class _Handle:
    reader: str
    card: EmulatedCard
    pulled: bool = False


class ScriptedService:
    """See `WinScard` for the calls; the rest are the test's hands. All may be used from any thread."""

    def __init__(self, *readers: str, plug_and_play: bool = True) -> None:
        self._changed = threading.Condition()
        self._places = {name: _Place() for name in readers}
        self._generation: int | None = 1
        self._last_generation = 1
        self._plug_and_play = plug_and_play
        self._contexts: dict[int, _Context] = {}
        self._handles: dict[int, _Handle] = {}
        self._numbers = iter(range(1, 1_000_000))
        self._hangs: dict[str, int] = {}
        self._hung = 0
        self.denied = False
        self.fingers: Callable[[], bytes] | None = None
        """What a resident types on the reader's own keys, or the reader's two-byte word; None for
        a reader without any."""
        self._last_answer = b""
        self.endings: list[int] = []
        self.on_call: Callable[[str], None] = lambda name: None
        """Sees each call before it is answered; may raise, as a broken binding would."""

    # The test's hands ------------------------------------------------------------------------

    def stop(self) -> None:
        """The service goes; what blocks in it comes back."""
        with self._changed:
            self._generation = None
            self._changed.notify_all()

    def start(self) -> None:
        """Another service, which knows no context and no count of the one before."""
        with self._changed:
            self._last_generation += 1
            self._generation = self._last_generation
            for place in self._places.values():
                place.count = 0
            self._changed.notify_all()

    def plug(self, name: str, card: CardFile | None = None) -> None:
        """A reader comes, with a card on it or without."""
        with self._changed:
            self._places[name] = _Place(card=None if card is None else EmulatedCard(card))
            self._changed.notify_all()

    def unplug(self, name: str) -> None:
        """A reader goes, and its card with it."""
        with self._changed:
            self._pull(name)
            del self._places[name]
            self._changed.notify_all()

    def lay(self, name: str, card: CardFile) -> None:
        """A card; one that lies there is swapped faster than anybody looks."""
        with self._changed:
            place = self._places[name]
            place.count += 2 if place.card is not None else 1
            self._pull(name)
            place.card = EmulatedCard(card)
            self._changed.notify_all()

    def take(self, name: str) -> None:
        """Take the card away."""
        with self._changed:
            self._pull(name)
            self._places[name].count += 1
            self._changed.notify_all()

    def hold(self, name: str, *, exclusive: bool) -> None:
        """Another program takes the reader for itself, or begins a transaction."""
        with self._changed:
            self._places[name].exclusive = exclusive
            self._places[name].foreign_transaction = not exclusive

    def let_go(self, name: str) -> None:
        """The other program is done."""
        with self._changed:
            self._places[name].exclusive = self._places[name].foreign_transaction = False
            self._changed.notify_all()

    def hang(self, call: str, *, times: int = 1) -> None:
        """The next `times` calls of this name do not come back until `come_back`."""
        with self._changed:
            self._hangs[call] = times

    def come_back(self) -> None:
        """Whatever hangs comes back, and nothing hangs any more."""
        with self._changed:
            self._hangs.clear()
            self._changed.notify_all()

    def kill_contexts(self) -> None:
        """All contexts die, while the service lives; whoever looks is told TIMEOUT first."""
        with self._changed:
            for context in self._contexts.values():
                context.dead = True
            self._changed.notify_all()

    def kill_contexts_after_the_first_word(self) -> None:
        """Each context still answers the call that it is in, and is dead for the next."""
        with self._changed:
            for context in self._contexts.values():
                context.last_word = True

    def deafen_contexts(self) -> None:
        """All contexts go on saying yes, and never hear of anything again."""
        with self._changed:
            for context in self._contexts.values():
                context.deaf, context.heard = True, list(self._places)

    @property
    def names(self) -> tuple[str, ...]:
        """The readers there are."""
        with self._changed:
            return tuple(self._places)

    @property
    def hung(self) -> int:
        """How many calls hang now."""
        with self._changed:
            return self._hung

    @property
    def held(self) -> tuple[int, int]:
        """How many contexts and handles nobody has let go of."""
        with self._changed:
            return len(self._contexts), len(self._handles)

    # What the driver calls -------------------------------------------------------------------

    def establish(self) -> tuple[int, int]:
        with self._changed:
            self._enter("establish")
            if self.denied:
                return pcsc.SECURITY_VIOLATION, 0
            if self._generation is None:
                return pcsc.NO_SERVICE, 0
            number = next(self._numbers)
            self._contexts[number] = _Context(self._generation)
            return pcsc.OK, number

    def release(self, context: int) -> None:
        with self._changed:
            self._enter("release")
            self._contexts.pop(context, None)

    def cancel(self, context: int) -> None:
        with self._changed:
            self._enter("cancel")
            if context in self._contexts:
                self._contexts[context].cancelled = True
                self._changed.notify_all()

    def readers(self, context: int) -> tuple[int, Sequence[str]]:
        with self._changed:
            self._enter("readers")
            number = self._trouble(context)
            if number != pcsc.OK:
                return number, []
            known = self._contexts[context]
            names = known.heard if known.deaf else list(self._places)
            return (pcsc.OK, names) if names else (pcsc.NO_READERS, [])

    def changes(
        self, context: int, milliseconds: int, known: Sequence[tuple[str, int]]
    ) -> tuple[int, Sequence[tuple[str, int, bytes]]]:
        deadline = time.monotonic() + milliseconds / 1000
        with self._changed:
            self._enter("changes")
            if self._trouble(context) != pcsc.OK:
                return self._trouble(context), []
            mine = self._contexts[context]
            if not mine.deaf and any(
                name not in self._places for name, _ in known if name != pcsc.PLUG_AND_PLAY
            ):
                return pcsc.UNKNOWN_READER, []
            while True:
                if mine.generation != self._generation:
                    return pcsc.COMM_ERROR, []
                if mine.cancelled:
                    mine.cancelled = False
                    return pcsc.CANCELLED, []
                states = [] if mine.deaf else self._states(known)
                if any(state & CHANGED for _, state, _ in states):
                    return pcsc.OK, states
                remaining = deadline - time.monotonic()
                if remaining <= 0 or mine.dead:
                    return pcsc.TIMEOUT, []
                self._changed.wait(remaining)

    def connect(self, context: int, reader: str) -> tuple[int, int, int]:
        with self._changed:
            self._enter("connect")
            number = self._trouble(context)
            place = self._places.get(reader)
            if number == pcsc.OK and place is None:
                number = pcsc.UNKNOWN_READER
            if number != pcsc.OK or place is None:
                return number, 0, 0
            self._wait_while(lambda: place.talking > 0)
            if place.exclusive:
                return pcsc.SHARING_VIOLATION, 0, 0
            if place.card is None:
                return pcsc.NO_SMARTCARD, 0, 0
            if place.card.is_mute:
                return pcsc.UNRESPONSIVE_CARD, 0, 0
            number = next(self._numbers)
            self._handles[number] = _Handle(reader, place.card)
            return pcsc.OK, number, PROTOCOL_T1

    def begin(self, handle: int) -> int:
        with self._changed:
            self._enter("begin")
            place = self._places.get(self._handles[handle].reader)
            if place is None:
                return pcsc.READER_UNAVAILABLE
            self._wait_while(lambda: place.foreign_transaction)
            return pcsc.OK

    def atr(self, handle: int) -> tuple[int, bytes]:
        with self._changed:
            self._enter("atr")
            return pcsc.OK, self._handles[handle].card.atr

    def transmit(self, handle: int, protocol: int, command: bytes) -> tuple[int, bytes]:
        with self._changed:
            link = self._handles[handle]
            place = self._places.get(link.reader)
            if place is None:
                return pcsc.READER_UNAVAILABLE, b""
            place.talking += 1
            try:
                self._enter("transmit")
            finally:
                place.talking -= 1
                self._changed.notify_all()
            if self._generation is None:
                return pcsc.COMM_ERROR, b""
            if link.pulled:
                return pcsc.NOT_TRANSACTED, b""
            try:
                self._last_answer = link.card.transmit(command)
            except CardPulledError:
                self.take(link.reader)
                self._last_answer = b""
            return pcsc.OK, self._last_answer

    def control(self, handle: int, code: int, data: bytes) -> tuple[int, bytes]:
        fingers = self.fingers
        if fingers is None:
            return UNSUPPORTED_FEATURE, b""
        if not data:
            return pcsc.OK, bytes.fromhex("060442330006")
        typed = fingers()
        if len(typed) == 2:
            return pcsc.OK, typed
        return self.transmit(handle, 1, data[19:24] + typed)[0], self._last_answer

    def end(self, handle: int, disposition: int) -> None:
        with self._changed:
            self._enter("end")
            link = self._handles.pop(handle)
            self.endings.append(disposition)
            if disposition != pcsc.LEAVE_CARD:
                link.card.reset()

    # Inside; the lock is held ----------------------------------------------------------------

    def _enter(self, call: str) -> None:
        self.on_call(call)
        if self._hangs.get(call, 0) > 0:
            self._hangs[call] -= 1
            self._wait_while(lambda: call in self._hangs)

    def _wait_while(self, holds: Callable[[], bool]) -> None:
        if not holds():
            return
        generation = self._generation
        self._hung += 1
        try:
            if not self._changed.wait_for(
                lambda: not holds() or self._generation != generation, HANG_SECONDS_MAX
            ):
                raise AssertionError("a call was never let go")
        finally:
            self._hung -= 1

    def _trouble(self, context: int) -> int:
        mine = self._contexts.get(context)
        if mine is None:
            return pcsc.INVALID_HANDLE
        if mine.last_word:
            mine.dead, mine.last_word = True, False
            return pcsc.OK
        if mine.dead or mine.generation != self._generation:
            return pcsc.NO_SERVICE
        return pcsc.OK

    def _states(self, known: Sequence[tuple[str, int]]) -> list[tuple[str, int, bytes]]:
        states = []
        for name, before in known:
            if name == pcsc.PLUG_AND_PLAY:
                now, atr = (len(self._places) << 16 if self._plug_and_play else before), b""
            elif name in self._places:
                place = self._places[name]
                now, atr = place.state, place.card.atr if place.card is not None else b""
            else:
                now, atr = UNKNOWN | UNAVAILABLE, b""
            states.append((name, now | (CHANGED if now != before else 0), atr))
        return states

    def _pull(self, name: str) -> None:
        place = self._places[name]
        for link in self._handles.values():
            if link.card is place.card:
                link.pulled = True
        if place.card is not None:
            place.card.take_away()
            place.card = None
