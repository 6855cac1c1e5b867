"""What the screens ask of the card desk, one value per request. Some carry a PIN, for one attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from mykey_tui.domain.ids import ServiceId
from mykey_tui.flows.outcomes import IdentifiedCard
from mykey_tui.flows.pin_entry import PinGiven


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """Step 3: read again, compare, store."""

    card: IdentifiedCard
    service_id: ServiceId
    given: PinGiven | None = None


@dataclass(frozen=True, slots=True)
class UnlinkRequest:
    """The same for taking a link away."""

    card: IdentifiedCard
    given: PinGiven | None = None


@dataclass(frozen=True, slots=True)
class LookupRequest:
    """The rest of a look-up that wanted the PIN."""

    card: IdentifiedCard
    given: PinGiven


@dataclass(frozen=True, slots=True)
class ShowRequest:
    """Read the card for the card view."""


@dataclass(frozen=True, slots=True)
class ConfirmRequest:
    """A clerk has confirmed what was found in old rows. Needs no card."""

    card: IdentifiedCard


PinRequest: TypeAlias = LinkRequest | UnlinkRequest | LookupRequest
CardRequest: TypeAlias = PinRequest | ShowRequest
Request: TypeAlias = CardRequest | ConfirmRequest


def forget_pin(request: Request | None) -> bool:
    """Overwrite the PIN of a request that will not be served; False where it carries none."""
    given = None if isinstance(request, ShowRequest | ConfirmRequest | None) else request.given
    if given is None:
        return False
    given.forget()
    return True
