"""A row of the ID conversion table, as a counter may know it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique

from mykey_tui.domain.ids import Binding, LookupToken, ServiceId


@unique
class LinkStatus(Enum):
    """State of a link. The numbers travel on the wire and never change their meaning."""

    ACTIVE = 0
    SUSPENDED = 1
    RENEWED = 2
    REMOVED = 9
    """Tombstone: the row is gone, and says so to counters that still hold it."""


@dataclass(frozen=True, slots=True)
class LinkRow:
    """One row of a provider's scope: token, binding (chosen IDs only), service ID, status, seq."""

    token: LookupToken
    binding: Binding | None
    service_id: ServiceId
    status: LinkStatus
    seq: int
