"""The MyKey ID management table: who is registered, and which service ID each provider uses."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, text
from sqlmodel import Field

from mykey_server.tables.base import ServerTable

KIND_DEFAULT = "default"
KIND_CHOSEN = "chosen"
ORIGIN_COUNTER = "counter"
ORIGIN_RENEWAL = "renewal"
PERSON_ACTIVE = 0
PERSON_SUSPENDED = 1
PERSON_RENEWED = 2
"""The links were carried over to a successor; this MyKey ID never counts again."""

_CHOSEN = text("kind = 'chosen'")
_LIVE = text("status < 2")


class PersonTable(ServerTable, table=True):
    """A registered MyKey ID. A default one is unique as 14 + 9, a chosen one as 14 alone."""

    __tablename__ = "my_key_id"
    __table_args__ = (
        Index(
            "uq_my_key_id_chosen",
            "my_key_id",
            unique=True,
            sqlite_where=_CHOSEN,
            postgresql_where=_CHOSEN,
        ),
        Index("uq_my_key_id_successor", "successor_id", "successor_code", unique=True),
    )

    my_key_id: str = Field(primary_key=True)
    terminal_code: str = Field(primary_key=True)
    kind: str
    origin: str
    status: int
    certificate_tag: bytes
    """Keyed hash of the certificate's issuer and serial; the certificate itself is not kept."""
    successor_id: str | None
    """Of a renewed MyKey ID: the one that has its links now. A MyKey ID has one predecessor."""
    successor_code: str | None


class LinkTable(ServerTable, table=True):
    """A provider's service ID of a person. A tombstone (status 9) names neither any more.

    A renewed link (status 2) names no service ID: the successor's row has it.
    """

    __tablename__ = "link"
    __table_args__ = (
        ForeignKeyConstraint(
            ["my_key_id", "terminal_code"],
            ["my_key_id.my_key_id", "my_key_id.terminal_code"],
            name="fk_link_my_key_id",
        ),
        Index("uq_link_seq", "scope", "seq", unique=True),
        Index(
            "uq_link_service_id",
            "scope",
            "service_id",
            unique=True,
            sqlite_where=_LIVE,
            postgresql_where=_LIVE,
        ),
        Index("ix_link_person", "my_key_id", "terminal_code"),
        {"sqlite_with_rowid": False},
    )

    scope: str = Field(primary_key=True, foreign_key="scope.scope")
    token: bytes = Field(primary_key=True)
    my_key_id: str | None
    terminal_code: str | None
    binding: bytes | None
    service_id: str
    status: int
    seq: int = Field(sa_type=BigInteger)
