"""Enrolled counters, the codes that enrol them, and what they have sent."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index
from sqlmodel import Field

from mykey_server.tables.base import ServerTable

TERMINAL_ACTIVE = 0
TERMINAL_RETIRED = 1
TERMINAL_QUARANTINED = 2


class TerminalTable(ServerTable, table=True):
    """A counter: bound to one provider and one Ed25519 key."""

    __tablename__ = "terminal"
    __table_args__ = (Index("ix_terminal_scope", "scope"),)

    device_id: str = Field(primary_key=True)
    scope: str = Field(foreign_key="provider.scope")
    name: str
    public_key: bytes
    status: int
    site: str | None
    """Where it stands, as the operator said when the code was made; `name` is its own word."""
    believes: str | None = None
    """Fingerprint of the server's keys that it believes, as it last said; None before it ever did."""


class EnrolmentCodeTable(ServerTable, table=True):
    """A one-time code: the first characters find the row, the rest is kept as a keyed hash only."""

    __tablename__ = "enrolment_code"

    prefix: str = Field(primary_key=True)
    secret_tag: bytes
    scope: str = Field(foreign_key="provider.scope")
    expires_at: int = Field(sa_type=BigInteger)
    """Seconds since 1970: an operator's deadline, no person's act."""
    wrong_tries: int
    device_id: str | None
    """The counter that used it; the same counter gets the same reply again."""
    site: str | None


class MutationTable(ServerTable, table=True):
    """The verdict of each numbered mutation, stored in the transaction of its effect.

    Final, but for `held`.
    """

    __tablename__ = "mutation"
    __table_args__ = ({"sqlite_with_rowid": False},)

    device_id: str = Field(primary_key=True, foreign_key="terminal.device_id")
    incarnation: bytes = Field(primary_key=True)
    mid: int = Field(primary_key=True, sa_type=BigInteger)
    item_hash: bytes
    verdict: str
    kind: str | None


class HeldTable(ServerTable, table=True):
    """A mutation that could not be decided yet; its row goes when it is."""

    __tablename__ = "held"
    __table_args__ = ({"sqlite_with_rowid": False},)

    device_id: str = Field(primary_key=True, foreign_key="terminal.device_id")
    incarnation: bytes = Field(primary_key=True)
    mid: int = Field(primary_key=True, sa_type=BigInteger)
    token_tag: bytes
    """Keyed hash of counter, file and token: finds what must wait behind, and names nobody."""
    sid_tag: bytes
    """The same of the service ID."""
