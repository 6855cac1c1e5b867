"""The two seams to the world of cards, owned by the side that needs them.

Every driver in `mykey_tui.reader` has these shapes, the emulated reader as much as PC/SC.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum, unique
from typing import Protocol, TypeAlias


class CardConnection(Protocol):
    """A card that lies on a reader, inside one transaction."""

    @property
    def atr(self) -> bytes:
        """Answer to reset; for telling storage cards apart, never for recognising a My Number Card."""
        ...

    def transmit(self, command: bytes) -> bytes:
        """Send one command, return the data and the two status bytes.

        Raises:
            TransmissionError: the card did not answer.
            ForbiddenApduError: the command is outside the allow-list; nothing was sent.
        """
        ...


@unique
class ReaderState(Enum):
    """What the status line says of the reader."""

    STARTING = "starting"
    READY = "ready"
    NO_READER = "no-reader"
    NO_SERVICE = "no-service"
    DENIED = "denied"
    HUNG = "hung"
    """Every reader there is holds a call that has not come back; a card may lie there or not."""


@dataclass(frozen=True, slots=True)
class CardArrived:
    """A card was laid down, or lay there already when watching began."""

    reader: str
    atr: bytes
    again: bool = False
    """A card that was reported lay on this reader when the service or the watch over it was lost,
    and one lies there at the first look since: the same lay, unless somebody exchanged the card."""


@dataclass(frozen=True, slots=True)
class CardLeft:
    """The card was taken away."""

    reader: str


@dataclass(frozen=True, slots=True)
class ReaderChanged:
    """A reader came or went, or the service behind it did. `reader` is empty where there is none."""

    state: ReaderState
    reader: str


ReaderEvent: TypeAlias = CardArrived | CardLeft | ReaderChanged


@dataclass(frozen=True, slots=True)
class ReaderHealth:
    """How watching the readers has gone since the program started.

    Counts and ages only: no time of day, nothing of a card. Safe to show and to export.
    """

    alive: bool
    """Whether the watcher lives; False until the service has answered it, whatever it said."""
    beat_seconds: float | None = None
    """Since the watcher's last sign of life; None while it has given none."""
    readers: tuple[str, ...] = ()
    """The readers that are watched, their names cleaned for the screen."""
    service_lost: int = 0
    """How often the PC/SC service went away."""
    reader_lost: int = 0
    """How often a reader vanished while the service was there."""
    context_renewed: int = 0
    """How often the way to the service was dead and had to be made anew."""
    watcher_replaced: int = 0
    """How often the watcher hung or died, and another took its place."""
    worker_given_up: int = 0
    """How often a card's thread was given up because the reader did not answer in time."""
    still_out: int = 0
    """Threads that were given up and whose call has not come back yet."""


class CardReader(Protocol):
    """A place where cards are laid. Used by one thread alone, but for `interrupt`."""

    simulated: bool
    """True where no plastic is involved; the screen then says SIMULATED."""

    def wait(self, timeout_seconds: float) -> ReaderEvent | None:
        """Block until something happens, at most `timeout_seconds`; None when nothing did.

        Never raises for a reader or service that is gone: that is a `ReaderChanged`, and the
        driver goes on trying, at its own pace. A card already present is reported first.
        """
        ...

    def session(self) -> AbstractContextManager[CardConnection]:
        """Connect to the card that lies there and hold a transaction.

        After a PIN was sent the card is reset at the end, so that nobody signs after us.

        Raises (on entering):
            ReaderError: no reader, no service, or somebody holds the reader exclusively.
            TransmissionError: no card, or one that does not answer.
        """
        ...

    def interrupt(self) -> None:
        """Make a blocked `wait` return None soon. From any thread, any number of times."""
        ...

    def health(self) -> ReaderHealth:
        """How the watching goes. From any thread; returns at once."""
        ...

    def close(self) -> None:
        """Let go of everything; called by the thread that used it."""
        ...
