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
from mykey_server.tables.site import (
    FormerSealTable,
    NextKeyTable,
    ProviderTable,
    SiteTable,
    SuccessionTable,
)
from mykey_tui.domain.service_id import ServiceIdFormat
from mykey_tui.wire.messages import SUCCESSIONS_MAX, Staleness, Succession
from mykey_tui.wire.succession import fingerprint

EPOCH_BYTES = 8
TAG_KEY_LENGTH = 32


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """The server's own keys as they were in one transaction."""

    state: str
    """Names this set of keys; another after each change."""
    sign_key: Ed25519PrivateKey
    server_key: bytes
    """What counters verify the server's own words with: Ed25519, 32 bytes."""
    seal_public_key: bytes
    """What counters seal to: X25519, 32 bytes."""
    seal_keys: tuple[bytes, ...]
    """What opens seals: private, 32 bytes each. The present one first, then one that was drawn.

    A server that was put back to before it changed its keys has the new ones drawn: counters seal to
    them already. The former ones come last.
    """
    successions: list[Succession]
    """What counters that know a former key follow to the present ones."""

    @property
    def fingerprint(self) -> str:
        """The short name of the present pair."""
        return fingerprint(server_key=self.server_key, seal_key=self.seal_public_key)


class Site:
    """The keys that no counter has.

    Those for tags live as long as the database. The others change while processes run (`keys`).
    """

    __slots__ = ("_keys", "tag_key")

    def __init__(self, tag_key: bytes, keys: Keys) -> None:
        self.tag_key = tag_key
        self._keys = keys

    def keys(self, connection: Connection) -> Keys:
        """The keys as they are in this transaction.

        Another process, or another host, may have changed them a moment ago; whatever a counter can
        know of that was committed before it asked. They are read anew only then.
        """
        known = self._keys
        if connection.execute(_KEY_STATE).scalar_one() != known.state:
            known = self._keys = read_keys(connection)
        return known

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
    tag_key = connection.execute(_TAG_KEY).scalar_one_or_none()
    if tag_key is None:
        tag_key = secrets.token_bytes(TAG_KEY_LENGTH)
        connection.execute(
            insert(SiteTable).values(
                number=1,
                epoch=secrets.token_hex(EPOCH_BYTES),
                seal_key=X25519PrivateKey.generate().private_bytes_raw(),
                tag_key=tag_key,
                sign_key=Ed25519PrivateKey.generate().private_bytes_raw(),
                key_state=draw_key_state(),
            )
        )
    return Site(tag_key, read_keys(connection))


def draw_key_state() -> str:
    """A name that no set of keys had before."""
    return secrets.token_hex(EPOCH_BYTES)


def read_keys(connection: Connection) -> Keys:
    """The server's own keys, of a site that is drawn already."""
    row = connection.execute(_KEYS).one()
    sign_key = Ed25519PrivateKey.from_private_bytes(row.sign_key)
    seal_key = X25519PrivateKey.from_private_bytes(row.seal_key)
    newest = connection.execute(_SUCCESSIONS).all()
    return Keys(
        state=row.key_state,
        sign_key=sign_key,
        server_key=sign_key.public_key().public_bytes_raw(),
        seal_public_key=seal_key.public_key().public_bytes_raw(),
        seal_keys=(
            row.seal_key,
            *connection.execute(_DRAWN_SEAL).scalars(),
            *connection.execute(_FORMER_SEALS).scalars(),
        ),
        successions=[
            Succession(link.server_key, link.seal_key, link.signature) for link in reversed(newest)
        ],
    )


def find_provider(connection: Connection, scope: str) -> Provider:
    """The provider of a scope that is known to exist (a terminal or a code is bound to it)."""
    return _provider(connection.execute(_PROVIDER_OF, {"scope": scope}).one())


def all_providers(connection: Connection) -> list[Provider]:
    """Every provider, by its scope's name."""
    return [_provider(row) for row in connection.execute(_PROVIDER.order_by("scope"))]


_EPOCH = select(col(SiteTable.epoch))
_TAG_KEY = select(col(SiteTable.tag_key))
_KEY_STATE = select(col(SiteTable.key_state))
_KEYS = select(col(SiteTable.key_state), col(SiteTable.seal_key), col(SiteTable.sign_key))
_DRAWN_SEAL = select(col(NextKeyTable.seal_key))
_FORMER_SEALS = select(col(FormerSealTable.seal_key)).order_by(col(FormerSealTable.number).desc())
_SUCCESSIONS = (
    select(
        col(SuccessionTable.server_key),
        col(SuccessionTable.seal_key),
        col(SuccessionTable.signature),
    )
    .order_by(col(SuccessionTable.number).desc())
    .limit(SUCCESSIONS_MAX)
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
