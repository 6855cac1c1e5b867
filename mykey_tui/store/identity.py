"""Who this counter is: what enrolment gave it. Rests inside the encrypted store."""

from __future__ import annotations

from dataclasses import dataclass

from mykey_tui.domain.ids import DeviceId, Incarnation, ProviderId
from mykey_tui.domain.service_id import ServiceIdFormat


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """One counter of one provider. Holds secrets, so `repr` shows none of it."""

    device_id: DeviceId
    incarnation: Incarnation
    """16 random bytes of this database file: a copied disk shows as two of one incarnation."""
    provider_id: ProviderId
    provider_name: str
    """Already safe to show."""
    scope: str
    """The provider's rows, as the wire calls them: its ASCII alias."""
    provider_key: bytes
    """32 bytes; makes lookup tokens (`domain.tokens`)."""
    digest_key: bytes
    """32 bytes; makes the scope's digest (`domain.digest`)."""
    seal_key: bytes
    """The server's X25519 public key, 32 bytes."""
    device_key: bytes
    """This counter's Ed25519 private key, raw, 32 bytes. It never leaves the box."""
    server_url: str
    """With no slash at the end."""
    profile: str
    """`simulated` or `jpki`: which anchors are trusted."""
    counter_name: str
    service_id_format: ServiceIdFormat

    def __repr__(self) -> str:
        return "<Identity>"
