"""The server itself and the service providers that it serves."""

from __future__ import annotations

from sqlalchemy import BigInteger
from sqlmodel import Field

from mykey_server.tables.base import ServerTable


class SiteTable(ServerTable, table=True):
    """One row: the identity of this server's history, and its own keys."""

    __tablename__ = "site"

    number: int = Field(default=1, primary_key=True)
    epoch: str
    """Random; drawn again, and never reused, when the history is not the same any more."""
    seal_key: bytes
    """X25519 private key: opens what counters seal from now on."""
    tag_key: bytes
    """Keys the tags of certificates and of enrolment codes."""
    sign_key: bytes
    """Ed25519 private key: signs the state of the suspensions, and the end of a counter."""
    cluster: str | None = None
    """System identifier of the PostgreSQL cluster that the epoch was drawn in; none on SQLite."""
    branch: int | None = Field(default=None, sa_type=BigInteger)
    """What PostgreSQL calls its timeline: a promotion or a restore to a point begins another."""
    key_state: str = ""
    """Random; drawn again with each change of the keys, so that every process sees the change."""


class NextKeyTable(ServerTable, table=True):
    """One row: a pair of keys that was drawn and that nobody was told of yet."""

    __tablename__ = "next_key"

    number: int = Field(primary_key=True)
    seal_key: bytes
    sign_key: bytes
    backup: str | None = None
    """The newest backup that was begun since."""
    safe: bool = False
    """That one was confirmed, so a backup has this pair."""


class SuccessionTable(ServerTable, table=True):
    """How the present keys came to be: public keys, each pair signed with the key before it."""

    __tablename__ = "succession"

    number: int = Field(primary_key=True)
    """Of the pair that took over: 2, 3 and so on. 1 is what the database was made with."""
    server_key: bytes
    seal_key: bytes
    signature: bytes


class FormerSealTable(ServerTable, table=True):
    """A key that counters sealed to before: kept while something sealed to it may still come."""

    __tablename__ = "former_seal"

    number: int = Field(primary_key=True)
    seal_key: bytes
    fingerprint: str
    """Of the pair that it was half of."""


class ProviderTable(ServerTable, table=True):
    """A service provider. Its alias is the name of its scope on the wire."""

    __tablename__ = "provider"

    scope: str = Field(primary_key=True)
    provider_id: str = Field(unique=True)
    name: str
    service_id_format: str
    profile: str
    """Which cards count: `simulated` (the shipped test CA) or `jpki` (the anchors folder)."""
    lookup_key: bytes
    digest_key: bytes
    green_s: int
    """Up to this age of their rows, counters say nothing; `refuse_s`: from it on they refuse."""
    refuse_s: int
    lookups_max: int
    """Look-ups at one counter between two complete pulls."""


class ScopeTable(ServerTable, table=True):
    """The counter row of a scope: updated last, once per batch."""

    __tablename__ = "scope"

    scope: str = Field(primary_key=True, foreign_key="provider.scope")
    seq: int = Field(sa_type=BigInteger)
    horizon: int = Field(sa_type=BigInteger)
    """Places and tombstones below it are forgotten."""
    digest: bytes
    buckets: bytes
    """The digest in 256 parts of 16 bytes, by the first byte of the token.

    One value and not 256 rows: a batch of 100 changes touches 80 of them anyway.
    """
    durable_through: int = Field(sa_type=BigInteger)
    """Newest seq that is in a checked backup: counters may forget their own record up to here."""


class ScopeHistoryTable(ServerTable, table=True):
    """Each place of a scope that a counter can have been told of: one row per committed batch."""

    __tablename__ = "scope_history"

    scope: str = Field(primary_key=True, foreign_key="scope.scope")
    seq: int = Field(primary_key=True, sa_type=BigInteger)
    digest: bytes


class BackupTable(ServerTable, table=True):
    """How far each scope had come when a backup was begun; of the newest ones, confirmed or not."""

    __tablename__ = "backup"

    name: str = Field(primary_key=True)
    scope: str = Field(primary_key=True, foreign_key="scope.scope")
    seq: int = Field(sa_type=BigInteger)
