"""A first load in parts, and the digest in parts: whole buckets, of one moment, nothing left out."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from mykey_server import parts
from mykey_server.database import write
from mykey_server.reply import Encoded
from mykey_server.services import publish
from mykey_server.services.selfcheck import self_check
from mykey_tui.domain import digest
from mykey_tui.wire.messages import JSON, DigestReply, Problem, SnapshotReply
from tests.server.conftest import Counter, Server

MODULUS = 1 << 128
ROWS = 120


def sample_cn(number: int) -> str:
    return f"M{number:013d}07202002B"


async def linked(counter: Counter, first: int, last: int) -> None:
    for start in range(first, last, 100):
        await counter.push(
            *(counter.link(sample_cn(n), f"A{n}") for n in range(start, min(start + 100, last)))
        )


def path(counter: Counter, first: int, query: str = "", *, scope: str | None = None) -> str:
    epoch = counter.server.epoch
    return f"/v1/snapshot/{epoch}/{scope or counter.scope}/{first}{query}"


async def load(counter: Counter, query: str) -> list[SnapshotReply]:
    parts, following = [], 0
    while True:
        part = await counter.ask(path(counter, following, query), SnapshotReply)
        parts.append(part)
        if part.next is None:
            return parts
        assert part.next > following
        following = part.next


def rows_of(part: SnapshotReply) -> list[tuple[bytes, bytes | None, str, int]]:
    service_ids = part.service_ids.splitlines()
    assert len(part.tokens) == 16 * len(service_ids) == 16 * len(part.statuses)
    return [
        (part.tokens[16 * n : 16 * n + 16], part.bindings.get(n), sid, part.statuses[n])
        for n, sid in enumerate(service_ids)
    ]


async def problem_of(counter: Counter, asked: str) -> tuple[int, str, str | None]:
    answer = await counter.send("GET", asked)
    problem = msgspec.json.decode(answer.content, type=Problem)
    return answer.status_code, problem.type, problem.reason


@pytest.mark.parametrize("query", ["", "?rows=1", "?rows=10", "?buckets=1", "?rows=7&buckets=3"])
async def test_parts_bring_every_live_row_once_in_token_order(counter: Counter, query: str) -> None:
    await linked(counter, 0, ROWS)
    await counter.push(counter.unlink(sample_cn(3)))
    parts = await load(counter, query)
    loaded = [row for part in parts for row in rows_of(part)]
    page = await counter.page()
    live = sorted((row[0], row[1], row[2], row[3]) for row in page.rows if row[3] != 9)
    assert loaded == live
    assert len(loaded) == ROWS - 1
    head = await counter.head()
    assert {(part.seq, part.digest) for part in parts} == {(head.seq, head.digest)}


async def test_a_part_ends_with_the_bucket_that_fills_it(counter: Counter) -> None:
    await linked(counter, 0, ROWS)
    for part in await load(counter, "?rows=10"):
        buckets = {token[0] for token, *_ in rows_of(part)}
        assert all(part.first <= bucket < (part.next or 256) for bucket in buckets)
        without_last = [row for row in rows_of(part) if row[0][0] != max(buckets)]
        assert len(without_last) < 10
        assert part.next is None or len(rows_of(part)) >= 10


async def test_an_empty_scope_is_one_empty_part(counter: Counter) -> None:
    (part,) = await load(counter, "")
    assert (part.tokens, part.service_ids, part.statuses, part.seq) == (b"", "", b"", 0)


async def test_what_moved_between_two_parts_comes_again_in_the_log(counter: Counter) -> None:
    await linked(counter, 0, ROWS)
    first = await counter.ask(path(counter, 0, "?rows=40"), SnapshotReply)
    assert first.next is not None
    await counter.push(counter.unlink(sample_cn(0)), counter.link(sample_cn(ROWS), "LATE"))
    rows = {row[0]: row[1:] for row in rows_of(first)}
    following: int | None = first.next
    while following is not None:
        part = await counter.ask(path(counter, following, "?rows=40"), SnapshotReply)
        rows |= {row[0]: row[1:] for row in rows_of(part)}
        following = part.next
    page = await counter.page(after=first.seq)
    for token, binding, sid, status, _ in page.rows:
        rows[token] = (binding, sid, status)
    key = counter.identity.digest_key
    total = sum(digest.weight(key, token, *row) for token, row in rows.items())
    assert (total % MODULUS).to_bytes(16, "big") == (await counter.head()).digest


async def test_json_and_msgpack_parts_say_the_same(counter: Counter) -> None:
    await linked(counter, 0, 20)
    packed = await counter.ask(path(counter, 0), SnapshotReply)
    counter.media_type = JSON
    assert await counter.ask(path(counter, 0), SnapshotReply) == packed


async def test_the_buckets_add_up_to_the_digest_and_tell_the_bad_one(counter: Counter) -> None:
    await linked(counter, 0, ROWS)
    await counter.push(counter.unlink(sample_cn(5)), counter.unlink(sample_cn(6)))
    head = await counter.head()
    answer = await counter.ask(f"/v1/digest/{counter.scope}", DigestReply)
    parts = [
        int.from_bytes(answer.buckets[start : start + 16], "big") for start in range(0, 4096, 16)
    ]
    assert (sum(parts) % MODULUS).to_bytes(16, "big") == answer.digest == head.digest
    assert (answer.seq, answer.epoch) == (head.seq, head.epoch)
    key = counter.identity.digest_key
    for bucket in range(0, 256, 17):
        part = await counter.ask(path(counter, bucket, "?buckets=1"), SnapshotReply)
        weights = sum(
            digest.weight(key, token, binding, sid, status)
            for token, binding, sid, status in rows_of(part)
        )
        assert weights % MODULUS == parts[bucket]


async def test_the_check_finds_a_bucket_that_does_not_fit(server: Server, counter: Counter) -> None:
    await linked(counter, 0, 10)
    assert all(finding.ok for finding in self_check(server.core.engine))
    write(
        server.core.engine,
        lambda connection: connection.execute(
            text("UPDATE scope SET buckets = :zeros"), {"zeros": bytes(4096)}
        ),
    )
    bad = [finding for finding in self_check(server.core.engine) if not finding.ok]
    assert [(finding.check, finding.subject) for finding in bad] == [("buckets", counter.scope)]


async def test_the_check_says_that_a_scopes_own_row_is_missing(
    server: Server, counter: Counter
) -> None:
    """A torn disk: the check is what one looks at it with, and must not stumble over it itself."""
    write(server.core.engine, lambda connection: connection.execute(text("DELETE FROM scope")))
    bad = [finding for finding in self_check(server.core.engine) if not finding.ok]
    assert [(finding.check, finding.subject) for finding in bad] == [("seq", counter.scope)]


async def test_a_part_of_another_epoch_is_reset(counter: Counter) -> None:
    asked = f"/v1/snapshot/{'0' * 16}/{counter.scope}/0"
    assert await problem_of(counter, asked) == (409, "reset", "epoch")


@pytest.mark.parametrize(
    "asked", ["256", "-1", "x", "0?rows=0", "0?buckets=0", "0?rows=x", "99999999999999999"]
)
async def test_a_part_that_there_cannot_be_is_malformed(counter: Counter, asked: str) -> None:
    epoch = counter.server.epoch
    status, kind, _ = await problem_of(counter, f"/v1/snapshot/{epoch}/{counter.scope}/{asked}")
    assert (status, kind) == (400, "malformed")


async def test_more_rows_than_the_limit_are_not_given(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mykey_server.routes import sync

    await linked(counter, 0, ROWS)
    monkeypatch.setattr(sync, "SNAPSHOT_ROWS_MAX", 20)
    parts = await load(counter, "?rows=9999")
    assert all(len(part.statuses) < 20 + 10 for part in parts)
    assert sum(len(part.statuses) for part in parts) == ROWS


async def test_the_same_part_is_made_once_and_a_change_makes_it_anew(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, make = [], publish.part_from

    def counted(*given: Any, **more: Any) -> SnapshotReply:
        made.append(more["first"])
        return make(*given, **more)

    monkeypatch.setattr(publish, "part_from", counted)
    await linked(counter, 0, 20)
    first = await counter.ask(path(counter, 0), SnapshotReply)
    assert await counter.ask(path(counter, 0), SnapshotReply) == first
    second = await counter.server.enrol(counter.scope)
    assert await second.ask(path(second, 0), SnapshotReply) == first
    assert made == [0]
    await counter.push(counter.unlink(sample_cn(0)))
    changed = await counter.ask(path(counter, 0), SnapshotReply)
    assert (made, len(changed.statuses)) == ([0, 0], 19)


def test_kept_parts_are_bounded_and_the_least_wanted_goes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parts, "BYTES_MAX", 25)
    kept = parts.Parts()
    for name in ("a", "b"):
        kept.keep((name,), Encoded(bytes(10), JSON, None))
    assert kept.get(("a",)) is not None
    kept.keep(("c",), Encoded(bytes(10), JSON, None))
    assert [kept.get((name,)) is not None for name in "abc"] == [True, False, True]
    kept.keep(("d",), Encoded(bytes(26), JSON, None))
    assert [kept.get((name,)) for name in "abcd"] == [None] * 4
