"""The file on a stick: sealed message by message, signed as a whole; nothing can be moved in it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from mykey_tui.wire import bundle
from mykey_tui.wire.bundle import (
    MAGIC,
    Ask,
    BundleError,
    BundleHeader,
    BundleReader,
    BundleWriter,
    open_bundle,
    read_header,
    reply_key_of,
)

DEVICE = "0d1e6fb0-6c1b-4d0e-9a59-7f4a4d9a0001"
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OPENER = X25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
HEADER = BundleHeader("export", bytes(16), DEVICE)
OTHER = BundleHeader("export", bytes([1] * 16), DEVICE)


def asks(*bodies: bytes) -> list[Ask]:
    return [Ask("POST /v1/push", body) for body in bodies]


def written(messages: list[Ask], header: BundleHeader = HEADER) -> bytes:
    file = BytesIO()
    writer = BundleWriter(file, header, seal_to=OPENER.public_key(), sign_with=SIGNER)
    for message in messages:
        writer.add(message)
    writer.finish()
    return file.getvalue()


def opened(path: Path, content: bytes, signer: Ed25519PrivateKey = SIGNER) -> list[bytes]:
    """The bodies of the file, after every check."""
    path.write_bytes(content)
    with open_bundle(path) as file:
        reader = BundleReader(file, signed_by=signer.public_key(), open_with=[OPENER])
        reader.check_all()
        return [msgspec.msgpack.decode(m, type=Ask).body for _, m in reader.messages()]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stick") / "file"


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_what_was_written_is_read_in_its_order(place: Path, bodies: list[bytes]) -> None:
    assert opened(place, written(asks(*bodies))) == bodies


def parts_of(content: bytes) -> tuple[bytes, list[bytes]]:
    """Header and sealed messages, each with its length, without the signature."""
    at = len(MAGIC)
    at += 4 + int.from_bytes(content[at : at + 4], "big")
    head, messages = content[:at], []
    while at < len(content) - 64:
        length = 4 + int.from_bytes(content[at : at + 4], "big")
        messages.append(content[at : at + length])
        at += length
    return head, messages


def signed_again(head: bytes, messages: list[bytes]) -> bytes:
    """As somebody does who holds the signing key, and not the one that opens."""
    content = head + b"".join(messages)
    header = head[len(MAGIC) + 4 :]
    return content + SIGNER.sign(bundle._signed(header, hashlib.sha256(content).digest()))


Change = Callable[[list[bytes]], list[bytes]]


@pytest.mark.parametrize(
    "change",
    [
        lambda m: [m[1], m[0], *m[2:]],
        lambda m: [m[0], *m[2:]],
        lambda m: [m[0], m[0], *m[1:]],
        lambda m: m[:-1],
        lambda m: [m[-1]],
        lambda m: [*m, m[-1]],
        lambda m: [*m[:-1], parts_of(written(asks(b"x", b"y"), OTHER))[1][0], m[-1]],
        lambda m: [parts_of(written(asks(b"x", b"y"), OTHER))[1][0], *m[1:]],
    ],
)
def test_no_message_is_left_out_moved_or_taken_from_another_file(
    place: Path, change: Change
) -> None:
    head, messages = parts_of(written(asks(b"one", b"two", b"three")))
    assert opened(place, signed_again(head, messages)) == [b"one", b"two", b"three"]
    with pytest.raises(BundleError):
        opened(place, signed_again(head, change(messages)))


@pytest.mark.parametrize(
    "header",
    [OTHER, BundleHeader("reply", bytes(16), DEVICE), BundleHeader("export", bytes(16), "x" * 36)],
)
def test_the_messages_belong_to_their_header(place: Path, header: BundleHeader) -> None:
    _, messages = parts_of(written(asks(b"one")))
    head, _ = parts_of(written([], header))
    with pytest.raises(BundleError):
        opened(place, signed_again(head, messages))


def test_another_key_signed(place: Path) -> None:
    with pytest.raises(BundleError):
        opened(place, written(asks(b"one")), Ed25519PrivateKey.generate())


def test_a_header_in_another_encoding_is_another_file(place: Path) -> None:
    fields = {"id": bytes(16), "kind": "export", "device": DEVICE}
    raw = msgspec.msgpack.encode(fields)
    head = MAGIC + len(raw).to_bytes(4, "big") + raw
    _, messages = parts_of(written(asks(b"one")))
    with pytest.raises(BundleError):
        opened(place, signed_again(head, messages))


@pytest.mark.parametrize(
    "content",
    [
        b"hello, this is a text file and nothing else",
        MAGIC + b"\xff\xff\xff\xff" + bytes(100),
        MAGIC + b"\x00\x00\x00\x04junk" + bytes(100),
        MAGIC + b"\x00\x00\x00\x00" + bytes(100),
    ],
)
def test_what_is_no_bundle_is_refused(place: Path, content: bytes) -> None:
    place.write_bytes(content)
    with open_bundle(place) as file, pytest.raises(BundleError):
        read_header(file)


def test_what_is_no_plain_file_of_a_fit_size_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises((BundleError, IsADirectoryError)):
        open_bundle(tmp_path)
    (tmp_path / "empty").touch()
    with pytest.raises(BundleError):
        open_bundle(tmp_path / "empty")
    monkeypatch.setattr(bundle, "BUNDLE_BYTES_MAX", 100)
    (tmp_path / "long").write_bytes(bytes(101))
    with pytest.raises(BundleError):
        open_bundle(tmp_path / "long")


@pytest.mark.parametrize(
    ("name", "most"), [("MESSAGES_MAX", 3), ("MESSAGE_BYTES_MAX", 100), ("BUNDLE_BYTES_MAX", 500)]
)
def test_no_file_grows_without_bound(monkeypatch: pytest.MonkeyPatch, name: str, most: int) -> None:
    monkeypatch.setattr(bundle, name, most)
    with pytest.raises(BundleError):
        written(asks(*[bytes(90)] * 5))


def test_a_length_that_lies_is_refused(place: Path) -> None:
    head, messages = parts_of(written(asks(b"one")))
    for length in (0, 47, len(messages[0]) + 10_000, 2**32 - 1):
        lying = length.to_bytes(4, "big") + messages[0][4:]
        with pytest.raises(BundleError):
            opened(place, signed_again(head, [lying, *messages[1:]]))


def test_the_key_of_replies_follows_from_the_devices_key_and_is_another() -> None:
    key = reply_key_of(bytes(32))
    assert key.private_bytes_raw() == reply_key_of(bytes(32)).private_bytes_raw()
    assert key.private_bytes_raw() not in (bytes(32), reply_key_of(bytes([1] * 32)))
