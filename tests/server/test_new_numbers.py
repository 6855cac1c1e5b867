"""A restored counter asks about its numbers and sends what is open under new ones: once each."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from mykey_server.database import write
from mykey_server.services import admin, intake
from mykey_server.services.decide import Decision, decide
from mykey_server.services.origins import Before
from mykey_server.services.selfcheck import self_check
from mykey_server.tables.terminal import TERMINAL_ACTIVE
from mykey_tui.wire.messages import (
    FIRST_PREV,
    JSON,
    MSGPACK,
    KnownItem,
    Origin,
    Problem,
    PushItem,
    RecoverReply,
    RecoverRequest,
    item_hash,
)
from tests.server.conftest import Counter, Server

SEED = "1C2410DF79DGEL07202002B"
OTHER = "AAAAAAAAAAAAAA07202002B"
THIRD = "BBBBBBBBBBBBBB07202002B"


def numbered_anew(counter: Counter, items: list[PushItem], old: bytes) -> list[PushItem]:
    """The same items under the numbers of a new incarnation, as a restored counter sends them."""
    counter.incarnation, counter.mid, counter.prev = secrets.token_bytes(16), 0, FIRST_PREV
    return [again(counter, item, old) for item in items]


def again(counter: Counter, item: PushItem, old: bytes, **changed: object) -> PushItem:
    counter.mid += 1
    origin = item.origin or Origin(old, item.mid, item.op)
    made = msgspec.structs.replace(
        item, mid=counter.mid, prev=counter.prev, origin=origin, **changed
    )
    counter.prev = item_hash(made)
    return made


async def ask(counter: Counter, known: list[KnownItem], incarnation: bytes) -> RecoverReply:
    request = RecoverRequest(counter.identity.device_id, incarnation, counter.scope, known)
    answer = await counter.send(
        "POST", "/v1/recover", body=msgspec.msgpack.encode(request), content_type=MSGPACK
    )
    assert answer.status_code == 200, answer.text
    return msgspec.msgpack.decode(answer.content, type=RecoverReply)


@pytest.fixture
def stumbling(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Service IDs at which the server meets a bug, as long as they are in this set."""
    sids: set[str] = set()

    def poisoned(item: PushItem, *rest: Any) -> Decision:
        if item.sid in sids:
            raise RuntimeError
        return decide(item, *rest)

    monkeypatch.setattr(intake, "decide", poisoned)
    yield sids


async def test_recover_tells_the_same_another_and_an_unknown_number(counter: Counter) -> None:
    items = [counter.link(SEED, "A1"), counter.link(OTHER, "A1"), counter.link(THIRD, "A3")]
    await counter.push(*items[:2])
    known = [KnownItem(item.mid, item_hash(item)) for item in items]
    known.append(KnownItem(1, bytes(32)))
    answer = await ask(counter, known, counter.incarnation)
    told = [(item.mid, item.state, item.verdict and item.verdict.kind) for item in answer.items]
    assert told == [(1, "same", None), (2, "same", "sid_taken"), (3, "unknown", None),
                    (1, "other", None)]  # fmt: skip
    assert answer.items[0].verdict is not None
    assert answer.items[0].verdict.verdict == "applied"
    head = await counter.head()
    assert (answer.epoch, answer.seq, answer.digest) == (head.epoch, head.seq, head.digest)
    assert [item.state for item in (await ask(counter, known, bytes(16))).items] == ["unknown"] * 4


@pytest.mark.parametrize("field", ["device", "scope"])
async def test_recover_answers_nobody_elses_question(server: Server, field: str) -> None:
    mine = await server.enrol(server.add_provider("A-1"))
    theirs = await server.enrol(server.add_provider("B-1"))
    item = theirs.link(SEED, "B1")
    await theirs.push(item)
    known = [KnownItem(1, item_hash(item))]
    request = RecoverRequest(mine.identity.device_id, theirs.incarnation, mine.scope, known)
    wrong = theirs.identity.device_id if field == "device" else theirs.scope
    asked = msgspec.structs.replace(request, **{field: wrong})
    answer = await mine.send(
        "POST", "/v1/recover", body=msgspec.json.encode(asked), content_type=JSON
    )
    assert answer.status_code == 404
    # And under its own name it learns nothing of the other's numbers.
    own = await ask(mine, known, theirs.incarnation)
    assert [item.state for item in own.items] == ["unknown"]


async def test_items_under_new_numbers_are_applied_once_and_only_once(
    server: Server, counter: Counter
) -> None:
    old = counter.incarnation
    items = [counter.link(SEED, "A1"), counter.unlink(SEED), counter.link(OTHER, "A2")]
    await counter.push(*items[:2])
    # Meanwhile another counter links the same person again: the copy must not undo that.
    second = await server.enrol(counter.scope)
    await second.push(second.link(SEED, "A7"))
    reply = await counter.push(*numbered_anew(counter, items, old))
    assert [item.verdict for item in reply.items] == ["applied"] * 3
    assert {row["service_id"] for row in server.links()} == {"A2", "A7"}
    assert all(finding.ok for finding in self_check(server.core.engine))


async def test_without_the_look_at_the_old_number_an_unlink_would_count_twice(
    server: Server, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "read_before", lambda *_: Before())
    old = counter.incarnation
    items = [counter.link(SEED, "A1"), counter.unlink(SEED)]
    await counter.push(*items)
    second = await server.enrol(counter.scope)
    await second.push(second.link(SEED, "A7"))
    await counter.push(*numbered_anew(counter, items, old))
    assert server.links() == []


async def test_another_content_under_the_old_number_is_another_act(counter: Counter) -> None:
    old = counter.incarnation
    lost = counter.link(SEED, "A1")
    counter.mid, counter.prev = 0, FIRST_PREV
    await counter.push(counter.link(OTHER, "A2"))  # The copy used number 1 for something else.
    reply = await counter.push(*numbered_anew(counter, [lost], old))
    assert [item.verdict for item in reply.items] == ["applied"]


async def test_numbers_that_were_numbered_anew_twice_still_open(counter: Counter) -> None:
    old, items = counter.incarnation, [counter.link(SEED, "A1")]
    once = numbered_anew(counter, items, old)
    twice = numbered_anew(counter, once, counter.incarnation)
    assert twice[0].origin == Origin(old, 1, "link")
    assert (await counter.push(*twice)).items[0].verdict == "applied"


@pytest.mark.parametrize(
    "origin", [Origin(bytes(16), 1, "link"), None], ids=["another-number", "none"]
)
async def test_a_seal_under_a_number_that_is_not_its_own_does_not_open(
    counter: Counter, origin: Origin | None
) -> None:
    old = counter.incarnation
    (item,) = numbered_anew(counter, [counter.link(SEED, "A1")], old)
    verdict = await counter.verdict(msgspec.structs.replace(item, origin=origin))
    assert (verdict.verdict, verdict.kind) == ("invalid", "seal")


@pytest.mark.parametrize(
    ("op", "replaces"), [("unlink", None), ("replace", None), ("link", "A1"), ("erase", None)]
)
async def test_a_seal_serves_no_other_operation(
    counter: Counter, op: str, replaces: str | None
) -> None:
    old = counter.incarnation
    (item,) = numbered_anew(counter, [counter.link(SEED, "A1")], old)
    changed = msgspec.structs.replace(item, op=op, replaces=replaces)
    verdict = await counter.verdict(changed)
    assert (verdict.verdict, verdict.kind) == ("invalid", "op")


async def test_what_was_held_under_an_old_number_is_held_under_the_new_in_the_same_order(
    server: Server, counter: Counter, stumbling: set[str]
) -> None:
    stumbling.add("A1")
    old = counter.incarnation
    items = [counter.link(SEED, "A1"), counter.unlink(SEED), counter.link(OTHER, "A2")]
    assert [i.verdict for i in (await counter.push(*items)).items] == ["held", "held", "applied"]
    anew = numbered_anew(counter, items, old)
    reply = await counter.push(*anew)
    assert [item.verdict for item in reply.items] == ["held", "held", "applied"]
    assert held_of(server) == 2  # Under the new numbers alone.
    stumbling.clear()
    reply = await counter.push(*anew)
    assert [item.verdict for item in reply.items] == ["applied"] * 3
    assert {row["service_id"] for row in server.links()} == {"A2"}
    assert held_of(server) == 0


def held_of(server: Server) -> int:
    listed = write(server.core.engine, admin.list_terminals)
    return sum(terminal["held"] for terminal in listed)


async def test_a_refused_link_comes_again_as_what_replaces_the_id_that_was_seen(
    server: Server, counter: Counter
) -> None:
    await counter.push(counter.link(SEED, "A1"))
    refused = counter.link(SEED, "A2")
    verdict = await counter.verdict(refused)
    assert (verdict.kind, verdict.row and verdict.row[2]) == ("key_linked", "A1")
    item = again(counter, refused, counter.incarnation, op="replace", replaces="A1")
    for _ in range(2):
        verdict = await counter.verdict(item)
        assert (verdict.verdict, verdict.row and verdict.row[2]) == ("applied", "A2")
    assert [row["service_id"] for row in server.links()] == ["A2"]
    assert (await counter.verdict(counter.link(OTHER, "A1"))).verdict == "applied"
    assert all(finding.ok for finding in self_check(server.core.engine))


async def test_what_replaces_an_id_that_is_no_longer_there_overwrites_nothing(
    server: Server, counter: Counter
) -> None:
    await counter.push(counter.link(SEED, "A1"), counter.link(OTHER, "A5"))
    links = [counter.link(SEED, "A2"), counter.link(SEED, "A5")]
    await counter.push(*links)
    other_seen = again(counter, links[0], counter.incarnation, op="replace", replaces="A0")
    taken = again(counter, links[1], counter.incarnation, op="replace", replaces="A1")
    reply = await counter.push(other_seen, taken)
    assert [(item.verdict, item.kind) for item in reply.items] == [
        ("conflict", "key_linked"),
        ("conflict", "sid_taken"),
    ]
    assert {row["service_id"] for row in server.links()} == {"A1", "A5"}


async def test_a_released_counter_speaks_again_under_a_new_incarnation(
    server: Server, counter: Counter
) -> None:
    old, first = counter.incarnation, counter.link(SEED, "A1")
    await counter.push(first)
    counter.mid, counter.prev = 0, FIRST_PREV
    twin = counter.link(OTHER, "A2")
    answer = await counter.try_push(counter.batch([twin]))
    assert msgspec.json.decode(answer.content, type=Problem).type == "device-quarantined"
    assert (await counter.send("GET", "/v1/hello")).status_code == 409
    write(
        server.core.engine,
        lambda connection: admin.set_terminal_status(
            connection, counter.identity.device_id, TERMINAL_ACTIVE
        ),
    )
    told = await ask(counter, [KnownItem(1, item_hash(twin))], old)
    assert [item.state for item in told.items] == ["other"]
    reply = await counter.push(*numbered_anew(counter, [twin], old))
    assert [item.verdict for item in reply.items] == ["applied"]
