"""The form of a file that is carried between a counter and its server on a stick (持ち運び).

    magic | length, header | length, sealed message | … | length, sealed end | signature

Lengths are 4 bytes, big-endian; the header is the only thing in the clear, and says no more than
which counter's file this is. Each message is sealed by itself (HPKE, RFC 9180, single shot) to the
one who may read it, bound to the header, to its place in the file, and to whether it is the end: so
no message can be left out, moved, or taken from another file. The signature (Ed25519) covers
everything before it and is checked over the whole file before anything is opened.

A file of any size is written and read one message at a time.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO, Literal, TypeAlias

import msgspec
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Meta, Struct

from mykey_tui.domain.errors import MyKeyError
from mykey_tui.wire.messages import (
    BODY_BYTES_MAX,
    Fingerprint,
    Key,
    Position,
    Scope,
    Seq,
    Successions,
    Token,
    Uuid,
)

MAGIC = b"MYKEY-BUNDLE-1\n"
BUNDLE_BYTES_MAX = 1 << 30
MESSAGE_BYTES_MAX = 8 * 1024 * 1024
"""As large as a reply on the line may be."""
MESSAGES_MAX = 20_000
"""Two million mutations, or ten thousand parts of a snapshot."""
HEADER_BYTES_MAX = 8 * 1024
"""Mostly below 100 bytes; a change of the server's keys that the counter has missed adds 160."""
INCARNATIONS_MAX = 51

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
_SEAL_BYTES = 48
"""What sealing adds: the encapsulated key and the tag."""
_CONTEXT = b"mykey-bundle-1"
_SIGNATURE_BYTES = 64
_LENGTH_BYTES = 4
_READ_BYTES = 1024 * 1024

Kind: TypeAlias = Literal["export", "reply"]
BundleId = Annotated[bytes, Meta(min_length=16, max_length=16)]


class BundleError(MyKeyError):
    """Not a bundle, damaged, cut short, too large, or changed by somebody. Nothing of it was used."""


class ForeignBundleError(MyKeyError):
    """A sound file of another kind, or somebody else's."""


class BundleHeader(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which file this is. In the clear: no person, no token, no provider, no time."""

    kind: Kind
    id: BundleId
    device: Uuid
    successions: Successions = []
    """Of a reply: how the server came to the key that signs it, where the counter knows a former one.

    Here and not in a message, because it is needed before the signature is checked. Left out where it
    is empty: a program of before keys could change reads such a header, and no other.
    """


class ExportStart(Struct, frozen=True):
    """The first message of an export: where the counter stands. What follows are `Ask`s."""

    reply_key: Key
    """X25519: what the reply is sealed to."""
    scope: Scope
    incarnations: Annotated[list[Token], Meta(min_length=1, max_length=INCARNATIONS_MAX)]
    """The present one first; after it those of the journal, which a reset asks about."""
    last_number: Seq
    """Newest mutation number of the present incarnation."""
    cursor: Seq
    whole: bool
    """All rows are wanted: there are none yet, or they are not proven."""
    position: Position | None
    mark: Position | None
    suspension_seq: Seq
    """0: the whole list of suspensions is wanted."""
    believes: Fingerprint | None = None
    """Which of the server's keys the counter believes. None: a program that cannot follow to others."""


class Ask(Struct, frozen=True):
    """A request that the counter would make on the line: a push, or a question about its numbers."""

    request: Literal["POST /v1/push", "POST /v1/recover"]
    body: Annotated[bytes, Meta(max_length=BODY_BYTES_MAX)]


class ReplyStart(Struct, frozen=True):
    """The first message of a reply. What follows are `Answer`s."""

    export: BundleId
    """Which export this answers."""
    made_at: int
    """Unix time of the server: rows that were carried are as old as this says."""


class Answer(Struct, frozen=True):
    """What the server answered to one request: the same bytes as on the line, not packed."""

    request: str
    """`GET` or `POST`, a blank, and path and query."""
    body: bytes
    """Of a `POST`: what was asked with it."""
    status: int
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message lies in its file."""

    index: int
    offset: int
    length: int


def reply_key_of(device_key: bytes) -> X25519PrivateKey:
    """The key that opens a counter's replies: follows from its device key, and is kept nowhere."""
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=_CONTEXT + b"-reply")
    return X25519PrivateKey.from_private_bytes(derived.derive(device_key))


class BundleWriter:
    """Writes one bundle, message by message. What is not finished is no bundle."""

    def __init__(
        self,
        file: BinaryIO,
        header: BundleHeader,
        *,
        seal_to: X25519PublicKey,
        sign_with: Ed25519PrivateKey,
    ) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._header = msgspec.msgpack.encode(header)
        self._seal_to = seal_to
        self._sign_with = sign_with
        self._count = 0
        self._size = 0
        self._write(MAGIC + len(self._header).to_bytes(_LENGTH_BYTES, "big") + self._header)

    def add(self, message: Struct) -> None:
        """Seal a message and write it. Raises `BundleError` when the file would grow too large."""
        self._add(msgspec.msgpack.encode(message), last=False)

    def finish(self) -> None:
        """Write the end and the signature."""
        self._add(b"", last=True)
        self._file.write(self._sign_with.sign(_signed(self._header, self._hash.digest())))

    def _add(self, content: bytes, *, last: bool) -> None:
        info = _info(self._header, self._count, last=last)
        sealed = _SUITE.encrypt(content, self._seal_to, info)
        self._count += 1
        if len(content) > MESSAGE_BYTES_MAX or self._count > MESSAGES_MAX:
            raise BundleError("too large for one bundle")
        self._write(len(sealed).to_bytes(_LENGTH_BYTES, "big") + sealed)

    def _write(self, content: bytes) -> None:
        self._size += len(content)
        if self._size > BUNDLE_BYTES_MAX - _SIGNATURE_BYTES:
            raise BundleError("too large for one bundle")
        self._hash.update(content)
        self._file.write(content)


def open_bundle(path: Path) -> BinaryIO:
    """Open a file that somebody carried here. Raises `OSError`, and `BundleError` for no plain file."""
    # Not blocking: a pipe of that name would otherwise hold whoever opens it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    file = os.fdopen(descriptor, "rb")
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode) or not len(MAGIC) < about.st_size <= BUNDLE_BYTES_MAX:
        file.close()
        raise BundleError("no plain file of a fit size")
    return file


def read_header(file: BinaryIO) -> BundleHeader:
    """Whose file this says it is: nothing is proven yet. Raises `BundleError`."""
    file.seek(0)
    if file.read(len(MAGIC)) != MAGIC:
        raise BundleError("no bundle")
    length = int.from_bytes(file.read(_LENGTH_BYTES), "big")
    if length > HEADER_BYTES_MAX:
        raise BundleError("no header")
    try:
        return msgspec.msgpack.decode(file.read(length), type=BundleHeader)
    except (msgspec.MsgspecError, ValueError) as error:
        raise BundleError("no header") from error


class BundleReader:
    """Reads a bundle whose signature was checked over the whole file."""

    def __init__(
        self, file: BinaryIO, *, signed_by: Ed25519PublicKey, open_with: Sequence[X25519PrivateKey]
    ) -> None:
        """Check signature and form, and find out which key opens it. Raises `BundleError`.

        `open_with` are the keys that it may be sealed to, the likeliest first.
        """
        self._file = file
        header = read_header(file)
        start = file.tell()
        self._header = msgspec.msgpack.encode(header)
        end = os.fstat(file.fileno()).st_size - _SIGNATURE_BYTES
        # Read again as bytes: another encoding of the same header is another file.
        if start != len(MAGIC) + _LENGTH_BYTES + len(self._header) or end <= start:
            raise BundleError("no header, or nothing behind it")
        self._check_signature(end, signed_by)
        self._places = tuple(self._find_messages(start, end))
        self._open_with = self._fitting(open_with)

    def messages(self) -> Iterator[tuple[Place, bytes]]:
        """Each message with its place. Raises `BundleError` where one does not open."""
        for place in self._places[:-1]:
            yield place, self.message(place)

    def message(self, place: Place) -> bytes:
        """The message at a place. Raises `BundleError`, also where the file has changed since."""
        return self._opened(place, last=False)

    def check_all(self) -> None:
        """Open every message once, the end too. Raises `BundleError`."""
        if self._opened(self._places[-1], last=True):
            raise BundleError("something in the end")
        for _ in self.messages():
            pass

    def _check_signature(self, end: int, signed_by: Ed25519PublicKey) -> None:
        self._file.seek(0)
        digest, left = hashlib.sha256(), end
        while left > 0:
            part = self._file.read(min(left, _READ_BYTES))
            if not part:
                raise BundleError("cut short")
            digest.update(part)
            left -= len(part)
        try:
            signature = self._file.read(_SIGNATURE_BYTES)
            signed_by.verify(signature, _signed(self._header, digest.digest()))
        except InvalidSignature as error:
            raise BundleError("signature") from error

    def _fitting(self, keys: Sequence[X25519PrivateKey]) -> X25519PrivateKey:
        """The key that opens the end; each file is sealed to one."""
        place = self._places[-1]
        for key in keys:
            with suppress(InvalidTag, ValueError):
                self._decrypted(place, key, last=True)
                return key
        raise BundleError("a message does not open")

    def _find_messages(self, start: int, end: int) -> Iterator[Place]:
        offset, index = start, 0
        while offset < end:
            self._file.seek(offset)
            length = int.from_bytes(self._file.read(_LENGTH_BYTES), "big")
            offset += _LENGTH_BYTES
            too_long = length > MESSAGE_BYTES_MAX + _SEAL_BYTES or offset + length > end
            if too_long or length < _SEAL_BYTES or index >= MESSAGES_MAX:
                raise BundleError("no message")
            yield Place(index, offset, length)
            offset, index = offset + length, index + 1

    def _opened(self, place: Place, *, last: bool) -> bytes:
        try:
            return self._decrypted(place, self._open_with, last=last)
        except (InvalidTag, ValueError) as error:
            raise BundleError("a message does not open") from error

    def _decrypted(self, place: Place, key: X25519PrivateKey, *, last: bool) -> bytes:
        self._file.seek(place.offset)
        sealed = self._file.read(place.length)
        return _SUITE.decrypt(sealed, key, _info(self._header, place.index, last=last))


def _info(header: bytes, index: int, *, last: bool) -> bytes:
    return _CONTEXT + msgspec.msgpack.encode((header, index, last))


def _signed(header: bytes, digest: bytes) -> bytes:
    return _CONTEXT + msgspec.msgpack.encode((header, digest))
