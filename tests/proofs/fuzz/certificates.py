"""Certificates with something wrong: edits of real shapes, under an old, a forger's or the CA's signature."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path as FilePath
from random import Random
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from mykey_tui.simulated.ca import Issuer, forger, generation
from tests.proofs.fuzz.der import (
    INNER_ALGORITHM,
    OUTER_ALGORITHM,
    SERIAL,
    SIGNATURE,
    TBS,
    Node,
    Path,
    at,
    content_of,
    decode,
    encode,
    length_field,
    paths,
    put,
    raw,
)
from tests.proofs.fuzz.edits import MAY_BE_ACCEPTED, MUST_BE_REFUSED, SIZE_MAX, TEXT_KINDS

VECTORS = FilePath(__file__).parents[2] / "vectors" / "certs"
AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
"""The day on which the vectors are judged."""
GOOD = ("good-generation-2", "good-generation-3")
_NO_TREE = ("1-truncated", "1-bytes-behind")
_OTHER_KINDS = (0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x09, 0x0A, 0x17, 0x18, 0x80, 0xA0)

_SHA256_RSA, _WITHOUT_NULL, _SHA512_RSA, _SHA1_RSA, _MD5_RSA, _PSS, _ECDSA = (
    bytes.fromhex(algorithm)
    for algorithm in (
        "300d06092a864886f70d01010b0500",
        "300b06092a864886f70d01010b",
        "300d06092a864886f70d01010d0500",
        "300d06092a864886f70d0101050500",
        "300d06092a864886f70d0101040500",
        "300d06092a864886f70d01010a3000",
        "300a06082a8648ce3d040302",
    )
)
_WRONG_ALGORITHMS: tuple[tuple[bytes, bytes, hashes.HashAlgorithm], ...] = (
    (_SHA1_RSA, _SHA256_RSA, hashes.SHA256()),
    (_SHA512_RSA, _SHA256_RSA, hashes.SHA256()),
    (_PSS, _SHA256_RSA, hashes.SHA256()),
    (_ECDSA, _SHA256_RSA, hashes.SHA256()),
    (_WITHOUT_NULL, _SHA256_RSA, hashes.SHA256()),
    (_SHA256_RSA, _SHA512_RSA, hashes.SHA512()),
    (_SHA256_RSA, _PSS, hashes.SHA256()),
    (_SHA1_RSA, _SHA1_RSA, hashes.SHA1()),  # noqa: S303  # it must be refused
    (_MD5_RSA, _MD5_RSA, hashes.MD5()),  # noqa: S303  # it must be refused
)
"""Inside, outside, and what the signature is really made with."""


class Shown(NamedTuple):
    """What a card shows, and the signed parts with which it may be accepted."""

    der: bytes
    entitled: frozenset[bytes]


@cache
def vectors() -> dict[str, bytes]:
    """The certificates of tests/vectors: good ones, and one at least for every check."""
    return {path.stem: path.read_bytes() for path in sorted(VECTORS.glob("*.der"))}


@cache
def entitled() -> frozenset[bytes]:
    """The signed parts of the good ones, as the library sees them and not as we do."""
    return frozenset(
        x509.load_der_x509_certificate(vectors()[name]).tbs_certificate_bytes for name in GOOD
    )


@cache
def _trees() -> tuple[Node, ...]:
    return tuple(decode(der) for name, der in vectors().items() if name not in _NO_TREE)


def draw(dice: Random) -> Shown:  # noqa: PLR0911  # one line for each kind
    """One certificate with something wrong, and now and then one with nothing wrong."""
    share = dice.random()
    if share < 0.02:
        return Shown(dice.choice(list(vectors().values())), entitled())
    if share < 0.3:
        return Shown(_scratched(dice, vectors()[dice.choice(GOOD)]), entitled())
    if share < 0.8:
        return Shown(encode(_edited(dice, _base(dice))), entitled())
    if share < 0.88:
        return Shown(_exchanged(dice), entitled())
    if share < 0.92:
        return Shown(_bomb(dice), entitled())
    if share < 0.94:
        forged = edit_inside(dice, _base(dice))
        return Shown(_signed(at(forged, TBS), forger()), entitled())
    return _signed_by_the_ca(dice)


def _base(dice: Random) -> Node:
    """Mostly a good one; the others have passed some checks and must fall at theirs."""
    if dice.random() < 0.7:
        return decode(vectors()[dice.choice(GOOD)])
    return dice.choice(_trees())


def _scratched(dice: Random, good: bytes) -> bytes:
    """Bytes without regard to what they mean: flipped, cut off, pushed in, put twice, put behind."""
    place = dice.randrange(len(good))
    match dice.randrange(6):
        case 0 | 1:
            changed = bytearray(good)
            for _ in range(dice.choice((1, 1, 1, 2, 3, 20))):
                changed[dice.randrange(len(good))] ^= 1 << dice.randrange(8)
            return bytes(changed)
        case 2:
            return good[:place]
        case 3:
            return good[:place] + dice.randbytes(dice.randint(1, 8)) + good[place:]
        case 4:
            return good[: place + dice.randint(1, 64)] + good[place:]
        case _:
            return good + dice.randbytes(dice.choice((1, 2, 16, SIZE_MAX + 1 - len(good))))


def _edited(dice: Random, root: Node) -> Node:
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        root = edit_inside(dice, root) if dice.random() < 0.8 else _edit_outside(dice, root)
    return root


def edit_inside(dice: Random, root: Node) -> Node:
    """One edit of the signed part: one with a name, or any at any place."""
    if dice.random() < 0.3:
        try:
            return dice.choice((*MUST_BE_REFUSED, *MAY_BE_ACCEPTED))(dice, root)
        except LookupError:
            return root  # The edit before this one took the place away.
    return _edit_at(dice, root, [path for path in paths(root) if path[0] == TBS[0]])


def _edit_outside(dice: Random, root: Node) -> Node:
    return _edit_at(dice, root, [path for path in paths(root) if path[0] != TBS[0]])


def _edit_at(dice: Random, root: Node, places: list[Path]) -> Node:  # noqa: PLR0911  # one each
    if not places:
        return root
    path = dice.choice(places)
    node, body = at(root, path), content_of(root, path)
    tag = 0x30 if node.tag is None else node.tag
    match dice.randrange(9):
        case 0:
            return put(root, path)
        case 1:
            return put(root, path, node, node)
        case 2:
            return put(root, path, Node(dice.choice(TEXT_KINDS + _OTHER_KINDS), body))
        case 3:
            return put(root, path, Node(tag, body[: dice.randint(0, len(body))]))
        case 4:
            return put(root, path, Node(tag, body + dice.randbytes(dice.randint(1, 40))))
        case 5:
            return put(root, path, Node(tag, dice.randbytes(len(body))))
        case 6:
            return put(root, path, raw(_with_a_lie(dice, tag, body)))
        case 7:
            return put(root, path, at(root, dice.choice(places)))
        case _:
            return put(root, path, Node(tag, _nested(dice, body)))


def _with_a_lie(dice: Random, tag: int, body: bytes) -> bytes:
    """The element with a length that is wrong, or right and in a form that DER forbids."""
    length = len(body)
    field = dice.choice(
        (
            length_field(max(0, length + dice.randint(-5, 5))),
            b"\x80",
            b"\x81" + bytes([length & 0xFF]),
            b"\x82" + (length & 0xFFFF).to_bytes(2, "big"),
            b"\x84" + length.to_bytes(4, "big"),
            b"\x84\xff\xff\xff\xff",
            b"\x88" + b"\x7f" * 8,
            b"\xff",
        )
    )
    return bytes([tag]) + field + body


def _nested(dice: Random, body: bytes) -> bytes:
    for _ in range(dice.choice((1, 2, 10, 100, 400))):
        body = b"\x30" + length_field(len(body)) + body
    return body


def _exchanged(dice: Random) -> bytes:
    """The signed part of one certificate, the algorithm of one, and the signature of another."""
    one, other = dice.choice(_trees()), dice.choice(_trees())
    if dice.random() < 0.5:
        one = edit_inside(dice, one)
    algorithm = at(dice.choice((one, other)), OUTER_ALGORITHM)
    return encode(Node(0x30, (at(one, TBS), algorithm, at(other, SIGNATURE))))


def _bomb(dice: Random) -> bytes:
    """No certificate at all: depth, long names, long numbers, long nothing."""
    size = dice.choice((0, 1, 100, SIZE_MAX, SIZE_MAX + 1, 30_000))
    match dice.randrange(5):
        case 0:
            return _nested(dice, dice.randbytes(min(size, 200)))
        case 1:
            return encode(Node(0x30, dice.randbytes(size)))
        case 2:
            return encode(Node(0x30, (Node(0x06, b"\xff" * size + b"\x01"),)))
        case 3:
            return b"\x30\x80" * dice.choice((1, 10, 1000))
        case _:
            good = decode(vectors()[GOOD[1]])
            return encode(put(good, SERIAL, Node(0x02, b"\x7f" + dice.randbytes(size))))


def _signed_by_the_ca(dice: Random) -> Shown:
    """A CA that signs nonsense: what is refused here is refused by a check of ours alone."""
    root, share = decode(vectors()[GOOD[1]]), dice.random()
    if share < 0.15:
        tbs = at(dice.choice(MAY_BE_ACCEPTED)(dice, root), TBS)
        return Shown(_signed(tbs, generation(3)), frozenset({encode(tbs)}))
    if share < 0.3:
        inside, outside, digest = dice.choice(_WRONG_ALGORITHMS)
        tbs = at(put(root, INNER_ALGORITHM, raw(inside)), TBS)
        return Shown(_signed(tbs, generation(3), outside, digest), entitled())
    tbs = at(dice.choice(MUST_BE_REFUSED)(dice, root), TBS)
    return Shown(_signed(tbs, generation(3)), entitled())


def _signed(
    tbs: Node,
    issuer: Issuer,
    algorithm: bytes = _SHA256_RSA,
    digest: hashes.HashAlgorithm | None = None,
) -> bytes:
    content = encode(tbs)
    signature = issuer.key.sign(content, PKCS1v15(), digest or hashes.SHA256())
    return encode(Node(0x30, (raw(content), raw(algorithm), Node(0x03, b"\0" + signature))))
