"""The verdict of one mutation, given what its seal proved and what the scope holds. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from mykey_server.services.holdings import Held, Holdings, Person
from mykey_server.services.proof import Flawed, Proof, Proven
from mykey_server.services.site import Provider
from mykey_server.tables.management import (
    KIND_DEFAULT,
    ORIGIN_COUNTER,
    PERSON_ACTIVE,
    PERSON_RENEWED,
    PERSON_SUSPENDED,
)
from mykey_tui.domain import tokens
from mykey_tui.domain.errors import MalformedIdError, MyNumberTypedError
from mykey_tui.domain.ids import LookupToken, ServiceId
from mykey_tui.domain.link import LinkRow, LinkStatus
from mykey_tui.wire.messages import PushItem, VerdictName

REPLACE = "replace"
OPERATIONS = frozenset({"link", "unlink", REPLACE})
ITEM_VERSION = 1
"""The form of these operations that this server understands."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict, final once it is stored; only `HELD` is decided again."""

    verdict: VerdictName
    kind: str | None = None


APPLIED = Decision("applied")
ALREADY = Decision("already")
HELD = Decision("held")
_STOPPED = {
    PERSON_SUSPENDED: Decision("conflict", "id_suspended"),
    PERSON_RENEWED: Decision("conflict", "id_renewed"),
}


def decide(item: PushItem, proof: Proof, provider: Provider, holdings: Holdings) -> Decision:
    """Judge one item and let `holdings` move with it, so that the next item sees its effect."""
    flaw = _flaw(item, provider)
    if flaw is not None:
        return Decision("invalid", flaw)
    if not isinstance(proof, Proven):
        return Decision("invalid", proof.field) if isinstance(proof, Flawed) else HELD
    person = _person(proof, holdings)
    if isinstance(person, Decision):
        return person
    if person.status in _STOPPED:
        return _STOPPED[person.status]
    if item.op == "unlink":
        return _unlink(item, holdings)
    return _link(item, proof, person, holdings)


def _flaw(item: PushItem, provider: Provider) -> str | None:
    if item.op not in OPERATIONS or item.v != ITEM_VERSION:
        return "op"
    if (item.op == REPLACE) != (item.replaces is not None) or not _may_come_from(item):
        return "op"
    if item.op == "unlink" and not item.sid:
        return None
    try:
        checked = provider.service_id_format.check(item.sid)
    except (MalformedIdError, MyNumberTypedError):
        return "sid"
    return None if checked.text == item.sid else "sid"


def _may_come_from(item: PushItem) -> bool:
    """A seal is for one operation. Only a refused link may come again, as what replaces."""
    sealed_for = item.op if item.origin is None else item.origin.op
    return sealed_for == item.op or (sealed_for == "link" and item.op == REPLACE)


def _person(proof: Proven, holdings: Holdings) -> Person | Decision:
    """Whose mutation this is, or why it is nobody's."""
    if proof.binding is None:
        return holdings.people.get(proof.cn) or Person(
            cn=proof.cn,
            kind=KIND_DEFAULT,
            origin=ORIGIN_COUNTER,
            status=PERSON_ACTIVE,
            certificate_tag=proof.certificate_tag,
            is_new=True,
        )
    person = holdings.chosen(proof.cn.my_key_id)
    # Bound to one certificate: another card with the same 14 characters is another person.
    if person is None or not tokens.same_secret(person.certificate_tag, proof.certificate_tag):
        return Decision("conflict", "not_registered")
    return person


def _link(item: PushItem, proof: Proven, person: Person, holdings: Holdings) -> Decision:
    token = LookupToken(item.token)
    held = holdings.rows.get(token)
    if held is not None and held.is_live:
        if held.row.service_id.text == item.sid:
            return ALREADY
        if held.row.service_id.text != item.replaces:
            return Decision("conflict", "key_linked")
    if holdings.owner_of(item.sid) is not None:
        return Decision("conflict", "sid_taken")
    if person.is_new:
        holdings.register(person)
    holdings.put(
        Held(
            LinkRow(
                token=token,
                binding=proof.binding,
                service_id=ServiceId(item.sid),
                status=LinkStatus.ACTIVE,
                seq=0,  # Given when the batch is written.
            ),
            person.cn,
        )
    )
    return APPLIED


def _unlink(item: PushItem, holdings: Holdings) -> Decision:
    token = LookupToken(item.token)
    held = holdings.rows.get(token)
    if held is None or not held.is_live:
        return ALREADY
    if item.sid and held.row.service_id.text != item.sid:
        return Decision("conflict", "key_linked")
    holdings.put(
        Held(
            LinkRow(
                token=token,
                binding=None,
                service_id=ServiceId(""),
                status=LinkStatus.REMOVED,
                seq=0,
            ),
            None,
        )
    )
    return APPLIED
