"""Edits of a certificate that have a name: each breaks one rule, or none that matters."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeAlias

from tests.proofs.fuzz.der import (
    CN_TEXT,
    COUNTRY_TEXT,
    EXTENSIONS,
    PUBLIC_KEY,
    SERIAL,
    VALIDITY,
    VERSION,
    Node,
    Path,
    at,
    children,
    content_of,
    encode,
    put,
    raw,
)

SIZE_MAX = 2048
"""What `trust.certificate` takes; written down here once more, so that a change of it shows."""
TEXT_KINDS = (0x0C, 0x13, 0x16, 0x14, 0x1A, 0x1C, 0x1E)
"""UTF8, Printable, IA5, Teletex, Visible, Universal, BMP."""

_FILLER = 256
_UNKNOWN, _KEY_USAGE, _POLICIES, _CONSTRAINTS = (
    raw(bytes.fromhex(oid)) for oid in ("0603883701", "0603551d0f", "0603551d20", "0603551d13")
)
_CRITICAL = raw(bytes.fromhex("0101ff"))
_RSA, _P384, _ED25519, _X25519, _NO_KEY = (
    raw(bytes.fromhex(algorithm))
    for algorithm in (
        "300d06092a864886f70d0101010500",
        "301006072a8648ce3d020106052b81040022",
        "300506032b6570",
        "300506032b656e",
        "300506032a0304",
    )
)

Edit: TypeAlias = Callable[[Random, Node], Node]


def _serial(dice: Random, root: Node) -> Node:
    """Not positive."""
    return put(root, SERIAL, Node(0x02, dice.choice((b"\x00", b"\xff", b"\x86\xd1\x80\x06"))))


def _extension_twice(dice: Random, root: Node) -> Node:
    path = (*EXTENSIONS, dice.randrange(len(children(root, EXTENSIONS))))
    return put(root, path, at(root, path), at(root, path))


def _too_long(dice: Random, root: Node) -> Node:
    """By one byte mostly."""
    size = SIZE_MAX + dice.choice((1, 1, 1, 2, 1000))
    filler = _FILLER + size - len(encode(_with_extension(root, _UNKNOWN, _octets(bytes(_FILLER)))))
    return _with_extension(root, _UNKNOWN, _octets(bytes(max(0, filler))))


def _unknown_critical(dice: Random, root: Node) -> Node:
    return _with_extension(root, _UNKNOWN, _CRITICAL, _octets(dice.randbytes(4)))


def _version(dice: Random, root: Node) -> Node:
    """1 or 2, with extensions all the same."""
    return put(root, VERSION, *dice.choice(((), (raw(bytes.fromhex("a003020101")),))))


def _usage(dice: Random, root: Node) -> Node:
    """For more than signing, for something else, for nothing; or not critical."""
    bits = dice.choice(("030206c0", "03020106", "03020430", "030100", "03020780"))
    critical = () if bits == "03020780" else (_CRITICAL,)
    extension = Node(0x30, (_KEY_USAGE, *critical, _octets(bytes.fromhex(bits))))
    return put(root, _place_of(root, _KEY_USAGE), extension)


def _policy(dice: Random, root: Node) -> Node:
    """Another one, or none."""
    other = Node(0x30, (_POLICIES, _CRITICAL, _octets(bytes.fromhex("3007300506032a0304"))))
    return put(root, _place_of(root, _POLICIES), *dice.choice(((), (other,))))


def _is_a_ca(dice: Random, root: Node) -> Node:
    return _with_extension(root, _CONSTRAINTS, _CRITICAL, _octets(bytes.fromhex("30030101ff")))


def _validity(dice: Random, root: Node) -> Node:
    """Over, to come, the wrong way round, or no dates at all. Judged on 2026-06-01."""
    times = dice.choice(
        (
            (b"240101000000Z", b"250101000000Z"),
            (b"270101000000Z", b"300101000000Z"),
            (b"311301000000Z", b"300101000000Z"),
            (b"300101000000Z", b"260501000000Z"),
            (b"", b""),
        )
    )
    return put(root, VALIDITY, Node(0x30, tuple(Node(0x17, moment) for moment in times)))


def _key(dice: Random, root: Node) -> Node:
    """Too small, too large, of a small exponent, of another kind, a point off its curve, none."""
    size, exponent = dice.choice(((128, 65537), (1024, 65537), (256, 3), (256, 1), (2, 65537)))
    modulus = b"\0\xc1" + dice.randbytes(size - 2) + b"\x01"
    numbers = (Node(0x02, modulus), Node(0x02, exponent.to_bytes(3, "big").lstrip(b"\0")))
    odd = (
        (_RSA, encode(Node(0x30, numbers))),
        (_P384, b"\x04" + dice.randbytes(96)),
        (_ED25519, dice.randbytes(32)),
        (_X25519, dice.randbytes(32)),
        (_NO_KEY, b""),
        (_RSA, dice.randbytes(40)),
    )
    algorithm, key = dice.choice(odd)
    return put(root, PUBLIC_KEY, Node(0x30, (algorithm, Node(0x03, b"\0" + key))))


def _cn(dice: Random, root: Node) -> Node:
    """Another length, other characters, or no text."""
    text = content_of(root, CN_TEXT)
    other = (text[:-1], text + b"B", text.lower(), b"", text[:-1] + b"\0", b"\xff" * 23)
    return put(root, CN_TEXT, Node(dice.choice((0x0C, 0x0C, 0x13, 0x03)), dice.choice(other)))


def _country(dice: Random, root: Node) -> Node:
    other = ((0x13, b"KR"), (0x13, b"jp"), (0x0C, b"JPN"), (0x13, b""), (0x03, b"\0JP"))
    return put(root, COUNTRY_TEXT, Node(*dice.choice(other)))


def _another_serial(dice: Random, root: Node) -> Node:
    return put(root, SERIAL, Node(0x02, b"\x06" + dice.randbytes(3)))


def _cn_in_another_kind(dice: Random, root: Node) -> Node:
    """The same text in another kind of string, which a reader may understand."""
    kind, text = dice.choice(TEXT_KINDS), content_of(root, CN_TEXT).decode("ascii", "replace")
    wide = {0x1C: "utf-32-be", 0x1E: "utf-16-be"}.get(kind, "utf-8")
    return put(root, CN_TEXT, Node(kind, text.encode(wide)))


MUST_BE_REFUSED: tuple[Edit, ...] = (
    _serial,
    _extension_twice,
    _too_long,
    _unknown_critical,
    _version,
    _usage,
    _policy,
    _is_a_ca,
    _validity,
    _key,
    _cn,
    _country,
)
"""The signature of the CA itself must not help these."""
MAY_BE_ACCEPTED: tuple[Edit, ...] = (_another_serial, _cn_in_another_kind)
"""Another certificate, and a good one where the CA signs it."""


def _octets(content: bytes) -> Node:
    return Node(0x04, content)


def _with_extension(root: Node, *parts: Node) -> Node:
    last = (*EXTENSIONS, len(children(root, EXTENSIONS)) - 1)
    return put(root, last, at(root, last), Node(0x30, parts))


def _place_of(root: Node, oid: Node) -> Path:
    """Raises `LookupError` where no extension has this name."""
    for number in range(len(children(root, EXTENSIONS))):
        if content_of(root, (*EXTENSIONS, number)).startswith(encode(oid)):
            return (*EXTENSIONS, number)
    raise LookupError
