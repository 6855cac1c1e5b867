"""What an item's seal proves, one item at a time: opening seals and judging certificates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from mykey_server.faults import log_fault
from mykey_server.services.cards import TrustedCards
from mykey_server.services.decide import UNDECIDABLE, Flawed, Proof, Proven
from mykey_server.services.site import Provider, Site
from mykey_tui.domain import tokens
from mykey_tui.domain.verdict import Accepted, Undecided
from mykey_tui.wire.messages import PushItem, PushRequest
from mykey_tui.wire.seal import SealError, context_of, open_seal

_Result = TypeVar("_Result")


def prove(
    item: PushItem,
    request: PushRequest,
    provider: Provider,
    site: Site,
    cards: TrustedCards,
    now: datetime,
) -> Proof:
    """Open the seal and judge the certificate in it. Slow (0.3 ms): done before any lock."""
    context = context_of(
        item, device=request.device, incarnation=request.incarnation, scope=request.scope
    )
    try:
        content = open_seal(item.sealed, private_key=site.seal_key, context=context)
    except SealError:
        return Flawed("seal")
    believed = cards.believe(content.certificate, profile=provider.profile, at=now)
    if isinstance(believed, Undecided):
        return UNDECIDABLE
    if not isinstance(believed, Accepted):
        return Flawed("certificate")
    return Proven(
        cn=believed.cn,
        certificate_tag=site.certificate_tag(believed.certificate),
        default_token=tokens.default_token(provider.lookup_key, believed.cn),
        chosen_token=tokens.chosen_token(provider.lookup_key, believed.cn.my_key_id),
        binding=tokens.binding(provider.lookup_key, believed.certificate),
    )


def in_isolation(work: Callable[[], _Result], *, otherwise: _Result) -> _Result:
    """Do one item's work; a bug of ours that it meets is logged and gives `otherwise`.

    `work` touches no file, so what is caught here is never the disk's or the lock's.
    """
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - one item's bug must not stop all behind it for ever
        log_fault(error)
        return otherwise
