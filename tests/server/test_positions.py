"""Places in a scope's history: which are taken, which are reset, and how a poll waits for the next."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest
from sqlalchemy import update

from mykey_server import waiting
from mykey_server.database import write
from mykey_server.services.suspensions import set_suspended
from mykey_server.tables.site import SiteTable
from mykey_tui.domain.ids import SubjectCn
from mykey_tui.wire.messages import HeadReply, Position, Problem
from tests.server.conftest import Counter, Server

SEED = "1C2410DF79DGEL07202002B"
OTHER = "AAAAAAAAAAAAAA07202002B"
NEW_EPOCH = "feedfacefeedface"


def place(head: HeadReply, *, epoch: str | None = None, seq: int | None = None) -> str:
    return f"{epoch or head.epoch}.{head.seq if seq is None else seq}.{head.digest.hex()}"


def heads(counter: Counter, query: str) -> str:
    return f"/v1/heads?scope={counter.scope}{query}"


def fail_over(server: Server) -> None:
    """The same history under a new name, as after the promotion of a standby."""
    write(
        server.core.engine,
        lambda connection: connection.execute(update(SiteTable).values(epoch=NEW_EPOCH)),
    )


async def reset_of(counter: Counter, query: str) -> tuple[str, str | None, str | None, str | None]:
    answer = await counter.send("GET", heads(counter, query))
    assert answer.status_code == 409
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers
    problem = msgspec.json.decode(answer.content, type=Problem)
    return problem.type, problem.reason, problem.action, problem.epoch


async def test_old_and_new_places_of_this_history_match(counter: Counter) -> None:
    await counter.push(counter.link(SEED, "A1"))
    old = await counter.head()
    await counter.push(counter.link(OTHER, "A2"))
    new = await counter.head()
    for pos, mark in ((old, new), (old, old), (new, new)):
        asked = heads(counter, f"&pos={place(pos)}&mark={place(mark)}")
        assert await counter.ask(asked, HeadReply) == new
    empty = f"{new.epoch}.0.{'0' * 32}"
    assert await counter.ask(heads(counter, f"&pos={empty}"), HeadReply) == new


async def test_the_same_history_under_a_new_epoch_is_no_reset(
    server: Server, counter: Counter
) -> None:
    first = await counter.push(counter.link(SEED, "A1"))
    old = await counter.head()
    fail_over(server)
    head = await counter.ask(heads(counter, f"&pos={place(old)}&mark={place(old)}"), HeadReply)
    assert (head.epoch, head.seq, head.digest) == (NEW_EPOCH, old.seq, old.digest)
    base = Position(first.epoch, first.seq, first.digest)
    reply = await counter.push(counter.link(OTHER, "A2"), base=base, mark=base)
    assert (reply.epoch, reply.items[0].verdict) == (NEW_EPOCH, "applied")


@pytest.mark.parametrize("which", ["pos", "mark"])
async def test_a_place_that_is_not_in_this_history_is_reset_with_its_reason(
    counter: Counter, which: str
) -> None:
    await counter.push(counter.link(SEED, "A1"))
    head = await counter.head()
    ahead = f"&{which}={place(head, seq=9)}"
    assert await reset_of(counter, ahead) == ("reset", "diverged", "snapshot", head.epoch)
    other = f"&{which}={place(head, seq=9, epoch='other')}"
    assert await reset_of(counter, other) == ("reset", "epoch", "snapshot", head.epoch)
    twisted = f"&{which}={head.epoch}.{head.seq}.{'1' * 32}"
    assert await reset_of(counter, twisted) == ("reset", "diverged", "snapshot", head.epoch)


@pytest.mark.parametrize(
    "text",
    ["", "x", "e.1", "e.1.zz", "e.-1." + "0" * 32, "e.1." + "0" * 31, "e.x." + "0" * 32,
     "." + "1." + "0" * 32, "é.1." + "0" * 32, "e.99999999999999999." + "0" * 32,
     "e" * 65 + ".1." + "0" * 32],
)  # fmt: skip
async def test_a_place_that_cannot_be_read_is_malformed(counter: Counter, text: str) -> None:
    answer = await counter.send("GET", heads(counter, f"&pos={text}").replace("é", "%C3%A9"))
    assert answer.status_code == 400


async def test_an_unchanged_head_is_told_in_304_without_a_body(counter: Counter) -> None:
    first = await counter.send("GET", heads(counter, ""))
    etag = first.headers["etag"]
    same = await counter.send("GET", heads(counter, ""), headers={"If-None-Match": etag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    assert same.headers["cache-control"] == "no-store"
    await counter.push(counter.link(SEED, "A1"))
    moved = await counter.send("GET", heads(counter, ""), headers={"If-None-Match": etag})
    assert moved.status_code == 200
    assert moved.headers["etag"] != etag


async def test_a_poll_that_waits_is_woken_by_a_push(counter: Counter) -> None:
    head = await counter.head()
    waiter = asyncio.create_task(
        counter.ask(heads(counter, f"&pos={place(head)}&wait=20"), HeadReply)
    )
    await asyncio.sleep(0.1)
    assert not waiter.done()
    await counter.push(counter.link(SEED, "A1"))
    async with asyncio.timeout(5):
        assert (await waiter).seq == 1


async def test_a_poll_that_waits_sees_what_another_process_changed(
    server: Server, counter: Counter
) -> None:
    await counter.push(counter.link(SEED, "A1"))
    asked = f"/v1/heads?scope=S:{counter.scope}"
    head = await counter.ask(asked, HeadReply)
    waiter = asyncio.create_task(counter.ask(f"{asked}&pos={place(head)}&wait=20", HeadReply))
    await asyncio.sleep(0.1)
    write(  # As the operator's command does: nothing in this process is told.
        server.core.engine,
        lambda connection: set_suspended(connection, SubjectCn.parse(SEED), suspended=True),
    )
    async with asyncio.timeout(5):
        assert (await waiter).seq == 1


async def test_a_poll_that_waits_in_vain_ends_with_the_same_head(counter: Counter) -> None:
    first = await counter.send("GET", heads(counter, ""))
    begun = time.monotonic()
    head = await counter.head()
    assert await counter.ask(heads(counter, f"&pos={place(head)}&wait=1"), HeadReply) == head
    same = await counter.send(
        "GET", heads(counter, "&wait=1"), headers={"If-None-Match": first.headers["etag"]}
    )
    assert same.status_code == 304
    assert 2.0 <= time.monotonic() - begun < 6.0


async def test_a_poll_without_a_place_does_not_wait(counter: Counter) -> None:
    async with asyncio.timeout(1):
        await counter.ask(heads(counter, "&wait=20"), HeadReply)


async def test_one_poll_too_many_is_answered_at_once(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "WAITERS_MAX", 1)
    head = await counter.head()
    asked = heads(counter, f"&pos={place(head)}&wait=20")
    waiter = asyncio.create_task(counter.ask(asked, HeadReply))
    await asyncio.sleep(0.1)
    async with asyncio.timeout(1):
        assert await counter.ask(asked, HeadReply) == head
    waiter.cancel()
