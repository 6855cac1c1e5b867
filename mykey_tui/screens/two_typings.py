"""A number typed by hand counts when it was typed twice alike: member numbers have no check digit."""

from __future__ import annotations

from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import ServiceId
from mykey_tui.flows.outcomes import ServiceCardOutcome, ServiceCardRead, Stopped


class TwoTypings:
    """Remembers the first typing until the second."""

    def __init__(self) -> None:
        self._first: ServiceId | None = None

    @property
    def has_first(self) -> bool:
        """Whether one good typing is there."""
        return self._first is not None

    def forget(self) -> None:
        """Begin again."""
        self._first = None

    def take(self, outcome: ServiceCardOutcome) -> ServiceCardOutcome | None:
        """None after a good first typing; else the number, or why there is none.

        A typing of the wrong form changes nothing; two that differ begin again (S-DIFF).
        """
        if isinstance(outcome, Stopped):
            return outcome
        if self._first is None:
            self._first = outcome.service_id
            return None
        first, self._first = self._first, None
        if first == outcome.service_id:
            return ServiceCardRead(first)
        return Stopped(Code.SERVICE_ID_TYPED_DIFFERENTLY)
