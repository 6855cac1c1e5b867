"""Who this counter is: what enrolment gave it. Rests inside the encrypted store."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, insert
from sqlmodel import Session, select

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import MyKeyError, StoreError
from mykey_tui.domain.ids import DeviceId, Incarnation, ProviderId
from mykey_tui.domain.service_id import ServiceIdFormat
from mykey_tui.store.tables import StoredIdentity


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
    server_key: bytes | None = None
    """Ed25519, 32 bytes: what the server signs with. None where the enrolment is older than that."""
    server_ca: bytes | None = None
    """The one CA that this counter trusts on the line, DER; None where that is the public ones'."""

    def __repr__(self) -> str:
        return "<Identity>"


def store_identity(connection: Connection, identity: Identity) -> None:
    """Write the one row; once, when the store is made."""
    connection.execute(
        insert(StoredIdentity).values(
            id=1,
            device_id=str(identity.device_id),
            incarnation=identity.incarnation,
            provider_id=identity.provider_id.text,
            provider_name=identity.provider_name,
            scope=identity.scope,
            provider_key=identity.provider_key,
            digest_key=identity.digest_key,
            seal_key=identity.seal_key,
            device_key=identity.device_key,
            server_url=identity.server_url,
            profile=identity.profile,
            counter_name=identity.counter_name,
            service_id_format=identity.service_id_format.text,
            server_key=identity.server_key,
            server_ca=identity.server_ca,
        )
    )


def load_identity(connection: Connection) -> Identity:
    """Read the one row. Raises `StoreError` STORE_CORRUPT when it is not there or makes no sense."""
    row = Session(connection).exec(select(StoredIdentity)).first()
    if row is None:
        raise StoreError(Code.STORE_CORRUPT, "no identity")
    try:
        return Identity(
            device_id=DeviceId(UUID(row.device_id)),
            incarnation=Incarnation(row.incarnation),
            provider_id=ProviderId.parse(row.provider_id),
            provider_name=row.provider_name,
            scope=row.scope,
            provider_key=row.provider_key,
            digest_key=row.digest_key,
            seal_key=row.seal_key,
            device_key=row.device_key,
            server_url=row.server_url,
            profile=row.profile,
            counter_name=row.counter_name,
            service_id_format=ServiceIdFormat.parse(row.service_id_format),
            server_key=row.server_key,
            server_ca=row.server_ca,
        )
    except (ValueError, MyKeyError) as error:
        raise StoreError(Code.STORE_CORRUPT, "identity") from error


def incarnation_of(connection: Connection) -> Incarnation:
    """The present incarnation: another process may have drawn a new one since the store was opened."""
    found = connection.exec_driver_sql("SELECT incarnation FROM identity").scalar_one()
    return Incarnation(bytes(found))
