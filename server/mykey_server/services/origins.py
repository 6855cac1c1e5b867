"""Items that come again under a new number, because a counter's file was restored or copied.

The same act must not count twice. Such an item says under which number it was sealed, and the hash
that is stored there was over the same content but for the number, the chain and the origin: so it
can be built again and compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import Connection

from mykey_server.services.decide import ALREADY, APPLIED, HELD, Decision
from mykey_server.services.verdicts import Known, read_under
from mykey_tui.wire.messages import FIRST_PREV, Origin, PushItem, PushRequest, item_hash


@dataclass(slots=True)
class Before:
    """What is known of a batch's items from the time before they were numbered anew."""

    settled: dict[int, Decision] = field(default_factory=dict)
    """By present number: it took effect under the old one, with this verdict."""
    held: list[Origin] = field(default_factory=list)
    """Old numbers that waited for a decision; the new ones wait in their place."""


def read_before(connection: Connection, request: PushRequest, items: Iterable[PushItem]) -> Before:
    """Look the old numbers of these items up. A number with another content is another act."""
    before = Before()
    for incarnation, comers in _by_incarnation(items).items():
        mids = {mid for origin, _ in comers for mid in (origin.mid, origin.mid - 1)}
        known = read_under(connection, request.device, incarnation, mids)
        for origin, item in comers:
            stored = known.get(origin.mid)
            if stored is None or not _is_same(item, origin, stored, known.get(origin.mid - 1)):
                continue
            if stored.decision in {APPLIED, ALREADY}:
                before.settled[item.mid] = stored.decision
            elif stored.decision == HELD:
                before.held.append(origin)
    return before


def _by_incarnation(items: Iterable[PushItem]) -> dict[bytes, list[tuple[Origin, PushItem]]]:
    """The items that are the same act as under their old number: one look for each old file."""
    found: dict[bytes, list[tuple[Origin, PushItem]]] = {}
    for item in items:
        if item.origin is not None and item.origin.op == item.op:
            found.setdefault(item.origin.incarnation, []).append((item.origin, item))
    return found


def _is_same(item: PushItem, origin: Origin, stored: Known, before: Known | None) -> bool:
    prev = FIRST_PREV if before is None else before.item_hash
    first = msgspec.structs.replace(item, mid=origin.mid, prev=prev, origin=None)
    return item_hash(first) == stored.item_hash
