"""The store's tables, on a registry of their own. `tests/contract` compares them with a list.

No MyKey ID, no certificate in the clear, no name, and no time of a person's act: a mutation keeps
its age (`queued_at`) until the server has answered, and loses it in the transaction of the answer.
`synced_at` is the counter's own: when it last had every change.
"""

from __future__ import annotations

from enum import Enum, unique

from sqlalchemy import MetaData, Table
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

_registry = registry(metadata=MetaData())


@unique
class MutationState(Enum):
    """Where a mutation of this counter stands."""

    WAITING = "waiting"
    PARKED = "parked"
    """Tried often enough for somebody to look; goes again by itself, slowly."""
    CONFLICT = "conflict"
    """Refused for good: the server's rows say otherwise."""
    INVALID = "invalid"
    """Refused for good: it can never succeed."""
    DONE = "done"
    """In effect at the server (or looked at by a person); kept as journal, with no time."""


class StoreTable(SQLModel, registry=_registry):
    """Base of the store's tables. A `table=True` model validates nothing: values are checked before."""


def table_of(model: type[StoreTable]) -> Table:
    """The bare table behind a model, for what is read often."""
    return _registry.metadata.tables[str(model.__tablename__)]


class StoredLink(StoreTable, table=True):
    """A row of the server's, as last received. Removed rows are not kept."""

    __tablename__ = "link"
    __table_args__ = {"sqlite_with_rowid": False}  # the mapper's own form

    token: bytes = Field(primary_key=True)
    binding: bytes | None = None
    service_id: str
    status: int
    seq: int


class StoredNextLink(StoreTable, table=True):
    """The same while all rows are loaded anew: swapped with `link` when complete."""

    __tablename__ = "link_next"
    __table_args__ = {"sqlite_with_rowid": False}

    token: bytes = Field(primary_key=True)
    binding: bytes | None = None
    service_id: str
    status: int
    seq: int


class StoredLoading(StoreTable, table=True):
    """One row while `link_next` is being filled: how far it is."""

    __tablename__ = "loading"

    id: int = Field(primary_key=True)
    epoch: str
    by_log: int
    """1: of a server without snapshots."""
    next_bucket: int | None = None
    """The first bucket that is still to come; none when the log is what is still to come."""
    cursor: int | None = None
    """From which seq on the log is to be read: the one of the first part."""
    digest: bytes
    rows: int
    refused: int


class StoredSuspension(StoreTable, table=True):
    """A token of this provider's that is suspended, as the signed list says. No reason, no time."""

    __tablename__ = "suspension"
    __table_args__ = {"sqlite_with_rowid": False}

    token: bytes = Field(primary_key=True)


class StoredSuspensionHead(StoreTable, table=True):
    """One row: which signed state the suspensions are of. The times are the server's own."""

    __tablename__ = "suspension_head"

    id: int = Field(primary_key=True)
    epoch: str
    seq: int
    digest: bytes
    total: int
    issued_at: int
    not_after: int


class StoredLocalLink(StoreTable, table=True):
    """What a waiting mutation does here already; lies over `link`. No service ID: it was removed."""

    __tablename__ = "local_link"
    __table_args__ = {"sqlite_with_rowid": False}

    token: bytes = Field(primary_key=True)
    service_id: str | None = None
    mid: int


class StoredMutation(StoreTable, table=True):
    """Queue and journal: what this counter did, numbered without gaps, each chained to the last."""

    __tablename__ = "outbox"

    mid: int = Field(primary_key=True)
    """This counter's own number; what the wire calls `mid` is `number`, and that one may change."""
    op: str
    v: int
    token: bytes
    service_id: str
    prev: bytes
    sealed: bytes
    seen_seq: int
    state: str
    code: str | None = None
    tries: int = 0
    queued_at: int | None = None
    """Unix time; only until the server has answered."""
    acked_seq: int | None = None
    """The scope's seq in the answer; the row goes when a verified backup holds it."""
    incarnation: bytes = b""
    number: int = 0
    """Without gaps within an incarnation."""
    origin_incarnation: bytes | None = None
    """Under what the seal was made, where the item has been numbered anew since."""
    origin_number: int | None = None
    origin_op: str | None = None
    replaces: str | None = None
    """Of `replace` alone: the service ID that gives way."""
    other_service_id: str | None = None
    """Of a refusal (S-DUP), until somebody has looked: the service ID that the person has here."""


class StoredIdentity(StoreTable, table=True):
    """One row: what enrolment gave."""

    __tablename__ = "identity"

    id: int = Field(primary_key=True)
    device_id: str
    incarnation: bytes
    provider_id: str
    provider_name: str
    scope: str
    provider_key: bytes
    digest_key: bytes
    seal_key: bytes
    device_key: bytes
    server_url: str
    profile: str
    counter_name: str
    service_id_format: str
    server_key: bytes | None = None
    server_ca: bytes | None = None


class StoredProgress(StoreTable, table=True):
    """One row: how far this counter is, and sums that would cost a scan."""

    __tablename__ = "progress"

    id: int = Field(primary_key=True)
    epoch: str | None = None
    cursor: int = 0
    digest: bytes
    rows: int = 0
    position_seq: int | None = None
    position_digest: bytes | None = None
    mark_seq: int | None = None
    mark_digest: bytes | None = None
    durable_through: int = 0
    last_mid: int = 0
    last_hash: bytes
    refused_rows: int = 0
    """Rows of the server's that could not be read and are therefore not here."""
    synced_at: int | None = None
    clock_offset_ms: int = 0
    time_floor: int | None = None
    """Unix time that has certainly come: by the server's clock, noted every few minutes."""
    recover_due: int = 0
    """1: this file may have come from a copy; nothing is sent until its numbers are drawn anew."""
    parked_sent_at: int | None = None
    """Unix time when parked mutations last went again by themselves: one time for all of them."""
    parked_next: int = 1
    """The mid from which they go on the next time, so that none is always the last."""
    last_number: int = 0
    """Newest number given within the present incarnation; `last_mid` counts through all of them."""
    fingerprint: bytes | None = None
    """Of the machine and the file, keyed: a copy on another machine or in another file has another."""
    age_noted: float = 0
    """Seconds since the last complete pull, when last noted."""
    age_boot: str | None = None
    age_boot_seconds: float = 0
    """The boot-time clock at that moment."""
    lookups: int = 0
    """Look-ups since the last complete pull: a number, with no time and no person."""
    green_seconds: int | None = None
    refuse_seconds: int | None = None
    lookups_max: int | None = None
    """The provider's staleness policy, as the server last told."""
    repaired_at: int | None = None
    """Unix time when rows that differ from the server's were last fetched anew."""
