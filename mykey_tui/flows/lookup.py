"""A card at the reception: whose is it here, and give the till the service ID. マイキーID照会."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from mykey_tui.card.connection import CardReader
from mykey_tui.domain.assurance import Assurance, PinPolicy
from mykey_tui.domain.clock import Clock
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import HandOverError, StoreError
from mykey_tui.domain.ids import LookupToken, ServiceId
from mykey_tui.domain.link import LinkStatus
from mykey_tui.domain.staleness import PROVISIONAL_MAX, Level, may_serve_provisional
from mykey_tui.domain.tokens import binding, chosen_token, default_token, same_secret
from mykey_tui.flows.ageing import age_code, age_values, level_of
from mykey_tui.flows.identify import CertificateJudge, identify
from mykey_tui.flows.outcomes import (
    Found,
    HandOver,
    IdentifiedCard,
    LookupOutcome,
    NotLinked,
    NotLoaded,
    PinWanted,
    Stopped,
    Unconfirmed,
)
from mykey_tui.flows.pin import PURPOSE_LOOKUP, ask_tries, authenticate
from mykey_tui.flows.pin_entry import PinGiven
from mykey_tui.flows.spot_check import SpotCheck
from mykey_tui.flows.stopping import stopped_by
from mykey_tui.flows.timings import Timings
from mykey_tui.handover.port import HandOverAdapter
from mykey_tui.store.counter_store import CounterStore, RowsNow
from mykey_tui.store.freshness import Freshness
from mykey_tui.store.links import LocalLink


@dataclass(frozen=True, slots=True)
class OwnLink:
    """The row of a person at this provider, and the token that led to it."""

    token: LookupToken
    link: LocalLink


def find_link(card: IdentifiedCard, store: CounterStore | RowsNow) -> OwnLink | None:
    """Default token first; a chosen ID's row only for the certificate that it is bound to.

    A later default string may equal somebody's chosen one, so without the binding a hit on the
    14 characters could be another person's (contradiction C1): that is "not linked".
    """
    provider_key = store.identity.provider_key
    token = default_token(provider_key, card.cn)
    link = store.lookup(token)
    if link is not None and link.status is not LinkStatus.REMOVED:
        return OwnLink(token, link)
    token = chosen_token(provider_key, card.cn.my_key_id)
    link = store.lookup(token)
    if link is None or link.status is LinkStatus.REMOVED or link.binding is None:
        return None
    if not same_secret(link.binding, binding(provider_key, card.certificate)):
        return None
    return OwnLink(token, link)


def refusal_of(status: LinkStatus) -> Stopped | None:
    """What a row's state forbids; None where the service ID may be used."""
    match status:
        case LinkStatus.ACTIVE:
            return None
        case LinkStatus.SUSPENDED:
            return Stopped(Code.SUSPENDED)
        case LinkStatus.RENEWED:
            return Stopped(Code.RENEWED)
        case LinkStatus.REMOVED:
            return Stopped(Code.NOT_LINKED)
        case _:
            assert_never(status)


def hand_over(adapter: HandOverAdapter | None, service_id: ServiceId) -> HandOver:
    """Give the service ID to the till's side, once. A failure is an answer, never an exception."""
    if adapter is None:
        return HandOver(Code.HANDOVER_OFF)
    try:
        adapter.send(service_id)
    except HandOverError as error:
        return HandOver(error.code, adapter.name)
    return HandOver(Code.HANDED_OVER, adapter.name)


def days_left(not_after: datetime, *, now: datetime) -> int:
    """Whole days until the certificate ends; negative when it has ended."""
    return (not_after - now).days


@dataclass(frozen=True, slots=True)
class LookupFlow:
    """The reception's use case; `handover` is None where none is set up or none is wanted."""

    reader: CardReader
    judge: CertificateJudge
    store: CounterStore
    handover: HandOverAdapter | None
    clock: Clock
    pin: PinPolicy = PinPolicy.NEVER
    spot_check: SpotCheck | None = None

    def run(self, *, handover: bool = True) -> LookupOutcome:
        """Read, judge, find, hand over: once per tap, and never on a refusal.

        With `handover=False` the till hears nothing of it.
        """
        timings = Timings(self.clock)
        card = identify(self.reader, self.judge, timings)
        if isinstance(card, Stopped):
            return card
        if self.spot_check is not None:
            self.spot_check.made(timings)
        outcome = self.answer(card, timings, handover=handover)
        return ask_tries(self.reader, card) if isinstance(outcome, PinWanted) else outcome

    def run_with_pin(self, card: IdentifiedCard, given: PinGiven) -> LookupOutcome:
        """The rest of a look-up that ended in `PinWanted`: prove the card, then hand over."""
        timings = Timings(self.clock)
        with timings.measure("card"):
            proven = authenticate(self.reader, self.judge, card, given, PURPOSE_LOOKUP)
        if isinstance(proven, Stopped):
            return proven
        return self.answer(proven, timings, handover=True)

    def answer(
        self, card: IdentifiedCard, timings: Timings, *, handover: bool, accept_old: bool = False
    ) -> LookupOutcome:
        """What an identified card means here, hand-over included. Asks no card for anything.

        The look-up is counted, unless it is the second half of one: `accept_old`, which a clerk has
        confirmed, or a card that was authenticated for it. The row and its age are looked at again
        then; both may have changed meanwhile.

        `PinWanted` (its tries not asked for) where the provider hands nothing over without the PIN
        and there is something to hand over; nobody else is asked for it.
        """
        proven = card.assurance is Assurance.AUTHENTICATED
        try:
            with timings.measure("lookup"):
                if not accept_old and not proven:
                    self.store.count_lookup()
                own = find_link(card, self.store)
                freshness = self.store.freshness()
                waits = own is not None and own.link.provisional
                place = self.store.provisional_place(own.token) if own and waits else 0
        except StoreError as error:
            return stopped_by(error)
        if own is None:
            return _unknown(card, freshness)
        stop = refusal_of(own.link.status) or _too_unsure(freshness, place)
        if stop is not None:
            return stop
        if handover and self.pin.for_handover and not proven:
            return PinWanted(card)
        code = age_code(freshness)
        if code is not None and not accept_old:
            return Unconfirmed(card, code, age_values(freshness))
        with timings.measure("handover"):
            handed = hand_over(self.handover if handover else None, own.link.service_id)
        return Found(
            service_id=own.link.service_id,
            handover=handed,
            days_left=days_left(card.not_after, now=self.clock.now()),
            provisional=own.link.provisional,
            assurance=card.assurance,
            milliseconds=timings.milliseconds(),
        )


def _unknown(card: IdentifiedCard, freshness: Freshness) -> NotLinked | NotLoaded:
    """Only a complete set of rows, however old, says that somebody is not linked."""
    if freshness.age_seconds is None:
        return NotLoaded(card, age_values(freshness))
    return NotLinked(card)


def _too_unsure(freshness: Freshness, place: int) -> Stopped | None:
    """What the rows' age forbids, whatever a clerk says; `place` as in `may_serve_provisional`."""
    level, code = level_of(freshness), age_code(freshness)
    if code is not None and level is Level.REFUSE:
        return Stopped(code, age_values(freshness))
    if not may_serve_provisional(level, place):
        return Stopped(Code.LINK_UNPROVEN, {"count": str(PROVISIONAL_MAX)})
    return None
