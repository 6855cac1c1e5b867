"""What is known of the readers, and the watch over the thread that finds it out.

The thread (`Looker`) blocks inside PC/SC, where it may hang. Nobody who asks here ever does: a
looker that shows no sign of life is given up and replaced, a few times at most.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from mykey_tui.card.connection import ReaderChanged, ReaderEvent, ReaderHealth, ReaderState
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ReaderError, TransmissionError
from mykey_tui.domain.text import safe
from mykey_tui.reader.looker import BACK_OFF_SECONDS, LOOK_SECONDS, Looker
from mykey_tui.reader.slots import Slots
from mykey_tui.reader.winscard import SECURITY_VIOLATION, SERVICE_STOPPED, WinScard

BEAT_LATE_SECONDS = LOOK_SECONDS + 3.0
"""A looker that showed no sign of life for so long hangs."""
FIRST_LOOK_SECONDS = 1.0
"""How long a caller in a hurry waits for the first look; a service that is there takes 5 ms."""
OUT_MAX = 3
"""Lookers that hang at once. While so many do, the service hangs, and another would too."""
END_SECONDS = 0.5
_SERVED = frozenset({ReaderState.READY, ReaderState.HUNG, ReaderState.NO_READER})


class Watch:
    """The board that a looker writes to, and what the card thread reads from it."""

    def __init__(self, service: WinScard, wanted: str) -> None:
        self._service = service
        self._wanted = wanted
        self._changed = threading.Condition()
        self._slots = Slots()
        self._told: ReaderChanged | None = None
        self._stuck: set[str] = set()
        self._looked = False
        self._interrupted = False
        self._looker: Looker | None = None
        self._out: list[Looker] = []
        self._replace_at = 0.0
        self._health = ReaderHealth(alive=False)

    # The card thread's side ------------------------------------------------------------------

    def next_event(self, timeout_seconds: float) -> ReaderEvent | None:
        """See `CardReader.wait`."""
        begun = time.monotonic()
        with self._changed:
            while True:
                self._mind_the_looker()
                event = self._slots.next_event()
                if event is not None:
                    return event
                seconds = timeout_seconds
                if not self._looked:
                    seconds = max(seconds, FIRST_LOOK_SECONDS)
                remaining = begun + seconds - time.monotonic()
                if self._interrupted or remaining <= 0:
                    self._interrupted = False
                    return None
                self._changed.wait(min(remaining, self._until_late()))

    def interrupt(self) -> None:
        """See `CardReader.interrupt`."""
        with self._changed:
            self._interrupted = True
            self._changed.notify_all()

    def place_of_card(self) -> tuple[str, int]:
        """The reader whose card was laid last, and the mark of that card.

        Raises:
            ReaderError, TransmissionError: there is none; as `CardReader.session`.
        """
        with self._changed:
            self._mind_the_looker()
            self._changed.wait_for(lambda: self._looked, FIRST_LOOK_SECONDS)
            state = self._told.state if self._told is not None else ReaderState.NO_SERVICE
            if state is ReaderState.DENIED:
                raise ReaderError(Code.READER_DENIED)
            if state in (ReaderState.NO_SERVICE, ReaderState.STARTING):
                raise ReaderError(Code.READER_NO_SERVICE)
            if not self._slots.names:
                raise ReaderError(Code.READER_NONE)
            name = self._slots.newest
            mark = None if name is None else self._slots.card_mark(name)
            if name is None or mark is None:
                raise TransmissionError("no card on the reader", removed=True)
            return name, mark

    def is_card_gone(self, name: str, mark: int, seconds: float) -> bool:
        """Whether this card leaves within so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._slots.card_mark(name) != mark, seconds)

    def doubt_service(self) -> None:
        """A session found the service dead: the looker may not know it yet."""
        with self._changed:
            looker = self._looker
            self._looked = False
        if looker is not None:
            looker.doubt()

    def reader_hangs(self, name: str) -> None:
        """A call to this reader was given up; where no other reader is left, the screen says so."""
        with self._changed:
            self._stuck.add(name)
            self._tell_readers()
            self._changed.notify_all()

    def reader_is_back(self, name: str) -> None:
        """That call came back. From any thread."""
        with self._changed:
            self._stuck.discard(name)
            self._tell_readers()
            self._changed.notify_all()

    @property
    def health(self) -> ReaderHealth:
        """How the watching goes; what sessions count is not in it. From any thread."""
        with self._changed:
            looker = self._looker
            beat = None if looker is None else time.monotonic() - looker.beat_at
            return replace(
                self._health,
                alive=looker is not None and looker.has_answer and not self._is_lost(looker),
                beat_seconds=beat,
                readers=tuple(safe(name) for name in self._slots.names),
                still_out=sum(looker.is_alive for looker in self._out),
            )

    def close(self) -> None:
        """End the thread. May be called twice; the next question starts another."""
        with self._changed:
            looker, self._looker = self._looker, None
            self._slots, self._told, self._looked = Slots(), None, False
        if looker is None:
            return
        looker.end(END_SECONDS)
        if looker.is_alive:
            with self._changed:
                self._out.append(looker)

    # The looker's side; see `looker.Board` ---------------------------------------------------

    def readers_are(self, looker: Looker, names: Sequence[str]) -> Sequence[tuple[str, int]]:
        """See `Board`."""
        with self._changed:
            if looker is not self._looker:
                return []
            lost = self._slots.keep(names)
            if lost:
                self._count(reader_lost=lost)
            if not names:
                self._tell(ReaderState.NO_READER)
                self._looked = True
            self._changed.notify_all()
            return self._slots.known_states()

    def states_are(self, looker: Looker, states: Sequence[tuple[str, int, bytes]]) -> bool:
        """See `Board`."""
        with self._changed:
            if looker is not self._looker:
                return False
            news = [self._slots.update(*status) for status in states]
            self._tell_readers()
            if any(news) or not self._looked or self._slots.has_event:
                self._looked = True
                self._changed.notify_all()
            return any(news)

    def service_is_gone(self, looker: Looker, number: int) -> None:
        """See `Board`."""
        with self._changed:
            if looker is self._looker:
                self._lose_service(number)

    def context_died(self, looker: Looker) -> None:
        """See `Board`. What lies there afterwards arrives `again`: nobody can say more of it."""
        with self._changed:
            if looker is self._looker:
                self._count(context_renewed=1)
                self._slots.lose_sight()
                self._looked = False
                self._changed.notify_all()

    # Inside; the lock is held ----------------------------------------------------------------

    def _mind_the_looker(self) -> None:
        """Start the looker, and another in its place where it hangs or is dead."""
        looker, now = self._looker, time.monotonic()
        if looker is None:
            self._looker = Looker(self._service, self._wanted, self)
            return
        if not self._is_lost(looker):
            return
        self._lose_service(SERVICE_STOPPED)
        self._out = [other for other in self._out if other.is_alive]
        if now < self._replace_at or len(self._out) >= OUT_MAX:
            return
        self._replace_at = now + BACK_OFF_SECONDS
        if looker.is_alive:
            looker.give_up()
            self._out.append(looker)
        self._count(watcher_replaced=1)
        self._looker = Looker(self._service, self._wanted, self)

    def _is_lost(self, looker: Looker) -> bool:
        """Whether it hangs or is dead."""
        return not looker.is_alive or time.monotonic() - looker.beat_at > BEAT_LATE_SECONDS

    def _until_late(self) -> float:
        """Seconds until the looker must have shown a sign of life."""
        if self._looker is None:
            return BACK_OFF_SECONDS
        late = self._looker.beat_at + BEAT_LATE_SECONDS - time.monotonic()
        return max(late, BACK_OFF_SECONDS)

    def _lose_service(self, number: int) -> None:
        self._slots.lose_sight()
        if self._told is not None and self._told.state in _SERVED:
            self._count(service_lost=1)
        denied = number == SECURITY_VIOLATION
        self._tell(ReaderState.DENIED if denied else ReaderState.NO_SERVICE)
        self._looked = True
        self._changed.notify_all()

    def _tell_readers(self) -> None:
        names = self._slots.names
        free = [name for name in names if name not in self._stuck]
        if free:
            self._tell(ReaderState.READY, free[0])
        elif names:
            self._tell(ReaderState.HUNG, names[0])

    def _tell(self, state: ReaderState, reader: str = "") -> None:
        """Report the readers' state if it is news."""
        event = ReaderChanged(state, safe(reader))
        if event != self._told:
            self._told = event
            self._slots.tell(event)

    def _count(self, **more: int) -> None:
        for name, count in more.items():
            self._health = replace(self._health, **{name: getattr(self._health, name) + count})
