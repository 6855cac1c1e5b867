"""An older counter reads a newer server, a newer counter an older server, and a queue keeps its hashes."""

from __future__ import annotations

from types import ModuleType

import msgspec
import pytest

from mykey_tui.wire import messages
from tests.vectors.wire import first_v1, make_messages

VECTORS = make_messages.HERE
REQUESTS = ("EnrolRequest", "PushItem", "PushRequest")
FIRST = sorted(path.stem for path in (VECTORS / "first").glob("*.json"))
NOW = sorted(path.stem for path in (VECTORS / "now").glob("*.json"))
FIRST_ITEM_HASH = "4cd75fc0fb0ab564d512f15f3454738dd0bea7c804c6df18bcbac01b7322cb0d"


def decode(form: ModuleType, folder: str, name: str, media: str) -> msgspec.Struct:
    kind = getattr(form, name.partition(".")[0])
    content = (VECTORS / folder / f"{name}.{media}").read_bytes()
    if media == "json":
        decoded: msgspec.Struct = msgspec.json.decode(content, type=kind)
    else:
        decoded = msgspec.msgpack.decode(content, type=kind)
    return decoded


def test_there_are_messages_to_compare() -> None:
    assert len(FIRST) == len(make_messages.samples(first_v1))
    assert len(NOW) == len(FIRST) + len(make_messages.later_samples())


@pytest.mark.parametrize("media", ["json", "msgpack"])
@pytest.mark.parametrize("name", FIRST)
def test_todays_program_reads_what_the_first_form_wrote(name: str, media: str) -> None:
    assert decode(messages, "first", name, media) == make_messages.samples(messages)[name]


@pytest.mark.parametrize("media", ["json", "msgpack"])
@pytest.mark.parametrize("name", [name for name in NOW if name.partition(".")[0] in FIRST])
def test_a_program_of_the_first_form_reads_todays_replies(name: str, media: str) -> None:
    if name == "PushItem.later":  # Sent only to a server whose `hello` says that it knows it.
        with pytest.raises(msgspec.ValidationError, match="unknown field"):
            decode(first_v1, "now", name, media)
        return
    read = decode(first_v1, "now", name, media)
    if name in FIRST:
        assert read == make_messages.samples(first_v1)[name]
    else:
        assert type(read).__name__ == name.partition(".")[0]


@pytest.mark.parametrize("media", ["json", "msgpack"])
@pytest.mark.parametrize("name", NOW)
def test_todays_messages_have_the_bytes_that_were_published(name: str, media: str) -> None:
    made = (make_messages.samples(messages) | make_messages.later_samples())[name]
    encode = msgspec.json.encode if media == "json" else msgspec.msgpack.encode
    ending = b"\n" if media == "json" else b""
    assert encode(made) + ending == (VECTORS / "now" / f"{name}.{media}").read_bytes()


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_without_later_fields_has_the_bytes_of_the_first_form(name: str) -> None:
    first = (VECTORS / "first" / f"{name}.msgpack").read_bytes()
    assert (VECTORS / "now" / f"{name}.msgpack").read_bytes() == first


def test_the_hash_of_an_item_that_waits_since_the_first_form_is_unchanged() -> None:
    item = decode(messages, "first", "PushItem", "msgpack")
    old = decode(first_v1, "first", "PushItem", "msgpack")
    assert isinstance(item, messages.PushItem)
    assert isinstance(old, first_v1.PushItem)
    assert messages.item_hash(item) == first_v1.item_hash(old) == bytes.fromhex(FIRST_ITEM_HASH)


def test_a_later_field_is_part_of_the_hash() -> None:
    item = make_messages.samples(messages)["PushItem"]
    assert isinstance(item, messages.PushItem)
    other = msgspec.structs.replace(item, replaces="A-1")
    assert messages.item_hash(other) != messages.item_hash(item)
