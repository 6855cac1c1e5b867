"""The last happenings at reader and system, as kinds without persons, for the evidence sheet.

Kept in memory alone, with ages instead of times of day. What a card was answered is not kept: it
would be about a person. Only that it was laid, taken, or could not be read, and why.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, unique

from mykey_tui.card.connection import ReaderState
from mykey_tui.domain.clock import Clock
from mykey_tui.domain.codes import Code
from mykey_tui.flows.desk_events import (
    CardForgotten,
    CardShown,
    CardTaken,
    DeskEvent,
    LinkFinished,
    LookedUp,
    ReaderIs,
    ReadingStarted,
    ServiceCardSeen,
    TapDone,
)
from mykey_tui.flows.outcomes import Found, LineState, Stopped

HAPPENINGS_KEPT = 50
READINGS_KEPT = 50
_PART_OF_THE_CARD = "card"
"""As `flows.identify` calls it in the timings of a visit."""


@unique
class Kind(Enum):
    """What may be written down; there is nothing else. The value is what the sheet says."""

    STARTED = "program started"
    READER = "reader"
    CARD_LAID = "card laid"
    CARD_TAKEN = "card taken"
    CARD_LEFT_LYING = "card left lying"
    CARD_FAILED = "card not read"
    LINE = "line"


@dataclass(frozen=True, slots=True)
class Happening:
    """One of them: how long ago, what, and its state or code where it has one."""

    seconds_ago: float
    kind: Kind
    word: str = ""


OF_THE_READER = frozenset(
    {
        Code.CARD_REMOVED,
        Code.CARD_UNREADABLE,
        Code.CARD_MUTE,
        Code.CARD_SLOW,
        Code.CERTIFICATE_MALFORMED,
    }
)
"""Failures of reading; every other answer to a card is about its owner and is not kept."""
_READER_CODES = ("D-",)


class HappeningBook:
    """A ring of the last `HAPPENINGS_KEPT`. Any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: deque[tuple[float, Kind, str]] = deque(maxlen=HAPPENINGS_KEPT)
        self._readings: deque[float] = deque(maxlen=READINGS_KEPT)
        self._line: tuple[LineState, Code | None] | None = None
        self.note(Kind.STARTED)

    def note(self, kind: Kind, word: ReaderState | LineState | Code | None = None) -> None:
        """Write one down. `word` is from a closed list, so no text of a card or person fits in."""
        with self._lock:
            text = "" if word is None else word.value
            self._kept.append((self._clock.monotonic(), kind, text))

    def note_desk(self, event: DeskEvent) -> None:
        """Write down what the card desk tells, as far as it is about the reader."""
        match event:
            case ReaderIs(state):
                self.note(Kind.READER, state)
            case ReadingStarted():
                self.note(Kind.CARD_LAID)
            case CardTaken():
                self.note(Kind.CARD_TAKEN)
            case CardForgotten():
                self.note(Kind.CARD_LEFT_LYING)
            case TapDone(tap):
                self._note_failure(tap.code)
            case LookedUp(Found(milliseconds=parts)):
                self._note_reading(parts)
            case LookedUp(outcome) | ServiceCardSeen(outcome) | LinkFinished(outcome):
                self._note_failure(outcome.code if isinstance(outcome, Stopped) else None)
            case CardShown(outcome):
                self._note_failure(outcome.code if isinstance(outcome, Stopped) else None)
            case _:
                pass  # That a card is wanted says nothing of any machine.

    def note_line(self, state: LineState, code: Code | None) -> None:
        """Write down how the line is, when that is news."""
        if (state, code) == self._line:
            return
        self._line = (state, code)
        self.note(Kind.LINE, state if code is None else code)

    def happenings(self) -> Sequence[Happening]:
        """What was kept, oldest first."""
        with self._lock:
            now = self._clock.monotonic()
            return [Happening(max(0.0, now - at), kind, word) for at, kind, word in self._kept]

    def readings(self) -> Sequence[float]:
        """How long the last good readings of a card took, ms, without any age of theirs."""
        with self._lock:
            return tuple(self._readings)

    def _note_reading(self, parts: Mapping[str, float]) -> None:
        if _PART_OF_THE_CARD in parts:
            with self._lock:
                self._readings.append(parts[_PART_OF_THE_CARD])

    def _note_failure(self, code: Code | None) -> None:
        if code is not None and (code in OF_THE_READER or code.value.startswith(_READER_CODES)):
            self.note(Kind.CARD_FAILED, code)
