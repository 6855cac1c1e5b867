"""What an item's seal proves, one item at a time: opening seals and judging certificates.

Pure, and without the tables: this runs in the proof process too (`mykey_server.proof_process`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeAlias, TypeVar

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from msgspec import Struct

from mykey_server.faults import log_fault
from mykey_server.services.cards import TrustedCards
from mykey_server.services.proof import (
    UNDECIDABLE,
    Flawed,
    Proof,
    Proven,
    Undecidable,
    certificate_tag,
)
from mykey_tui.domain import tokens
from mykey_tui.domain.verdict import Accepted, Undecided
from mykey_tui.trust.certificate import AuthCertificate
from mykey_tui.trust.chain import read_certificate
from mykey_tui.wire.messages import PushItem
from mykey_tui.wire.seal import SealError, context_of, open_seal

_Result = TypeVar("_Result")
_Otherwise = TypeVar("_Otherwise")
_Unproven: TypeAlias = Flawed | Undecidable
_UNPROVEN = (Flawed, Undecidable)


class Job(Struct, frozen=True, array_like=True):
    """Items, and all that their proofs depend on but the anchors. Never shown: it holds keys."""

    items: list[PushItem]
    device: str
    incarnation: bytes
    scope: str
    profile: str
    lookup_key: bytes
    tag_key: bytes
    seal_keys: tuple[bytes, ...]
    """X25519 private keys, 32 bytes each, tried in this order."""
    at: datetime

    def __repr__(self) -> str:
        return "<Job>"


Prove: TypeAlias = Callable[[Job], list[Proof]]
"""The proofs of a job, in the order of its items."""


def prove(job: Job, cards: TrustedCards) -> list[Proof]:
    """Open the seals of these items and judge the certificates in them, in the items' order.

    Slow (0.13 ms an item): done before any lock. Each step is taken for all items before the next:
    the processor keeps the step's code at hand, which saves a sixth of the time.
    """
    keys = [X25519PrivateKey.from_private_bytes(key) for key in job.seal_keys]
    opened = [_isolated(partial(_open, item, job, keys)) for item in job.items]
    read = [_isolated(partial(_read, one)) for one in opened]
    believed = [_isolated(partial(_believe, one, job, cards)) for one in read]
    return [
        _isolated(partial(_compare, item, one, job))
        for item, one in zip(job.items, believed, strict=True)
    ]


def _open(item: PushItem, job: Job, keys: list[X25519PrivateKey]) -> bytes | _Unproven:
    context = context_of(item, device=job.device, incarnation=job.incarnation, scope=job.scope)
    for key in keys:
        try:
            return open_seal(item.sealed, private_key=key, context=context).certificate
        except SealError:
            continue
    return Flawed("seal")


def _read(certificate: bytes | _Unproven) -> AuthCertificate | _Unproven:
    if isinstance(certificate, _UNPROVEN):
        return certificate
    read = read_certificate(certificate)
    return read if isinstance(read, AuthCertificate) else Flawed("certificate")


def _believe(
    certificate: AuthCertificate | _Unproven, job: Job, cards: TrustedCards
) -> Accepted | _Unproven:
    if isinstance(certificate, _UNPROVEN):
        return certificate
    verdict = cards.believe(certificate, profile=job.profile, at=job.at)
    if isinstance(verdict, Undecided):
        return UNDECIDABLE
    return verdict if isinstance(verdict, Accepted) else Flawed("certificate")


def _compare(item: PushItem, card: Accepted | _Unproven, job: Job) -> Proof:
    """Which of the card's two tokens the item names: default first, as a counter looks it up."""
    if isinstance(card, _UNPROVEN):
        return card
    tag = certificate_tag(job.tag_key, card.certificate)
    if tokens.same_secret(item.token, tokens.default_token(job.lookup_key, card.cn)):
        return Proven(card.cn, tag, None)
    chosen = tokens.chosen_token(job.lookup_key, card.cn.my_key_id)
    if tokens.same_secret(item.token, chosen):
        return Proven(card.cn, tag, tokens.binding(job.lookup_key, card.certificate))
    return Flawed("token")


def _isolated(step: Callable[[], _Result]) -> _Result | Undecidable:
    return in_isolation(step, otherwise=UNDECIDABLE)


def in_isolation(work: Callable[[], _Result], *, otherwise: _Otherwise) -> _Result | _Otherwise:
    """Do one item's work; a bug of ours that it meets is logged and gives `otherwise`.

    `work` touches no file, so what is caught here is never the disk's or the lock's.
    """
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - one item's bug must not stop all behind it for ever
        log_fault(error)
        return otherwise
