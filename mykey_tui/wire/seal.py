"""The seal of a mutation's private part: HPKE (RFC 9180), base mode, single shot.

X25519, HKDF-SHA256, AES-128-GCM. The box that sealed cannot open. The seal is bound to the
mutation that carries it, so a sealed certificate cannot be moved under another service ID.
"""

from __future__ import annotations

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from mykey_tui.wire.messages import Origin, PushItem, SealedLink

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)


class SealError(Exception):
    """The seal does not open with this key for this mutation, or holds no link."""


def seal_context(
    *,
    device: str,
    incarnation: bytes,
    scope: str,
    mid: int,
    op: str,
    v: int,
    token: bytes,
    sid: str,
) -> bytes:
    """What the seal is bound to (the `info` of RFC 9180): all that stands outside it."""
    return b"mykey-seal-1" + msgspec.msgpack.encode(
        (device, incarnation, scope, mid, op, v, token, sid)
    )


def context_of(item: PushItem, *, device: str, incarnation: bytes, scope: str) -> bytes:
    """The context of an item as it arrived: of its origin, where it was sealed under that."""
    origin = item.origin or Origin(incarnation, item.mid, item.op)
    return seal_context(
        device=device,
        incarnation=origin.incarnation,
        scope=scope,
        mid=origin.mid,
        op=origin.op,
        v=item.v,
        token=item.token,
        sid=item.sid,
    )


def seal(content: SealedLink, *, seal_key: bytes, context: bytes) -> bytes:
    """Seal to the server's X25519 public key (32 bytes)."""
    return _SUITE.encrypt(
        msgspec.msgpack.encode(content), X25519PublicKey.from_public_bytes(seal_key), context
    )


def open_seal(sealed: bytes, *, private_key: X25519PrivateKey, context: bytes) -> SealedLink:
    """Open a seal. Raises `SealError` for a wrong key, another context or a changed byte."""
    try:
        content = _SUITE.decrypt(sealed, private_key, context)
        return msgspec.msgpack.decode(content, type=SealedLink)
    except (InvalidTag, ValueError, msgspec.MsgspecError) as error:
        raise SealError from error
