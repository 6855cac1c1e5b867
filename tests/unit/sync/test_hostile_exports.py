"""An export of a counter that was taken over: soundly signed, and anything else but sound."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mykey_server.bundle import BundleRefusedError, Carried, carry
from mykey_server.settings import Settings
from mykey_tui.domain.digest import EMPTY_DIGEST
from mykey_tui.wire.bundle import (
    Answer,
    Ask,
    BundleHeader,
    BundleReader,
    BundleWriter,
    ExportStart,
    open_bundle,
    reply_key_of,
)
from mykey_tui.wire.messages import Position, PushRequest, to_msgpack
from tests.unit.sync.conftest import Counter, Site

EPOCH = "0123456789abcdef"
SOUND = ExportStart(
    reply_key=bytes(32),
    scope="A-alpha1-0001",
    incarnations=[bytes(16)],
    last_number=0,
    cursor=0,
    whole=True,
    position=None,
    mark=None,
    suspension_seq=0,
)


def carried(
    site: Site, counter: Counter, folder: Path, messages: list[msgspec.Struct]
) -> tuple[Carried, list[Answer]]:
    """Sign and seal these messages as the counter would; what the server answered."""
    identity = counter.store.identity
    export, reply = folder / "export", folder / "reply"
    with export.open("wb") as file:
        writer = BundleWriter(
            file,
            BundleHeader("export", bytes(16), str(identity.device_id)),
            seal_to=X25519PublicKey.from_public_bytes(identity.seal_key),
            sign_with=Ed25519PrivateKey.from_private_bytes(identity.device_key),
        )
        for message in messages:
            writer.add(message)
        writer.finish()
    done = carry(Settings(database=site.database), export, reply, clock=site.clock)
    key, signer = reply_key_of(identity.device_key), site.keys().sign_key.public_key()
    with open_bundle(reply) as file:
        reader = BundleReader(file, signed_by=signer, open_with=[key])
        told = [content for _, content in reader.messages()]
    return done, [msgspec.msgpack.decode(content, type=Answer) for content in told[1:]]


def start_of(counter: Counter, **changed: object) -> ExportStart:
    key = reply_key_of(counter.store.identity.device_key).public_key().public_bytes_raw()
    return msgspec.structs.replace(SOUND, reply_key=key, **changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"cursor": 2**53 - 1, "whole": False},
        {"suspension_seq": 2**53 - 1},
        {"position": Position("e" * 64, 0, EMPTY_DIGEST), "mark": Position("e", 1, bytes(16))},
        {"mark": Position("e", 2**53 - 1, bytes(16))},
        {"incarnations": [bytes([n]) * 16 for n in range(51)]},
    ],
)
def test_places_that_make_no_sense_are_answered_as_on_the_line(
    site: Site, tmp_path: Path, changed: dict[str, object]
) -> None:
    counter = site.enrol(site.add_provider())
    done, answers = carried(site, counter, tmp_path, [start_of(counter, **changed)])
    assert done.mutations == 0
    assert {answer.status for answer in answers} <= {200, 400, 404, 409}
    assert any(answer.request.startswith("GET /v1/snapshot/") for answer in answers)


@pytest.mark.parametrize("epoch", ["../../etc", "あ" * 1000, "", "x" * 100_000])
def test_an_export_with_an_epoch_that_can_name_no_history_is_refused(
    site: Site, tmp_path: Path, epoch: str
) -> None:
    counter = site.enrol(site.add_provider())
    start = start_of(counter, position=Position(epoch, 5, bytes(16)))
    with pytest.raises(BundleRefusedError, match="another form"):
        carried(site, counter, tmp_path, [start])


@pytest.mark.parametrize("scope", ["B-1", "S:A-alpha1-0001", "", "A-alpha1-0001/../B-1", "%2e%2e"])
def test_another_providers_rows_do_not_come_by_stick(
    site: Site, tmp_path: Path, scope: str
) -> None:
    counter, other = site.enrol(site.add_provider()), site.enrol(site.add_provider("B-1"))
    other.queue(1, "SECRET-1")
    other.sync()
    changed = msgspec.msgpack.decode(
        msgspec.msgpack.encode(start_of(counter)), type=dict[str, object]
    ) | {"scope": scope}
    loose = msgspec.defstruct("Loose", [(name, object) for name in changed])
    try:
        _, answers = carried(site, counter, tmp_path, [loose(**changed)])
    except BundleRefusedError as error:
        assert not scope, error  # an empty one is of another form
        return
    assert all(b"SECRET-1" not in answer.content for answer in answers)
    told = [answer for answer in answers if answer.request.startswith("GET /v1/heads")]
    assert {answer.status for answer in told} <= {404, 200}
    assert not any(answer.status == 200 and "B-1" in answer.request for answer in told)


def test_another_counters_mutations_are_not_taken(site: Site, tmp_path: Path) -> None:
    scope = site.add_provider()
    counter, other = site.enrol(scope), site.enrol(scope)
    other.queue(1)
    batch = other.store.next_batch(first=1, items_max=10, bytes_max=100_000)
    identity = other.store.identity
    push = PushRequest(
        str(identity.device_id), batch.incarnation, scope, None, None, list(batch.items)
    )
    asks: list[msgspec.Struct] = [start_of(counter), Ask("POST /v1/push", to_msgpack(push))]
    done, answers = carried(site, counter, tmp_path, asks)
    assert done.mutations == 0
    assert [a.status for a in answers if a.request.startswith("POST")] == [404]
    assert site.links() == []


def test_a_message_of_another_form_applies_nothing_at_all(site: Site, tmp_path: Path) -> None:
    scope = site.add_provider()
    counter = site.enrol(scope)
    counter.queue(1)
    batch = counter.store.next_batch(first=1, items_max=10, bytes_max=100_000)
    device = str(counter.store.identity.device_id)
    push = PushRequest(device, batch.incarnation, scope, None, None, list(batch.items))
    good = Ask("POST /v1/push", to_msgpack(push))
    elsewhere = msgspec.defstruct("Elsewhere", [("request", str), ("body", bytes)])
    for bad in (elsewhere("POST /v1/enrol", b""), elsewhere("GET /openapi.json", b""), push):
        with pytest.raises(BundleRefusedError):
            carried(site, counter, tmp_path, [start_of(counter), good, bad])
        with pytest.raises(BundleRefusedError):
            carried(site, counter, tmp_path, [bad, good])
    with pytest.raises(BundleRefusedError):
        carried(site, counter, tmp_path, [])
    assert site.links() == []
    assert not (tmp_path / "reply").exists()
    assert [path for path in tmp_path.iterdir() if path.name.endswith(".new")] == []


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(bodies=st.lists(st.binary(max_size=200), max_size=4))
def test_no_body_on_a_stick_makes_the_server_fail(
    site: Site, tmp_path: Path, bodies: list[bytes]
) -> None:
    if not site._counters:
        site.enrol(site.add_provider())
    counter = site._counters[0]
    asks = [Ask("POST /v1/push" if n % 2 else "POST /v1/recover", b) for n, b in enumerate(bodies)]
    _, answers = carried(site, counter, tmp_path, [start_of(counter), *asks])
    assert all(answer.status < 500 for answer in answers)
    assert site.links() == []
