"""The digest of a scope: proof that counter and server hold the same rows.

Sum modulo 2^128 of a keyed blake2b-128 of every live row, so that one change costs one
subtraction and one addition. Keyed, because a plain sum can be steered by whoever chooses rows.
"""

from __future__ import annotations

import hashlib

from mykey_tui.domain.link import LinkRow, LinkStatus

DIGEST_LENGTH = 16
DIGEST_KEY_LENGTH = 32
EMPTY_DIGEST = bytes(DIGEST_LENGTH)
_MODULUS = 1 << (8 * DIGEST_LENGTH)
_REMOVED = LinkStatus.REMOVED.value


def row_weight(digest_key: bytes, row: LinkRow) -> int:
    """What a row adds to the sum; a removed row (tombstone) adds nothing."""
    return weight(digest_key, row.token, row.binding, row.service_id.text, row.status.value)


def weight(
    digest_key: bytes, token: bytes, binding: bytes | None, service_id: str, status: int
) -> int:
    """The same for a row's bare values, as files and messages hold them; pages have thousands."""
    if status == _REMOVED:
        return 0
    tag = binding or b""
    data = b"%c%b%b%c%b" % (len(tag), token, tag, status, service_id.encode())
    return int.from_bytes(
        hashlib.blake2b(data, digest_size=DIGEST_LENGTH, key=digest_key).digest(), "big"
    )


def replace(digest: bytes, *, removed: int, added: int) -> bytes:
    """The digest after one row's old weight left and its new weight came."""
    value = (int.from_bytes(digest, "big") - removed + added) % _MODULUS
    return value.to_bytes(DIGEST_LENGTH, "big")
