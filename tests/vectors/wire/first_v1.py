"""The messages as the first form of v1 had them: what an older counter or server speaks.

A copy on purpose, and never edited: `tests/unit/wire/test_versions.py` and
`tests/server/test_older_counter.py` hold today's program against it.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

PUSH_ITEMS_MAX = 100
SEALED_BYTES_MAX = 4096

Token = Annotated[bytes, Meta(min_length=16, max_length=16)]
Tag = Annotated[bytes, Meta(min_length=8, max_length=8)]
Digest = Annotated[bytes, Meta(min_length=16, max_length=16)]
Key = Annotated[bytes, Meta(min_length=32, max_length=32)]
Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
Uuid = Annotated[str, Meta(min_length=36, max_length=36)]
Seq = Annotated[int, Meta(ge=0, lt=2**53)]
Mid = Annotated[int, Meta(ge=1, lt=2**53)]
Scope = Annotated[str, Meta(min_length=1, max_length=128)]


class EnrolRequest(Struct, frozen=True, forbid_unknown_fields=True):
    code: Annotated[str, Meta(min_length=10, max_length=16)]
    public_key: Key
    name: Annotated[str, Meta(min_length=1, max_length=64)]


class EnrolReply(Struct, frozen=True):
    device_id: Uuid
    provider_id: str
    provider_name: str
    scope: Scope
    provider_key: Key
    digest_key: Key
    seal_key: Key
    service_id_format: str
    server_time: str
    profile: str = "simulated"


class Limits(Struct, frozen=True):
    page_rows: int
    push_items: int
    body_bytes: int


class HelloReply(Struct, frozen=True):
    proto: list[int]
    schema: int
    min_schema: int
    epoch: str
    server_time: str
    limits: Limits
    poll_after_s: float
    durable_through: Seq
    last_mid: int
    profile: str = "simulated"


class Position(Struct, frozen=True, forbid_unknown_fields=True):
    epoch: str
    seq: Seq
    digest: Digest


class HeadReply(Struct, frozen=True):
    epoch: str
    seq: Seq
    horizon: Seq
    digest: Digest
    server_time: str


Row: TypeAlias = tuple[Token, Tag | None, str, int, Seq]


class ScopeHead(Struct, frozen=True):
    seq: Seq
    digest: Digest


class LogReply(Struct, frozen=True):
    next: Seq
    more: bool
    rows: list[Row]
    head: ScopeHead | None = None


class PushItem(Struct, frozen=True, forbid_unknown_fields=True):
    mid: Mid
    op: Annotated[str, Meta(min_length=1, max_length=16)]
    v: Annotated[int, Meta(ge=1, lt=2**31)]
    token: Token
    sid: Annotated[str, Meta(min_length=0, max_length=32)]
    seen_seq: Seq
    prev: Hash
    sealed: Annotated[bytes, Meta(min_length=1, max_length=SEALED_BYTES_MAX)]


class PushRequest(Struct, frozen=True, forbid_unknown_fields=True):
    device: Uuid
    incarnation: Token
    scope: Scope
    base: Position | None
    mark: Position | None
    items: Annotated[list[PushItem], Meta(max_length=PUSH_ITEMS_MAX)]


VerdictName: TypeAlias = Literal["applied", "already", "conflict", "invalid", "held", "retry"]


class ItemVerdict(Struct, frozen=True, omit_defaults=True):
    mid: int
    verdict: VerdictName
    kind: str | None = None
    row: Row | None = None
    retry_after_s: float | None = None


class PushReply(Struct, frozen=True):
    epoch: str
    seq: Seq
    digest: Digest
    server_time: str
    items: list[ItemVerdict]
    expect_mid: int | None = None


class SealedLink(Struct, frozen=True, forbid_unknown_fields=True):
    certificate: Annotated[bytes, Meta(min_length=1, max_length=2048)]


class Problem(Struct, frozen=True, omit_defaults=True):
    type: str
    title: str
    status: int
    server_time: str | None = None
    epoch: str | None = None
    action: str | None = None


def item_hash(item: PushItem) -> bytes:
    return hashlib.sha256(msgspec.msgpack.encode(item)).digest()
