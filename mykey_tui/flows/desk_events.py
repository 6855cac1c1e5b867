"""What the card desk tells the screens, one value per happening. Light: imported before the first paint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from mykey_tui.card.connection import ReaderState
from mykey_tui.flows.outcomes import (
    CardDetailOutcome,
    LinkOutcome,
    LookupOutcome,
    ServiceCardOutcome,
)
from mykey_tui.flows.soak import Tap


@dataclass(frozen=True, slots=True)
class ReadingStarted:
    """A card is being read: leave it there."""


@dataclass(frozen=True, slots=True)
class LookedUp:
    """A card laid at the reception was dealt with, hand-over included."""

    outcome: LookupOutcome


@dataclass(frozen=True, slots=True)
class ServiceCardSeen:
    """A card was laid while step 2 waited for a service card."""

    outcome: ServiceCardOutcome


@dataclass(frozen=True, slots=True)
class CardWanted:
    """The resident's card must be laid (again) for what was asked: to compare, or to show."""


@dataclass(frozen=True, slots=True)
class LinkFinished:
    """Step 3 ended: stored, or not and why."""

    outcome: LinkOutcome


@dataclass(frozen=True, slots=True)
class CardShown:
    """The card view's content, or why there is none."""

    outcome: CardDetailOutcome


@dataclass(frozen=True, slots=True)
class TapDone:
    """A card of the 100-taps test was read, or was not."""

    tap: Tap


@dataclass(frozen=True, slots=True)
class CardTaken:
    """The reader is free again."""


@dataclass(frozen=True, slots=True)
class CardForgotten:
    """The card has lain there for `FORGOTTEN_AFTER_SECONDS` since its answer: ask it back."""


@dataclass(frozen=True, slots=True)
class ReaderIs:
    """The reader's state changed."""

    state: ReaderState
    reader: str


@dataclass(frozen=True, slots=True)
class Scanned:
    """A scanner that is no keyboard read a code."""

    text: str


@dataclass(frozen=True, slots=True)
class ScannerIs:
    """The scanner that this counter is set up with came or went."""

    present: bool


ScannerEvent: TypeAlias = Scanned | ScannerIs

DeskEvent: TypeAlias = (
    ReadingStarted
    | LookedUp
    | ServiceCardSeen
    | CardWanted
    | LinkFinished
    | CardShown
    | TapDone
    | CardTaken
    | CardForgotten
    | ReaderIs
)

CounterEvent: TypeAlias = DeskEvent | ScannerEvent
"""All that reaches the screen from outside it, but the counter's status."""

FORGOTTEN_AFTER_SECONDS = 5.0
READING_DEADLINE_SECONDS = 8.0
"""After this the screen says C-SLOW by itself: a hung card cannot be timed out from inside."""
