"""The digest of a scope: proof that counter and server hold the same rows.

Sum modulo 2^128 of a keyed blake2b-128 of every live row, so that one change costs one
subtraction and one addition. Keyed, because a plain sum can be steered by whoever chooses rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TypeAlias

from mykey_tui.domain.link import LinkRow, LinkStatus

DIGEST_LENGTH = 16
DIGEST_KEY_LENGTH = 32
EMPTY_DIGEST = bytes(DIGEST_LENGTH)
_MODULUS = 1 << (8 * DIGEST_LENGTH)
_REMOVED = LinkStatus.REMOVED.value

BareRow: TypeAlias = tuple[bytes, bytes | None, str, int, int]
"""token, binding, service ID, status number, seq"""


def row_weight(digest_key: bytes, row: LinkRow) -> int:
    """What a row adds to the sum; a removed row (tombstone) adds nothing."""
    return weight(digest_key, row.token, row.binding, row.service_id.text, row.status.value)


def weight(
    digest_key: bytes, token: bytes, binding: bytes | None, service_id: str, status: int
) -> int:
    """The same for a row's bare values, as files and messages hold them."""
    return weigh(digest_key, [(token, binding, service_id, status, 0)])


def weigh(digest_key: bytes, rows: Iterable[BareRow]) -> int:
    """What rows add to the sum together; not reduced by the modulus.

    The keyed state is made once and copied for each row: that takes two thirds of the time, and a
    first load weighs a hundred thousand.
    """
    keyed = hashlib.blake2b(digest_size=DIGEST_LENGTH, key=digest_key)
    total = 0
    for token, binding, service_id, status, _ in rows:
        if status == _REMOVED:
            continue
        tag = binding or b""
        state = keyed.copy()
        state.update(b"%c%b%b%c%b" % (len(tag), token, tag, status, service_id.encode()))
        total += int.from_bytes(state.digest(), "big")
    return total


def replace(digest: bytes, *, removed: int, added: int) -> bytes:
    """The digest after one row's old weight left and its new weight came."""
    value = (int.from_bytes(digest, "big") - removed + added) % _MODULUS
    return value.to_bytes(DIGEST_LENGTH, "big")
