"""The server's own identity and its providers, read from the file."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy import Connection, Engine, Row, bindparam, insert, select
from sqlmodel import col

from mykey_server.database import UNIQUE_VIOLATION, write
from mykey_server.services.proof import tag
from mykey_server.tables.site import ProviderTable, SiteTable
from mykey_tui.domain.service_id import ServiceIdFormat
from mykey_tui.wire.messages import Staleness

EPOCH_BYTES = 8
TAG_KEY_LENGTH = 32


@dataclass(frozen=True, slots=True, repr=False)
class Site:
    """The keys that no counter has."""

    seal_key: X25519PrivateKey
    tag_key: bytes
    sign_key: Ed25519PrivateKey

    @property
    def server_key(self) -> bytes:
        """What counters verify the server's own words with: Ed25519, 32 bytes."""
        return self.sign_key.public_key().public_bytes_raw()

    @property
    def seal_public_key(self) -> bytes:
        """What counters seal to: 32 bytes."""
        return self.seal_key.public_key().public_bytes_raw()

    def poll_key(self, device_id: str) -> bytes:
        """What a counter signs its polls with: 32 bytes, derived, so that no table holds it."""
        return self.tag(b"poll" + device_id.encode())

    def tag(self, data: bytes) -> bytes:
        """Keyed hash for comparing what is not kept; 32 bytes."""
        return tag(self.tag_key, data)


@dataclass(frozen=True, slots=True, repr=False)
class Provider:
    """A service provider as the services need it."""

    scope: str
    provider_id: str
    name: str
    service_id_format: ServiceIdFormat
    profile: str
    lookup_key: bytes
    digest_key: bytes
    staleness: Staleness


def open_site(engine: Engine) -> Site:
    """Read the identity; draw it where the database is new.

    Of several processes that start on a new one at once, all get the first's.
    """
    return write(engine, _read_or_draw, retry_also=UNIQUE_VIOLATION)


def read_epoch(connection: Connection) -> str:
    """The name of the history as it is in this transaction.

    Every reply that names an epoch reads it beside the place that it names: another process, or
    another host, may have drawn a new one since this process started.
    """
    return connection.execute(_EPOCH).scalar_one()


def _read_or_draw(connection: Connection) -> Site:
    row = connection.execute(_SITE).one_or_none()
    if row is not None:
        return Site(
            X25519PrivateKey.from_private_bytes(row.seal_key),
            row.tag_key,
            Ed25519PrivateKey.from_private_bytes(row.sign_key),
        )
    site = Site(
        X25519PrivateKey.generate(),
        secrets.token_bytes(TAG_KEY_LENGTH),
        Ed25519PrivateKey.generate(),
    )
    connection.execute(
        insert(SiteTable).values(
            number=1,
            epoch=secrets.token_hex(EPOCH_BYTES),
            seal_key=site.seal_key.private_bytes_raw(),
            tag_key=site.tag_key,
            sign_key=site.sign_key.private_bytes_raw(),
        )
    )
    return site


def find_provider(connection: Connection, scope: str) -> Provider:
    """The provider of a scope that is known to exist (a terminal or a code is bound to it)."""
    return _provider(connection.execute(_PROVIDER_OF, {"scope": scope}).one())


def all_providers(connection: Connection) -> list[Provider]:
    """Every provider, by its scope's name."""
    return [_provider(row) for row in connection.execute(_PROVIDER.order_by("scope"))]


_EPOCH = select(col(SiteTable.epoch))
_SITE = select(
    col(SiteTable.seal_key),
    col(SiteTable.tag_key),
    col(SiteTable.sign_key),
)
_PROVIDER = select(
    col(ProviderTable.scope),
    col(ProviderTable.provider_id),
    col(ProviderTable.name),
    col(ProviderTable.service_id_format),
    col(ProviderTable.profile),
    col(ProviderTable.lookup_key),
    col(ProviderTable.digest_key),
    col(ProviderTable.green_s),
    col(ProviderTable.refuse_s),
    col(ProviderTable.lookups_max),
)
_PROVIDER_OF = _PROVIDER.where(col(ProviderTable.scope) == bindparam("scope"))


def _provider(row: Row[str, str, str, str, str, bytes, bytes, int, int, int]) -> Provider:
    return Provider(
        scope=row.scope,
        provider_id=row.provider_id,
        name=row.name,
        service_id_format=ServiceIdFormat.parse(row.service_id_format),
        profile=row.profile,
        lookup_key=row.lookup_key,
        digest_key=row.digest_key,
        staleness=Staleness(row.green_s, row.refuse_s, row.lookups_max),
    )
