"""Which of a provider's links are suspended: a small scope of its own, beside the links.

Its name on the wire is `S:` and the provider's alias; the tables know it by the alias. A row is a
flag on a token that the provider holds anyway, and nothing else: neither whose it is nor why.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Index
from sqlmodel import Field

from mykey_server.tables.base import ServerTable


class SuspensionScopeTable(ServerTable, table=True):
    """The counter row of a provider's suspensions, as `ScopeTable` is that of its links."""

    __tablename__ = "suspension_scope"

    scope: str = Field(primary_key=True, foreign_key="provider.scope")
    seq: int = Field(sa_type=BigInteger)
    horizon: int = Field(sa_type=BigInteger)
    digest: bytes
    buckets: bytes
    total: int = Field(sa_type=BigInteger)
    """How many tokens are suspended."""


class SuspensionHistoryTable(ServerTable, table=True):
    """Each place of a provider's suspensions that a counter can have been told of."""

    __tablename__ = "suspension_history"

    scope: str = Field(primary_key=True, foreign_key="suspension_scope.scope")
    seq: int = Field(primary_key=True, sa_type=BigInteger)
    digest: bytes


class SuspensionTable(ServerTable, table=True):
    """A token that is suspended (status 1), or was and is not any more (status 9)."""

    __tablename__ = "suspension"
    __table_args__ = (
        Index("uq_suspension_seq", "scope", "seq", unique=True),
        {"sqlite_with_rowid": False},
    )

    scope: str = Field(primary_key=True, foreign_key="suspension_scope.scope")
    token: bytes = Field(primary_key=True)
    status: int
    seq: int = Field(sa_type=BigInteger)
