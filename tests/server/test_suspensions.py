"""A suspended MyKey ID stops at every service: a small signed scope that moves by itself."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import text

from mykey_server.database import open_database, reading, write, writing
from mykey_server.migrations import migrate
from mykey_server.services import admin, suspensions
from mykey_server.services.selfcheck import self_check
from mykey_server.services.suspensions import set_many_suspended, set_suspended
from mykey_tui.domain import digest
from mykey_tui.domain.ids import SubjectCn
from mykey_tui.wire.messages import (
    SUSPENSION_CONTEXT,
    DigestReply,
    HeadReply,
    HelloReply,
    LogReply,
    SnapshotReply,
    Staleness,
    SuspensionState,
)
from tests.server.conftest import Counter, Server

SEED = "1C2410DF79DGEL07202002B"
OTHER = "AAAAAAAAAAAAAA07202002B"


def suspend(server: Server, cn: str, *, suspended: bool = True) -> list[str]:
    return write(
        server.core.engine,
        lambda connection: set_suspended(connection, SubjectCn.parse(cn), suspended=suspended),
    )


async def head_of(counter: Counter) -> HeadReply:
    return await counter.ask(f"/v1/heads?scope=S:{counter.scope}", HeadReply)


async def flags(counter: Counter, after: int = 0) -> list[tuple[bytes, int, int]]:
    epoch = counter.server.epoch
    page = await counter.ask(f"/v1/log/{epoch}/S:{counter.scope}/{after}", LogReply)
    assert all((row[1], row[2]) == (None, "") for row in page.rows)
    return [(row[0], row[3], row[4]) for row in page.rows]


def state_of(counter: Counter, head: HeadReply) -> SuspensionState:
    """What the server signed. Raises `InvalidSignature`."""
    assert head.state is not None
    assert head.signature is not None
    assert counter.identity.server_key is not None
    key = Ed25519PublicKey.from_public_bytes(counter.identity.server_key)
    key.verify(head.signature, SUSPENSION_CONTEXT + head.state)
    return msgspec.msgpack.decode(head.state, type=SuspensionState)


async def test_a_suspension_moves_every_provider_and_only_that_person(server: Server) -> None:
    first = await server.enrol(server.add_provider("A-1"))
    second = await server.enrol(server.add_provider("B-1"))
    await first.push(first.link(SEED, "A1"), first.link(OTHER, "A2"))
    await second.push(second.link(SEED, "B1"))
    before = await first.head(), await second.head()
    assert suspend(server, SEED) == ["A-1", "B-1"]
    assert await flags(first) == [(first.token(SEED), 1, 1)]
    assert await flags(second) == [(second.token(SEED), 1, 1)]
    assert suspend(server, SEED) == []
    assert suspend(server, SEED, suspended=False) == ["A-1", "B-1"]
    assert await flags(first, after=1) == [(first.token(SEED), 9, 2)]
    assert (await first.head(), await second.head()) == before
    assert all(finding.ok for finding in self_check(server.core.engine))


async def test_a_suspension_comes_down_though_a_counter_pushes_nothing_that_is_taken(
    server: Server, counter: Counter
) -> None:
    await counter.push(counter.link(SEED, "A1"))
    suspend(server, SEED)
    counter.item("link", OTHER, "A2")  # Lost: all that follows waits behind the gap.
    reply = await counter.push(counter.link(OTHER, "A3"))
    assert [item.verdict for item in reply.items] == ["retry"]
    assert await flags(counter) == [(counter.token(SEED), 1, 1)]


async def test_the_state_is_signed_and_says_how_many_and_until_when(
    server: Server, counter: Counter
) -> None:
    await counter.push(counter.link(SEED, "A1"), counter.link(OTHER, "A2"))
    empty = state_of(counter, await head_of(counter))
    assert (empty.seq, empty.total, empty.digest) == (0, 0, bytes(16))
    suspend(server, SEED)
    suspend(server, OTHER)
    head = await head_of(counter)
    state = state_of(counter, head)
    assert (state.scope, state.epoch) == (f"S:{counter.scope}", head.epoch)
    assert (state.seq, state.digest, state.total) == (head.seq, head.digest, 2)
    now = int(server.clock.now().timestamp())
    assert now - 60 < state.issued_at <= now
    assert state.not_after - state.issued_at == admin.STALENESS.refuse_s
    suspend(server, SEED, suspended=False)
    assert state_of(counter, await head_of(counter)).total == 1


async def test_a_state_with_a_changed_byte_is_not_the_servers(
    server: Server, counter: Counter
) -> None:
    head = await head_of(counter)
    assert head.state is not None
    changed = msgspec.structs.replace(head, state=head.state[:-1] + b"\x00")
    with pytest.raises(InvalidSignature):
        state_of(counter, changed)
    del server


async def test_a_state_is_signed_anew_each_minute_and_304_within_it(
    server: Server, counter: Counter
) -> None:
    asked = f"/v1/heads?scope=S:{counter.scope}"
    first = await counter.send("GET", asked)
    etag = {"If-None-Match": first.headers["etag"]}
    assert (await counter.send("GET", asked, headers=etag)).status_code == 304
    server.clock.pass_by(timedelta(minutes=2))
    again = await counter.send("GET", asked, headers=etag)
    assert again.status_code == 200


async def test_the_scope_has_its_own_digest_buckets_and_snapshot(
    server: Server, counter: Counter
) -> None:
    await counter.push(counter.link(SEED, "A1"), counter.link(OTHER, "A2"))
    suspend(server, SEED)
    suspend(server, OTHER)
    suspend(server, OTHER, suspended=False)
    head = await head_of(counter)
    token, key = counter.token(SEED), counter.identity.digest_key
    weight = digest.weight(key, token, None, "", 1).to_bytes(16, "big")
    assert (head.seq, head.digest) == (3, weight)
    scope, epoch = f"S:{counter.scope}", head.epoch
    parts = await counter.ask(f"/v1/digest/{scope}", DigestReply)
    start = 16 * token[0]
    assert parts.buckets == bytes(start) + weight + bytes(4080 - start)
    part = await counter.ask(f"/v1/snapshot/{epoch}/{scope}/0", SnapshotReply)
    assert (part.tokens, part.statuses, part.service_ids) == (token, b"\x01", "\n")


async def test_a_long_list_is_set_in_bounded_transactions_and_may_be_set_again(
    server: Server, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspensions, "PEOPLE_PER_TRANSACTION", 7)
    cns = [f"M{number:013d}07202002B" for number in range(30)]
    await counter.push(*(counter.link(cn, f"A{n}") for n, cn in enumerate(cns)))
    people = [SubjectCn.parse(cn) for cn in (*cns, OTHER)]
    engine = server.core.engine
    assert set_many_suspended(engine, people, suspended=True) == (30, 1)
    assert state_of(counter, await head_of(counter)).total == 30
    assert (await head_of(counter)).seq == 30
    assert set_many_suspended(engine, people, suspended=True) == (30, 1)
    assert (await head_of(counter)).seq == 30
    assert set_many_suspended(engine, people[:10], suspended=False) == (10, 0)
    assert len([flag for flag in await flags(counter) if flag[1] == 1]) == 20
    assert all(finding.ok for finding in self_check(engine))


async def test_hello_says_the_features_the_key_and_the_staleness(
    server: Server, counter: Counter
) -> None:
    hello = await counter.ask("/v1/hello", HelloReply)
    assert {"snapshot", "digest", "suspensions", "recover", "wait"} <= set(hello.features)
    with reading(server.core.engine) as connection:
        own = server.core.site.keys(connection).server_key
    assert hello.server_key == counter.identity.server_key == own
    assert hello.staleness == Staleness(86_400, 259_200, 2_000)
    wanted = Staleness(3600, 7200, 50)
    write(server.core.engine, lambda c: admin.set_staleness(c, counter.scope, wanted))
    assert (await counter.ask("/v1/hello", HelloReply)).staleness == wanted
    state = state_of(counter, await head_of(counter))
    assert state.not_after - state.issued_at == 7200


@pytest.mark.parametrize("wrong", [(0, 5, 1), (5, 4, 1), (5, 604_801, 1), (5, 6, 0)])
async def test_a_staleness_out_of_range_is_refused(
    server: Server, scope: str, wrong: tuple[int, int, int]
) -> None:
    with pytest.raises(admin.AdminRefusedError, match=r"7 days|look-ups"):
        write(server.core.engine, lambda c: admin.set_staleness(c, scope, Staleness(*wrong)))


def test_suspended_links_of_an_older_file_move_to_the_scope_of_suspensions(
    tmp_path: Path,
) -> None:
    engine = open_database(tmp_path / "server.db")
    key, tokens = bytes(range(32)), [bytes([n]) * 16 for n in range(4)]
    assert migrate(engine, step="0002")
    with writing(engine) as connection:
        rows = [(token, f"A{n}", 1 if n in {1, 2} else 0) for n, token in enumerate(tokens)]
        total = sum(digest.weight(key, token, None, sid, status) for token, sid, status in rows)
        whole = (total % (1 << 128)).to_bytes(16, "big")
        connection.execute(
            text("INSERT INTO site VALUES (1, 'e', :seal, x'00')"), {"seal": bytes(range(32))}
        )
        connection.execute(
            text(
                "INSERT INTO provider VALUES ('A-1', 'A-1', 'x', 'alnum:1-32', 'jpki', x'00', :k)"
            ),
            {"k": key},
        )
        connection.execute(text("INSERT INTO scope VALUES ('A-1', 4, 0, :d)"), {"d": whole})
        connection.execute(text("INSERT INTO scope_history VALUES ('A-1', 4, :d)"), {"d": whole})
        for number, (token, sid, status) in enumerate(rows, start=1):
            connection.execute(
                text("INSERT INTO link VALUES ('A-1', :t, NULL, NULL, NULL, :s, :status, :n)"),
                {"t": token, "s": sid, "status": status, "n": number},
            )
    assert migrate(engine)
    assert all(finding.ok for finding in self_check(engine))
    with reading(engine) as connection:
        flagged = connection.execute(text("SELECT token, status, seq FROM suspension")).all()
        links = connection.execute(text("SELECT status, seq FROM link ORDER BY token")).all()
        total = connection.execute(text("SELECT total FROM suspension_scope")).scalar_one()
    engine.dispose()
    assert [tuple(row) for row in flagged] == [(tokens[1], 1, 1), (tokens[2], 1, 2)]
    assert [tuple(row) for row in links] == [(0, 1), (0, 5), (0, 6), (0, 4)]
    assert total == 2
