"""How the server's keys follow each other: each pair is signed with the key before it.

A counter believes one signing key, that of its enrolment. It takes another only over a chain of
signatures that begins at the one it believes, so it never goes back, and never sideways: no key signs
what came before it. `hello` alone replaces nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mykey_tui.wire.messages import SUCCESSION_CONTEXT, SUCCESSIONS_MAX, Succession

FINGERPRINT_LENGTH = 16


def succeed(sign_key: Ed25519PrivateKey, *, server_key: bytes, seal_key: bytes) -> Succession:
    """Hand over from `sign_key` to the next public keys. The same keys give the same bytes."""
    before = sign_key.public_key().public_bytes_raw()
    signed = _signed(before, server_key=server_key, seal_key=seal_key)
    return Succession(server_key, seal_key, sign_key.sign(signed))


def follow(chain: Sequence[Succession], *, known: bytes) -> Succession | None:
    """The newest keys of a chain that leads on from the signing key `known`; None where none does.

    Links before `known` are passed over, and every link after it must be signed with the key of the
    one before. Never raises, whatever the bytes are.
    """
    if len(chain) > SUCCESSIONS_MAX:
        return None
    reached = [number for number, link in enumerate(chain, 1) if link.server_key == known]
    onward = chain[reached[-1] if reached else 0 :]
    for link in onward:
        if not is_signed(link, by=known):
            return None
        known = link.server_key
    return onward[-1] if onward else None


def fingerprint(*, server_key: bytes, seal_key: bytes) -> str:
    """A short name of a pair of public keys: 16 hex digits. It tells pairs apart, and proves nothing."""
    return hashlib.sha256(server_key + seal_key).hexdigest()[:FINGERPRINT_LENGTH]


def is_signed(link: Succession, *, by: bytes) -> bool:
    """Whether the holder of this signing key named these keys as its successors. Never raises."""
    try:
        Ed25519PublicKey.from_public_bytes(by).verify(
            link.signature, _signed(by, server_key=link.server_key, seal_key=link.seal_key)
        )
    except (InvalidSignature, ValueError):
        return False
    return True


def _signed(before: bytes, *, server_key: bytes, seal_key: bytes) -> bytes:
    return SUCCESSION_CONTEXT + msgspec.msgpack.encode((before, server_key, seal_key))
