"""A counter of the first form of v1 works with this server: it knows none of the later messages."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import msgspec
import pytest

from mykey_server.database import write
from mykey_server.services.renewal import renew
from mykey_server.services.suspensions import set_suspended
from mykey_tui.domain import digest
from mykey_tui.domain.ids import SubjectCn
from mykey_tui.wire.messages import JSON, MSGPACK, PushItem, PushRequest
from tests.server.conftest import Counter, Server
from tests.vectors.wire import first_v1

SEED = "1C2410DF79DGEL07202002B"
NEW = "2D2410DF79DGEM07202002B"
OTHER = "AAAAAAAAAAAAAA07202002B"


async def ask(counter: Counter, path: str, name: str) -> Any:
    answer = await counter.send("GET", path)
    assert answer.status_code == 200, answer.text
    return _decode(counter, answer.content, name, first_v1)


def _decode(counter: Counter, content: bytes, name: str, form: ModuleType) -> Any:
    decode = msgspec.msgpack.decode if counter.media_type == MSGPACK else msgspec.json.decode
    return decode(content, type=getattr(form, name))


async def push(counter: Counter, *items: PushItem) -> first_v1.PushReply:
    """As the older program writes it: its own Structs, so that no later field can slip in."""
    old = [
        first_v1.PushItem(
            item.mid, item.op, item.v, item.token, item.sid, item.seen_seq, item.prev, item.sealed
        )
        for item in items
    ]
    device, incarnation = counter.identity.device_id, counter.incarnation
    request = first_v1.PushRequest(device, incarnation, counter.scope, None, None, old)
    encode = msgspec.msgpack.encode if counter.media_type == MSGPACK else msgspec.json.encode
    body = encode(request)
    assert _decode(counter, body, "PushRequest", _today()) == counter.batch(list(items))
    answer = await counter.send("POST", "/v1/push", body=body, content_type=counter.media_type)
    assert answer.status_code == 200, answer.text
    reply: first_v1.PushReply = _decode(counter, answer.content, "PushReply", first_v1)
    return reply


def _today() -> ModuleType:
    from mykey_tui.wire import messages

    assert messages.PushRequest is PushRequest
    return messages


@pytest.mark.parametrize("media_type", [JSON, MSGPACK])
async def test_a_round_of_the_first_form_ends_with_equal_digests(
    server: Server, counter: Counter, media_type: str
) -> None:
    counter.media_type = media_type
    hello = await ask(counter, f"/v1/hello?incarnation={counter.incarnation.hex()}", "HelloReply")
    assert (hello.proto, hello.last_mid) == ([1], 0)
    items = [counter.link(SEED, "A1"), counter.link(OTHER, "A2"), counter.unlink(OTHER)]
    reply = await push(counter, *items[:2])
    assert [item.verdict for item in reply.items] == ["applied", "applied"]
    assert [i.verdict for i in (await push(counter, *items)).items] == ["applied"] * 3
    person, heir = SubjectCn.parse(SEED), SubjectCn.parse(NEW)
    write(server.core.engine, lambda connection: renew(connection, person, heir))
    write(server.core.engine, lambda c: set_suspended(c, heir, suspended=True))
    head = await ask(counter, f"/v1/heads?scope={counter.scope}", "HeadReply")
    page = await ask(counter, f"/v1/log/{head.epoch}/{counter.scope}/0", "LogReply")
    assert (page.more, page.head.seq, page.head.digest) == (False, head.seq, head.digest)
    key = counter.identity.digest_key
    total = sum(digest.weight(key, *row[:4]) for row in page.rows)
    assert (total % (1 << 128)).to_bytes(16, "big") == head.digest


async def test_a_refusal_is_readable_in_the_first_form(counter: Counter) -> None:
    answer = await counter.send("GET", f"/v1/log/{'0' * 16}/{counter.scope}/0")
    problem = msgspec.json.decode(answer.content, type=first_v1.Problem)
    assert (problem.type, problem.action) == ("reset", "verify")
