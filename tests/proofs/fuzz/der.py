"""A certificate as a tree whose parts can be changed, and written down again: well or badly."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple, TypeAlias

CONSTRUCTED = 0x20


class Node(NamedTuple):
    """One element. Without a tag it is bytes that stand there as they are."""

    tag: int | None
    content: bytes | tuple[Node, ...]


Path: TypeAlias = tuple[int, ...]
"""The way from the root: the number of the child, of its child, and so on."""

TBS, OUTER_ALGORITHM, SIGNATURE = (0,), (1,), (2,)
VERSION, SERIAL, INNER_ALGORITHM = (0, 0), (0, 1), (0, 2)
VALIDITY, SUBJECT, PUBLIC_KEY = (0, 4), (0, 5), (0, 6)
COUNTRY_TEXT, CN_TEXT = (*SUBJECT, 0, 0, 1), (*SUBJECT, 1, 0, 1)
EXTENSIONS = (0, 7, 0)
"""Places in a certificate as the simulated CA issues it."""


def raw(content: bytes) -> Node:
    """Bytes that stand there as they are."""
    return Node(None, content)


def length_field(length: int) -> bytes:
    """DER: the shortest form."""
    if length < 0x80:
        return bytes([length])
    field = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(field)]) + field


def encode(node: Node) -> bytes:
    """The bytes of the element."""
    tag, content = node
    body = content if isinstance(content, bytes) else b"".join([encode(c) for c in content])
    return body if tag is None else bytes([tag]) + length_field(len(body)) + body


@cache
def decode(der: bytes) -> Node:
    """The tree of well-formed DER with tags of one byte."""
    (node,) = _decode_all(der)
    return node


def _decode_all(der: bytes) -> tuple[Node, ...]:
    nodes, place = [], 0
    while place < len(der):
        tag, length, place = der[place], der[place + 1], place + 2
        if length & 0x80:
            begin, place = place, place + (length & 0x7F)
            length = int.from_bytes(der[begin:place], "big")
        body, place = der[place : place + length], place + length
        nodes.append(Node(tag, _decode_all(body) if tag & CONSTRUCTED else body))
    return tuple(nodes)


@lru_cache(4096)
def paths(root: Node) -> tuple[Path, ...]:
    """The places of all elements below the root."""
    if isinstance(root.content, bytes):
        return ()
    found: list[Path] = []
    for number, child in enumerate(root.content):
        found += [(number,), *((number, *path) for path in paths(child))]
    return tuple(found)


def at(root: Node, path: Path) -> Node:
    """The element at a place. Raises `LookupError` where there is none."""
    for number in path:
        if isinstance(root.content, bytes):
            raise LookupError  # noqa: TRY004  # a place that is not there
        root = root.content[number]
    return root


def put(root: Node, path: Path, *new: Node) -> Node:
    """The tree with these elements in place of the one that stands there: none, one or several.

    Raises `LookupError` where no element stands.
    """
    if isinstance(root.content, bytes):
        raise LookupError  # noqa: TRY004  # a place that is not there
    number, *rest = path
    if rest:
        new = (put(root.content[number], tuple(rest), *new),)
    return Node(root.tag, (*root.content[:number], *new, *root.content[number + 1 :]))


def children(root: Node, path: Path) -> tuple[Node, ...]:
    """What stands in the element at a place. Raises `LookupError` where that is no sequence."""
    content = at(root, path).content
    if isinstance(content, bytes):
        raise LookupError  # noqa: TRY004  # a place that is not there
    return content


def content_of(root: Node, path: Path) -> bytes:
    """The bytes in the element at a place, without its tag and length."""
    return encode(Node(None, at(root, path).content))
