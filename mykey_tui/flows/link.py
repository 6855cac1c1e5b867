"""Step 3 of サービスID登録, and its undoing: compare the card once more, then store and send.

A link is safe on disk before anybody is told so; whether the server has it is a second question.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, assert_never

from mykey_tui.card.connection import CardReader
from mykey_tui.domain.assurance import PinPolicy
from mykey_tui.domain.clock import Clock
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import MyKeyError, StoreError
from mykey_tui.domain.ids import LookupToken, ServiceId
from mykey_tui.domain.tokens import default_token
from mykey_tui.flows.identify import CertificateJudge, identify
from mykey_tui.flows.lookup import find_link, refusal_of
from mykey_tui.flows.outcomes import IdentifiedCard, Linked, LinkOutcome, Stopped
from mykey_tui.flows.pin import (
    PURPOSE_UNLINK,
    ask_tries,
    authenticate,
    purpose_of_link,
)
from mykey_tui.flows.pin_entry import PinGiven
from mykey_tui.flows.stopping import stopped_by
from mykey_tui.flows.timings import Timings
from mykey_tui.store.counter_store import CounterStore, RowsNow
from mykey_tui.store.outbox import Operation, QueuedFrame
from mykey_tui.store.tables import MutationState
from mykey_tui.wire.messages import SealedLink
from mykey_tui.wire.seal import seal

VERDICT_WAIT_SECONDS = 3.0
"""How long a person at the counter waits for the server's word before "accepted, will be sent"."""


class Courier(Protocol):
    """Brings what is queued to the server, where the line allows it."""

    def deliver(self, mid: int) -> None:
        """Try to get the verdict on `mid` into the store; give up after `VERDICT_WAIT_SECONDS`.

        Returns at once where the line is known to be down. Never raises for line or server.
        """
        ...


@dataclass(frozen=True, slots=True)
class LinkFlow:
    """Linking and unlinking by presence of the card."""

    reader: CardReader
    judge: CertificateJudge
    store: CounterStore
    courier: Courier
    clock: Clock
    pin: PinPolicy = PinPolicy.NEVER

    def check(self, card: IdentifiedCard, service_id: ServiceId) -> Stopped | None:
        """What this counter's own rows say against the link, before anybody is asked for anything.

        S-DUP (with `last`, the tail of the service ID that is linked already), S-TAKEN, L-SUSP,
        L-RENEW, or a failure of the store; None when nothing speaks against it.
        """
        try:
            return _refusal_to_link(self.store, card, service_id)
        except StoreError as error:
            return stopped_by(error)

    def link(
        self, card: IdentifiedCard, service_id: ServiceId, given: PinGiven | None = None
    ) -> LinkOutcome:
        """Read the card again, compare, store in one transaction, send if the line is up.

        `PinWanted` where the provider wants the PIN and none is `given`; nothing is stored then.
        Who cannot be linked anyway is not asked for it.
        """
        if self.pin.for_link and given is None:
            return self.check(card, service_id) or ask_tries(self.reader, card)
        return self.same_person(card, given, purpose_of_link(service_id)) or self.commit_link(
            card, service_id
        )

    def unlink(self, card: IdentifiedCard, given: PinGiven | None = None) -> LinkOutcome:
        """The same for taking the link away; L-NONE where there is none."""
        if self.pin.for_link and given is None:
            return ask_tries(self.reader, card)
        return self.same_person(card, given, PURPOSE_UNLINK) or self.commit_unlink(card)

    def same_person(
        self, card: IdentifiedCard, given: PinGiven | None, purpose: bytes
    ) -> Stopped | None:
        """Read the card again and compare; where a PIN is given, let its owner prove it as well."""
        if given is None:
            return self.read_again(card)
        proven = authenticate(self.reader, self.judge, card, given, purpose)
        return proven if isinstance(proven, Stopped) else None

    def read_again(self, card: IdentifiedCard) -> Stopped | None:
        """Threat T5: between step 1 and step 3 another card may have been laid down (C-SWAP)."""
        again = identify(self.reader, self.judge, Timings(self.clock))
        if isinstance(again, Stopped):
            return again
        return None if again.same_card(card) else Stopped(Code.CARD_SWAPPED)

    def commit_link(self, card: IdentifiedCard, service_id: ServiceId) -> Linked | Stopped:
        """Store and send; only right after `same_person` has found the same card."""

        def guard(rows: RowsNow) -> None:
            _refuse(_refusal_to_link(rows, card, service_id))

        token = default_token(self.store.identity.provider_key, card.cn)
        return self._commit("link", card, token, service_id, guard)

    def commit_unlink(self, card: IdentifiedCard) -> Linked | Stopped:
        """Store and send the removal; only right after `same_person` has found the same card."""
        try:
            own = find_link(card, self.store)
        except StoreError as error:
            return stopped_by(error)
        if own is None:
            return Stopped(Code.NOT_LINKED)
        service_id = own.link.service_id

        def guard(rows: RowsNow) -> None:
            _refuse(_refusal_to_unlink(rows, card, service_id))

        return self._commit("unlink", card, own.token, service_id, guard)

    def _commit(
        self,
        op: Operation,
        card: IdentifiedCard,
        token: LookupToken,
        service_id: ServiceId,
        guard: Callable[[RowsNow], None],
    ) -> Linked | Stopped:
        """Store and send. `guard` looks at the rows once more, in the transaction that stores."""
        try:
            mid = self.store.queue_mutation(
                op,
                token,
                service_id,
                partial(_seal_certificate, card.der, self._seal_key),
                guard=guard,
            )
        except _RefusedError as refused:
            return refused.stopped
        except StoreError as error:
            return stopped_by(error)
        self.courier.deliver(mid)
        try:
            return self._outcome(op, mid, service_id)
        except StoreError:
            # It is on disk, whatever cannot be read of it now: saying "failed" would be untrue.
            return Linked(Code.LINK_QUEUED, service_id, waiting=1)

    @property
    def _seal_key(self) -> bytes:
        return self.store.believed().seal_key

    def _outcome(self, op: Operation, mid: int, service_id: ServiceId) -> Linked | Stopped:
        """What became of the mutation. A refusal was told to the person: nothing stays behind."""
        waiting = self.store.counts().waiting
        mutation = self.store.open_mutation(mid)
        if mutation is None:
            return Linked(Code.LINKED if op == "link" else Code.UNLINKED, service_id, waiting)
        match mutation.state:
            case MutationState.CONFLICT | MutationState.INVALID:
                self.store.resolve(mid)
                return Stopped(mutation.code or Code.MUTATION_INVALID)
            case MutationState.WAITING | MutationState.PARKED | MutationState.DONE:
                return Linked(Code.LINK_QUEUED, service_id, waiting)
            case _:
                assert_never(mutation.state)


class _RefusedError(MyKeyError):
    """Undoes the transaction of a mutation that the rows speak against."""

    def __init__(self, stopped: Stopped) -> None:
        super().__init__(stopped.code.value)
        self.stopped = stopped


def _refuse(refusal: Stopped | None) -> None:
    if refusal is not None:
        raise _RefusedError(refusal)


def _refusal_to_link(
    rows: CounterStore | RowsNow, card: IdentifiedCard, service_id: ServiceId
) -> Stopped | None:
    own = find_link(card, rows)
    if own is not None:
        return refusal_of(own.link.status) or _duplicate(own.link.service_id)
    return None if rows.token_of(service_id) is None else Stopped(Code.SERVICE_ID_TAKEN)


def _refusal_to_unlink(
    rows: RowsNow, card: IdentifiedCard, service_id: ServiceId
) -> Stopped | None:
    """The row must still be the one that was found: another program may have taken it away."""
    own = find_link(card, rows)
    if own is None or own.link.service_id != service_id:
        return Stopped(Code.NOT_LINKED)
    return refusal_of(own.link.status)


def _duplicate(service_id: ServiceId) -> Stopped:
    return Stopped(Code.LINK_DUPLICATE, {"last": service_id.last})


def _seal_certificate(der: bytes, seal_key: bytes, frame: QueuedFrame) -> bytes:
    """Seal the certificate to the server, bound to the mutation that carries it."""
    return seal(SealedLink(certificate=der), seal_key=seal_key, context=frame.context)
