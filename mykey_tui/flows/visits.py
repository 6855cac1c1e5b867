"""The use cases that need the card, over one reader: what the desk runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from mykey_tui.card.blocks import NumberPlace
from mykey_tui.card.connection import CardReader
from mykey_tui.domain.assurance import PinPolicy
from mykey_tui.domain.clock import Clock
from mykey_tui.domain.ids import ServiceId
from mykey_tui.flows.card_detail import CardDetailFlow
from mykey_tui.flows.identify import CertificateJudge
from mykey_tui.flows.link import Courier, LinkFlow
from mykey_tui.flows.lookup import LookupFlow
from mykey_tui.flows.outcomes import (
    CardDetailOutcome,
    IdentifiedCard,
    LinkOutcome,
    LookupOutcome,
    ServiceCardOutcome,
    Stopped,
)
from mykey_tui.flows.pin_entry import PinGiven
from mykey_tui.flows.service_card import read_service_card
from mykey_tui.flows.spot_check import SpotCheck
from mykey_tui.flows.timings import Timings
from mykey_tui.handover.port import HandOverAdapter
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.municipalities import municipality_name


@dataclass(frozen=True, slots=True)
class Visits:
    """See `flows.desk.DeskFlows`."""

    reader: CardReader
    judge: CertificateJudge
    store: CounterStore
    handover: HandOverAdapter | None
    courier: Courier
    clock: Clock
    pin: PinPolicy = PinPolicy.NEVER
    number_place: NumberPlace | None = None
    spot_check: SpotCheck | None = None

    def lookup(self, *, handover: bool) -> LookupOutcome:
        """Whose card lies there at this provider."""
        return self._looking_up().run(handover=handover)

    def lookup_with_pin(self, card: IdentifiedCard, given: PinGiven) -> LookupOutcome:
        """The rest of a look-up that wanted the PIN."""
        return self._looking_up().run_with_pin(card, given)

    def confirm(self, card: IdentifiedCard) -> LookupOutcome:
        """The rest of a look-up in old rows, which a clerk has confirmed."""
        timings = Timings(self.clock)
        return self._looking_up().answer(card, timings, handover=True, accept_old=True)

    def service_card(self) -> ServiceCardOutcome:
        """The number of the point card that lies there."""
        form = self.store.identity.service_id_format
        return read_service_card(self.reader, form, self.number_place)

    def check_link(self, card: IdentifiedCard, service_id: ServiceId) -> Stopped | None:
        """What already speaks against a link, without any card."""
        return self._linking().check(card, service_id)

    def link(
        self, card: IdentifiedCard, service_id: ServiceId, given: PinGiven | None = None
    ) -> LinkOutcome:
        """Read again, compare, store."""
        return self._linking().link(card, service_id, given)

    def unlink(self, card: IdentifiedCard, given: PinGiven | None = None) -> LinkOutcome:
        """Read again, compare, take away."""
        return self._linking().unlink(card, given)

    def show(self) -> CardDetailOutcome:
        """What the card's certificate says."""
        name_of = partial(municipality_name, self.store.home.path)
        return CardDetailFlow(self.reader, self.judge, self.clock, name_of).run()

    def _looking_up(self) -> LookupFlow:
        return LookupFlow(
            self.reader,
            self.judge,
            self.store,
            self.handover,
            self.clock,
            self.pin,
            self.spot_check,
        )

    def _linking(self) -> LinkFlow:
        return LinkFlow(self.reader, self.judge, self.store, self.courier, self.clock, self.pin)
