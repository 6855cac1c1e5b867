"""The use cases of a counter whose store is not open yet: a card that is laid early waits for it."""

from __future__ import annotations

import threading

from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import ServiceId
from mykey_tui.flows.desk import DeskFlows
from mykey_tui.flows.outcomes import (
    CardDetailOutcome,
    IdentifiedCard,
    LinkOutcome,
    LookupOutcome,
    ServiceCardOutcome,
    Stopped,
)
from mykey_tui.flows.pin_entry import PinGiven

WAIT_SECONDS_MAX = 20.0
"""A store is open in a quarter of a second; on a slow box, or with rows to migrate, in some."""


class LateVisits:
    """See `flows.desk.DeskFlows`. Every call waits, at most `wait_seconds`, for what will do it.

    Until then nothing can be done with a card: which cards count, and which clock, is in the store.
    """

    def __init__(self, wait_seconds: float = WAIT_SECONDS_MAX) -> None:
        self._wait_seconds = wait_seconds
        self._known = threading.Event()
        self._there: DeskFlows | Code = Code.STORE_BUSY

    def arrive(self, visits: DeskFlows) -> None:
        """From now on these do the work."""
        self._there = visits
        self._known.set()

    def fail(self, code: Code) -> None:
        """They could not be made: this is why, for every card until `again`."""
        self._there = code
        self._known.set()

    def again(self) -> None:
        """They are being made once more."""
        self._known.clear()
        self._there = Code.STORE_BUSY

    def lookup(self, *, handover: bool) -> LookupOutcome:
        """Whose card lies there at this provider."""
        visits = self._visits()
        return visits if isinstance(visits, Stopped) else visits.lookup(handover=handover)

    def lookup_with_pin(self, card: IdentifiedCard, given: PinGiven) -> LookupOutcome:
        """The rest of a look-up that wanted the PIN."""
        visits = self._visits()
        return visits if isinstance(visits, Stopped) else visits.lookup_with_pin(card, given)

    def confirm(self, card: IdentifiedCard) -> LookupOutcome:
        """The rest of a look-up in old rows, which a clerk has confirmed."""
        visits = self._visits()
        return visits if isinstance(visits, Stopped) else visits.confirm(card)

    def service_card(self) -> ServiceCardOutcome:
        """The number of the point card that lies there."""
        visits = self._visits()
        return visits if isinstance(visits, Stopped) else visits.service_card()

    def check_link(self, card: IdentifiedCard, service_id: ServiceId) -> Stopped | None:
        """What already speaks against a link, without any card."""
        visits = self._visits()
        return visits if isinstance(visits, Stopped) else visits.check_link(card, service_id)

    def link(
        self, card: IdentifiedCard, service_id: ServiceId, given: PinGiven | None = None
    ) -> LinkOutcome:
        """Read again, compare, store."""
        visits = self._visits()
        return visits if isinstance(visits, Stopped) else visits.link(card, service_id, given)

    def unlink(self, card: IdentifiedCard, given: PinGiven | None = None) -> LinkOutcome:
        """Read again, compare, take away."""
        visits = self._visits()
        return visits if isinstance(visits, Stopped) else visits.unlink(card, given)

    def show(self) -> CardDetailOutcome:
        """What the card's certificate says."""
        visits = self._visits()
        return visits if isinstance(visits, Stopped) else visits.show()

    def _visits(self) -> DeskFlows | Stopped:
        self._known.wait(self._wait_seconds)
        there = self._there
        return Stopped(there) if isinstance(there, Code) else there
