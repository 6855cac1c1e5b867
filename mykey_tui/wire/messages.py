"""The messages of protocol v1, one Struct each. `docs/protocol.md` is the same in prose.

JSON by default, msgpack when the counter asks for it (`Accept: application/msgpack`); bytes are
base64 (RFC 4648, section 4) in JSON and raw in msgpack. What the server takes in forbids unknown
fields; a reply may grow, so that an older counter survives a newer server.

No message carries a time of a person's act: a queued mutation's age stays at the counter.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum, unique
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

PROTOCOL_VERSION = 1
SCHEMA = 1
"""Number of the row form below; the server names the oldest that it still serves."""

MSGPACK = "application/msgpack"
JSON = "application/json"
PROBLEM_JSON = "application/problem+json"

BODY_BYTES_MAX = 256 * 1024
"""Largest request body (threat T22: floods and slow clients). Published in `hello.limits`."""
PUSH_ITEMS_MAX = 100
PAGE_ROWS_MAX = 10_000
SEALED_BYTES_MAX = 4096
"""A certificate of at most 2 kB, its frame and the seal."""

Token = Annotated[bytes, Meta(min_length=16, max_length=16)]
Tag = Annotated[bytes, Meta(min_length=8, max_length=8)]
Digest = Annotated[bytes, Meta(min_length=16, max_length=16)]
Key = Annotated[bytes, Meta(min_length=32, max_length=32)]
Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
Uuid = Annotated[str, Meta(min_length=36, max_length=36)]
Seq = Annotated[int, Meta(ge=0, lt=2**53)]
Mid = Annotated[int, Meta(ge=1, lt=2**53)]
Scope = Annotated[str, Meta(min_length=1, max_length=130)]
"""A provider's alias, or `S:` and the alias: the provider's suspensions."""
Epoch = Annotated[str, Meta(pattern=r"^[0-9A-Za-z]{1,64}$(?!\n)")]
"""Random name of a server's history. `$` alone would let one line end pass."""
Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
Bucket = Annotated[int, Meta(ge=0, lt=256)]
"""First byte of a token. Tokens are keyed hashes, so all buckets are of about one size."""

SUSPENSION_PREFIX = "S:"
BUCKETS = 256
SNAPSHOT_ROWS_MAX = 20_000
"""A part of a snapshot ends with the bucket that fills it."""
RECOVER_ITEMS_MAX = 1000
POLL_WAIT_SECONDS_MAX = 25
"""Longest wait of a long poll: shorter than the idle time-outs of common proxies."""


@unique
class Feature(StrEnum):
    """What a server can do beyond the first form of v1. A counter uses only what `hello` names."""

    SNAPSHOT = "snapshot"
    DIGEST = "digest"
    SUSPENSIONS = "suspensions"
    RECOVER = "recover"
    ORIGIN = "origin"
    """`origin`, `replaces` and the operation `replace` in a pushed item."""
    POLL = "poll"
    """`GET /v1/poll`, signed with `hello.poll_key`."""
    WAIT = "wait"
    """Long poll on `heads`."""


def is_epoch(text: str) -> bool:
    """Whether this can name a history at all, as every message demands."""
    try:
        msgspec.convert(text, Epoch)
    except msgspec.ValidationError:
        return False
    return True


class EnrolRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A counter asks to belong to the provider of a one-time code. Unsigned; may be sent again."""

    code: Annotated[str, Meta(min_length=10, max_length=16)]
    public_key: Key
    name: Annotated[str, Meta(min_length=1, max_length=64)]


class EnrolReply(Struct, frozen=True):
    """All that a counter needs to know. The same request with the same key gets it again."""

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
    """Which cards the server takes for this provider: `simulated` (test CA) or `jpki`."""
    server_key: Key | None = None
    """Ed25519: signs the state of the suspensions, and the end of a retired counter."""


SUCCESSIONS_MAX = 32
"""Changes of the server's keys that a counter can have missed: one a year, and a working life."""


class Succession(Struct, frozen=True):
    """The server's next pair of keys, in the words of the pair before it (`wire.succession`)."""

    server_key: Key
    seal_key: Key
    signature: Signature
    """Made with the key that `server_key` takes the place of."""


Fingerprint = Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
"""Of a pair of the server's keys (`wire.succession.fingerprint`)."""
Successions = Annotated[list[Succession], Meta(max_length=SUCCESSIONS_MAX)]
"""Oldest first, each signed with the key of the one before."""


class Staleness(Struct, frozen=True):
    """How old a counter's rows may be (the provider's choice), and how much it may do meanwhile."""

    green_s: int
    """Up to this age nobody is told anything."""
    refuse_s: int
    """Between the two a clerk confirms; beyond, nothing is handed over. At most 7 days."""
    lookups_max: int
    """Look-ups since the last complete pull: a box without power ages by no clock."""


class Limits(Struct, frozen=True):
    """What the server takes at most; the counter never guesses."""

    page_rows: int
    push_items: int
    body_bytes: int


class HelloReply(Struct, frozen=True):
    """What the server speaks and what it knows of this counter."""

    proto: list[int]
    schema: int
    min_schema: int
    epoch: Epoch
    server_time: str
    limits: Limits
    poll_after_s: float
    durable_through: Seq
    last_mid: int
    """Newest mid with a verdict under the incarnation that `?incarnation=<32 hex digits>` named."""
    profile: str = "simulated"
    features: list[str] = []
    """`Feature` values; a counter ignores what it does not know."""
    server_key: Key | None = None
    staleness: Staleness | None = None
    poll_key: Key | None = None
    """Signs this counter's polls (`wire.poll`), and nothing else. Kept in memory only."""
    successions: Successions | UnsetType = UNSET
    """How the server came to its present keys; left out while it has those that it was made with."""


class Position(Struct, frozen=True, forbid_unknown_fields=True):
    """A place in a scope's history that a counter has reached or was told of."""

    epoch: Epoch
    seq: Seq
    digest: Digest


class SuspensionState(Struct, frozen=True):
    """What the server signs of a suspension scope, so that no old or shortened list passes.

    Signed are the bytes of its msgpack form, after the context `SUSPENSION_CONTEXT`.
    """

    scope: Scope
    epoch: Epoch
    seq: Seq
    digest: Digest
    total: Seq
    """How many are suspended."""
    issued_at: int
    """Unix time of the server."""
    not_after: int
    """Unix time from which on this says nothing about the present any more."""


SUSPENSION_CONTEXT = b"mykey-suspensions-1"
RETIRED_CONTEXT = b"mykey-retired-1"
"""Before the device id in what the server signs when it ends a counter."""
SUCCESSION_CONTEXT = b"mykey-succession-1"
"""Before the keys in what the server signs when it changes them."""


class HeadReply(Struct, frozen=True):
    """The newest place of a scope. This is the poll: one row read."""

    epoch: Epoch
    seq: Seq
    horizon: Seq
    digest: Digest
    server_time: str
    state: bytes | None = None
    """Of a suspension scope: a `SuspensionState` in msgpack, and the server's signature of it."""
    signature: Signature | None = None


Row: TypeAlias = tuple[Token, Tag | None, str, int, Seq]
"""token, binding (chosen IDs only), service ID, status number, seq

A tombstone (status 9) has an empty service ID: nothing of the removed link stays.
"""


class ScopeHead(Struct, frozen=True):
    """Where the scope stood when the last page was read."""

    seq: Seq
    digest: Digest


class LogReply(Struct, frozen=True):
    """Rows after a seq, in seq order, at most one row per token."""

    next: Seq
    more: bool
    rows: Annotated[list[Row], Meta(max_length=PAGE_ROWS_MAX)]
    head: ScopeHead | None = None


class SnapshotReply(Struct, frozen=True):
    """Whole buckets of a scope as they stand at `seq`, as columns in token order.

    A counter asks from bucket 0 on until `next` is None, then reads the log from the first part's
    `seq`: what moved meanwhile comes again. So a broken line costs one part, never all of them.
    Every row counts as changed at this part's `seq`.
    """

    first: Bucket
    next: Bucket | None
    seq: Seq
    digest: Digest
    """Of the whole scope at `seq`."""
    tokens: bytes
    """16 bytes each."""
    service_ids: str
    """One a line, each line ended."""
    statuses: bytes
    """One byte each."""
    bindings: dict[int, Tag] = {}
    """By row number; chosen IDs only."""


class DigestReply(Struct, frozen=True):
    """The scope's digest in parts: which bucket is not the same?"""

    epoch: Epoch
    seq: Seq
    digest: Digest
    buckets: Annotated[bytes, Meta(min_length=4096, max_length=4096)]
    """256 digests of 16 bytes, by bucket. Their sum modulo 2^128 is `digest`."""


class PollReply(Struct, frozen=True):
    """Where the provider's scopes stand. Its ETag, shown again, is answered 304 while they stay.

    `suspension_seq` is None at a server that has no suspensions of its own scope.
    """

    epoch: Epoch
    seq: Seq
    suspension_seq: Seq | None = None


class Origin(Struct, frozen=True, forbid_unknown_fields=True):
    """Under which number and operation an item was sealed, where that is not its present one."""

    incarnation: Token
    mid: Mid
    op: Annotated[str, Meta(min_length=1, max_length=16)]


class PushItem(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One numbered mutation. `sealed` is opened by the server alone; `prev` chains the items.

    Defaults are left out, so that the hash of an item that has none of the later fields is the same
    in every version.
    """

    mid: Mid
    op: Annotated[str, Meta(min_length=1, max_length=16)]
    """`link`, `unlink` or `replace`; another one is `invalid{op}` for itself alone."""
    v: Annotated[int, Meta(ge=1, lt=2**31)]
    token: Token
    sid: Annotated[str, Meta(min_length=0, max_length=32)]
    seen_seq: Seq
    prev: Hash
    sealed: Annotated[bytes, Meta(min_length=1, max_length=SEALED_BYTES_MAX)]
    origin: Origin | None = None
    """Set where sealed bytes go again under a new number: the seal is bound to the old one."""
    replaces: Annotated[str, Meta(min_length=1, max_length=32)] | None = None
    """Of `replace` alone: the service ID that a person saw standing there and gave up."""


class KnownItem(Struct, frozen=True, forbid_unknown_fields=True):
    """A mutation that a restored counter still has."""

    mid: Mid
    hash: Hash


class RecoverRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A counter whose file came back from a copy asks what became of its numbers."""

    device: Uuid
    incarnation: Token
    scope: Scope
    items: Annotated[list[KnownItem], Meta(max_length=RECOVER_ITEMS_MAX)]


class PushRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A batch in mid order, from one device and one incarnation of its database."""

    device: Uuid
    incarnation: Token
    scope: Scope
    base: Position | None
    mark: Position | None
    items: Annotated[list[PushItem], Meta(max_length=PUSH_ITEMS_MAX)]


VerdictName: TypeAlias = Literal["applied", "already", "conflict", "invalid", "held", "retry"]


class ItemVerdict(Struct, frozen=True, omit_defaults=True):
    """What became of one mutation.

    `applied`, `already`, `conflict` and `invalid` are final: stored, and the same at every replay.
    `held` is stored and not final: the server could not decide this item now (its own anchors,
    clock or code), later items go on, and the same bytes sent again are decided then. `retry` is
    not stored: the item waits behind a missing number.

    `kind` says which conflict (`key_linked`, `sid_taken`, `id_suspended`, `id_revoked`,
    `id_renewed`, `not_registered`) or which field is invalid (`op`, `sid`, `seal`, `token`,
    `certificate`). `row` is the row as it stands now, where there is one and it is the provider's.
    """

    mid: int
    verdict: VerdictName
    kind: str | None = None
    row: Row | None = None
    retry_after_s: float | None = None


class RecoveredItem(Struct, frozen=True, omit_defaults=True):
    """`same`: with this content, and `verdict`. `other`: with another. `unknown`: never seen."""

    mid: int
    state: Literal["same", "other", "unknown"]
    verdict: ItemVerdict | None = None


class RecoverReply(Struct, frozen=True):
    """In the order of the items. Asking changes nothing."""

    epoch: Epoch
    seq: Seq
    digest: Digest
    items: Annotated[list[RecoveredItem], Meta(max_length=RECOVER_ITEMS_MAX)]


class PushReply(Struct, frozen=True):
    """Verdicts in the order of the items, and the place of the scope after the batch."""

    epoch: Epoch
    seq: Seq
    digest: Digest
    server_time: str
    items: Annotated[list[ItemVerdict], Meta(max_length=PUSH_ITEMS_MAX)]
    expect_mid: int | None = None


class SealedLink(Struct, frozen=True, forbid_unknown_fields=True):
    """Inside the seal: the certificate as it was read, DER."""

    certificate: Annotated[bytes, Meta(min_length=1, max_length=2048)]


class Problem(Struct, frozen=True, omit_defaults=True):
    """How the server says no (RFC 9457): `type` is one of `problems.ProblemType`."""

    type: str
    title: str
    status: int
    server_time: str | None = None
    epoch: Epoch | None = None
    action: str | None = None
    reason: str | None = None
    """Of a reset: `epoch`, `horizon`, `diverged`, `schema` or `scope_revoked`."""
    proof: bytes | None = None
    """Of `device-retired`: the server's signature of `RETIRED_CONTEXT` and the device id."""
    successions: Successions = []
    """With `proof`: a counter that was away while the keys changed must still believe it."""


def to_msgpack(message: Struct) -> bytes:
    """Encode for sending or for hashing; fields in declared order, so equal means equal bytes."""
    return msgspec.msgpack.encode(message)


FIRST_PREV = bytes(32)
"""`prev` of mid 1: nothing stands before it."""


def item_hash(item: PushItem) -> bytes:
    """What `prev` of the next item holds, and what the server keeps beside its verdict.

    A device that shows one mid with two hashes is a copied disk.
    """
    return hashlib.sha256(to_msgpack(item)).digest()
