"""What lies on the PC/SC readers, worked out from the states that the service reports.

No PC/SC here: states come in as numbers, events go out. The high 16 bits of a state count
insertions and removals, so a card that was swapped between two looks is noticed too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from mykey_tui.card.connection import CardArrived, CardLeft, ReaderEvent
from mykey_tui.domain.text import safe

UNAWARE = 0x0000
CHANGED = 0x0002
EMPTY = 0x0010
PRESENT = 0x0020
MUTE = 0x0200
_COUNTER_SHIFT = 16
_COUNTER_MASK = 0xFFFF
_SWAP_COUNT = 2
"""One removal and one insertion."""


@dataclass(slots=True)
class _Slot:
    state: int = UNAWARE
    atr: bytes = b""
    card_lies: bool = False
    reported: bool = False
    """Whether the arrival of the card that lies there was handed out."""
    again: bool = False
    """Whether the card that lies there was seen here before the readers were lost from sight."""
    arrivals: int = 0
    """How many cards were laid here."""


class Slots:
    """The readers by name, the cards on them, and the events that nobody fetched yet.

    Two cards at once: the newest counts, and of two that arrive together one is reported. The
    other follows when that one is taken away.
    """

    def __init__(self) -> None:
        self._slots: dict[str, _Slot] = {}
        self._events: deque[ReaderEvent] = deque()
        self._had_card: set[str] = set()
        """Readers not looked at since they were lost from sight with a card that was reported."""
        self.newest: str | None = None
        """The reader whose card was laid last."""

    @property
    def names(self) -> Sequence[str]:
        """The readers, as the service spells them."""
        return tuple(self._slots)

    @property
    def has_event(self) -> bool:
        """Whether `next_event` has something."""
        return bool(self._events)

    def card_mark(self, name: str) -> int | None:
        """Tells the card that lies there from every other one before and after; None without."""
        slot = self._slots.get(name)
        return slot.arrivals if slot is not None and slot.card_lies else None

    def known_states(self) -> list[tuple[str, int]]:
        """What to compare with at the next look."""
        return [(name, slot.state) for name, slot in self._slots.items()]

    def next_event(self) -> ReaderEvent | None:
        """Hand out one event, the oldest first."""
        if not self._events:
            return None
        event = self._events.popleft()
        if isinstance(event, CardArrived) and self.newest is not None:
            self._slots[self.newest].reported = True
        return event

    def tell(self, event: ReaderEvent) -> None:
        """Put an event of the driver's own behind the others."""
        self._events.append(event)

    def keep(self, names: Sequence[str]) -> int:
        """The readers that exist now; cards on those that vanished have left. How many vanished."""
        vanished = [name for name in self.names if name not in names]
        for name in vanished:
            self._card_left(name)
            del self._slots[name]
        for name in names:
            self._slots.setdefault(name, _Slot())
        return len(vanished)

    def lose_sight(self) -> None:
        """The service or the watch over it is lost: the readers are forgotten, and were not moved.

        A card that lies on one of them at its first look afterwards arrives `again`.
        """
        self._had_card.update(
            name
            for name, slot in self._slots.items()
            if slot.card_lies and (slot.reported or slot.again)
        )
        self.keep([])

    def update(self, name: str, state: int, atr: bytes) -> bool:
        """Take in the state of one reader, as the service reported it. Whether it is news."""
        slot = self._slots.get(name)
        if slot is None:
            return False
        news = slot.state != state & ~CHANGED
        passed = (state >> _COUNTER_SHIFT) - (slot.state >> _COUNTER_SHIFT) & _COUNTER_MASK
        present = bool(state & PRESENT)
        slot.state = state & ~CHANGED
        if slot.card_lies and (not present or passed >= _SWAP_COUNT):
            self._card_left(name)
        if present and not slot.card_lies:
            slot.atr = b"" if state & MUTE else atr
            slot.card_lies = True
            slot.arrivals += 1
            slot.again = name in self._had_card
            self._card_arrived(name)
        if state & (PRESENT | EMPTY):  # A reader that is only just coming up says neither.
            self._had_card.discard(name)
        return news

    def _card_arrived(self, name: str) -> None:
        # An arrival that nobody fetched is overtaken by this one.
        self._events = deque(e for e in self._events if not isinstance(e, CardArrived))
        self.newest = name
        slot = self._slots[name]
        self._events.append(CardArrived(safe(name), slot.atr, slot.again))

    def _card_left(self, name: str) -> None:
        slot = self._slots[name]
        if not slot.card_lies:
            return
        if slot.reported:
            self._events.append(CardLeft(safe(name)))
        slot.card_lies = slot.reported = False
        if self.newest != name:
            return
        self._events = deque(e for e in self._events if not isinstance(e, CardArrived))
        self.newest = next((n for n, other in self._slots.items() if other.card_lies), None)
        if self.newest is not None and not self._slots[self.newest].reported:
            self._card_arrived(self.newest)
