"""What is safe in a backup is told to counters, and what is forgotten below the horizon is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import event

from mykey_server.database import open_database, write
from mykey_server.services import backups
from mykey_server.services.admin import AdminRefusedError
from mykey_server.services.compaction import compact
from mykey_server.services.feeds import LINKS, SUSPENSIONS
from mykey_server.services.selfcheck import self_check
from mykey_tui.wire.messages import HeadReply, HelloReply, Position, Problem, SnapshotReply
from tests.server.conftest import SQLITE_ONLY, Counter, Server


def sample_cn(number: int) -> str:
    return f"M{number:013d}07202002B"


async def durable(counter: Counter) -> int:
    return (await counter.ask("/v1/hello", HelloReply)).durable_through


async def reset_reason(counter: Counter, path: str) -> tuple[str | None, str | None]:
    answer = await counter.send("GET", path)
    assert answer.status_code == 409, answer.text
    problem = msgspec.json.decode(answer.content, type=Problem)
    return problem.reason, problem.action


async def test_a_confirmed_backup_is_told_as_far_as_it_was_begun(
    server: Server, counter: Counter
) -> None:
    engine = server.core.engine
    await counter.push(*(counter.link(sample_cn(n), f"A{n}") for n in range(3)))
    write(engine, lambda connection: backups.begin(connection, "night"))
    await counter.push(counter.link(sample_cn(9), "A9"))
    assert await durable(counter) == 0
    assert write(engine, lambda c: backups.confirm(c, "night")) == {counter.scope: 3}
    assert await durable(counter) == 3
    with pytest.raises(AdminRefusedError):
        write(engine, lambda connection: backups.confirm(connection, "morning"))


async def test_a_backup_is_confirmed_again_where_the_word_of_the_first_time_was_lost(
    server: Server, counter: Counter
) -> None:
    engine = server.core.engine
    await counter.push(counter.link(sample_cn(1), "A1"))
    write(engine, lambda connection: backups.begin(connection, "night"))
    for _ in range(2):
        assert write(engine, lambda c: backups.confirm(c, "night")) == {counter.scope: 1}
    assert await durable(counter) == 1


async def test_of_two_backups_begun_in_a_quiet_night_both_are_confirmed(
    server: Server, counter: Counter
) -> None:
    engine = server.core.engine
    await counter.push(counter.link(sample_cn(1), "A1"))
    for name in ("first", "second"):
        write(engine, partial(backups.begin, name=name))
    for name in ("first", "second"):
        assert write(engine, partial(backups.confirm, name=name)) == {counter.scope: 1}
    assert await durable(counter) == 1


async def test_of_backups_that_were_begun_only_the_newest_are_kept(
    server: Server, counter: Counter
) -> None:
    engine = server.core.engine
    start = datetime(2026, 11, 23, tzinfo=UTC)
    names = [backups.draw_name(start + timedelta(days=day)) for day in range(103)]
    for name in names:
        write(engine, partial(backups.begin, name=name))
    for name in names[:3]:
        with pytest.raises(AdminRefusedError):
            write(engine, partial(backups.confirm, name=name))
    for name in (names[3], names[-1]):
        assert write(engine, partial(backups.confirm, name=name)) == {counter.scope: 0}


async def test_an_older_backup_that_is_confirmed_late_takes_nothing_back(
    server: Server, counter: Counter
) -> None:
    engine = server.core.engine
    for number, name in enumerate(("first", "second")):
        await counter.push(counter.link(sample_cn(number), f"A{number}"))
        write(engine, partial(backups.begin, name=name))
    write(engine, lambda connection: backups.confirm(connection, "second"))
    assert await durable(counter) == 2
    assert write(engine, lambda c: backups.confirm(c, "first")) == {counter.scope: 2}
    assert await durable(counter) == 2


@SQLITE_ONLY
async def test_a_copy_of_a_server_in_use_opens_and_holds_what_was_told(
    server: Server, counter: Counter, tmp_path: Path
) -> None:
    await counter.push(*(counter.link(sample_cn(n), f"A{n}") for n in range(20)))
    path = tmp_path / "copy.db"
    made = backups.make_copy(server.core.engine, path)
    assert made["durable_through"] == {counter.scope: 20}
    assert await durable(counter) == 20
    assert path.stat().st_mode & 0o777 == 0o600
    copy = open_database(path)
    assert all(finding.ok for finding in self_check(copy))
    copy.dispose()
    await counter.push(counter.link(sample_cn(50), "A50"))  # The server goes on.
    with pytest.raises(AdminRefusedError):
        backups.make_copy(server.core.engine, path)


@SQLITE_ONLY
async def test_a_copy_that_is_not_good_is_neither_kept_nor_told(
    server: Server, counter: Counter, tmp_path: Path
) -> None:
    await counter.push(counter.link(sample_cn(1), "A1"))
    write(server.core.engine, lambda c: c.exec_driver_sql("UPDATE link SET service_id = 'X'"))
    with pytest.raises(AdminRefusedError) as refused:
        backups.make_copy(server.core.engine, tmp_path / "copy.db")
    assert refused.value.reason == "copy-not-good"
    assert not (tmp_path / "copy.db").exists()
    assert not (tmp_path / "copy.db.part").exists()
    assert await durable(counter) == 0


async def linked_and_removed(counter: Counter) -> list[HeadReply]:
    """Ten links, five of them removed, one change at a time; every place on the way."""
    places = [await counter.head()]
    for number in range(10):
        await counter.push(counter.link(sample_cn(number), f"A{number}"))
        places.append(await counter.head())
    for number in range(5):
        await counter.push(counter.unlink(sample_cn(number)))
        places.append(await counter.head())
    return places


async def test_below_the_horizon_a_counter_is_reset_and_from_it_on_it_is_served(
    server: Server, counter: Counter
) -> None:
    places = await linked_and_removed(counter)
    done = compact(server.core.engine, LINKS, counter.scope, below=12)
    assert (done.horizon, done.tombstones, done.places) == (12, 2, 11)
    head = await counter.head()
    assert (head.horizon, head.seq, head.digest) == (12, 15, places[-1].digest)
    epoch = head.epoch
    for after in (1, 11):
        path = f"/v1/log/{epoch}/{counter.scope}/{after}"
        assert await reset_reason(counter, path) == ("horizon", "snapshot")
        pos = f"{epoch}.{after}.{places[after].digest.hex()}"
        path = f"/v1/heads?scope={counter.scope}&pos={pos}"
        assert await reset_reason(counter, path) == ("horizon", "snapshot")
    base = Position(epoch, 11, places[11].digest)
    answer = await counter.try_push(counter.batch([], base=base))
    assert msgspec.json.decode(answer.content, type=Problem).reason == "horizon"
    assert [row[4] for row in (await counter.page(after=12)).rows] == [13, 14, 15]
    pos = f"{epoch}.12.{places[12].digest.hex()}"
    await counter.ask(f"/v1/heads?scope={counter.scope}&pos={pos}", HeadReply)
    assert all(finding.ok for finding in self_check(server.core.engine))


async def test_after_compaction_a_first_load_brings_what_is_live(
    server: Server, counter: Counter
) -> None:
    places = await linked_and_removed(counter)
    compact(server.core.engine, LINKS, counter.scope, below=15)
    part = await counter.ask(f"/v1/snapshot/{places[0].epoch}/{counter.scope}/0", SnapshotReply)
    assert sorted(part.service_ids.split()) == [f"A{n}" for n in range(5, 10)]
    assert [row[2] for row in (await counter.page()).rows] == [f"A{n}" for n in range(5, 10)]
    assert all(finding.ok for finding in self_check(server.core.engine))
    await counter.push(counter.link(sample_cn(0), "A0"))
    assert (await counter.head()).seq == 16


async def test_a_horizon_never_moves_back_nor_beyond_the_head(
    server: Server, counter: Counter
) -> None:
    await linked_and_removed(counter)
    engine = server.core.engine
    assert compact(engine, LINKS, counter.scope, below=12).horizon == 12
    assert compact(engine, LINKS, counter.scope, below=3).horizon == 12
    assert compact(engine, SUSPENSIONS, counter.scope, below=0).horizon == 0
    with pytest.raises(AdminRefusedError):
        compact(engine, LINKS, counter.scope, below=16)


async def test_compaction_does_not_forget_a_verdict(server: Server, counter: Counter) -> None:
    items = [counter.link(sample_cn(1), "A1"), counter.link(sample_cn(2), "A1")]
    first = await counter.push(*items)
    await counter.push(counter.link(sample_cn(3), "A3"))
    compact(server.core.engine, LINKS, counter.scope, below=2)
    again = await counter.push(*items)
    assert [item.verdict for item in again.items] == [item.verdict for item in first.items]


async def test_a_row_that_is_linked_again_while_tombstones_go_stays(
    server: Server, counter: Counter
) -> None:
    await linked_and_removed(counter)
    engine = server.core.engine

    def link_again(_: object, cursor: Any, statement: str, *rest: object) -> None:
        """As another process may between the look and the deletion."""
        del rest
        if statement.startswith("DELETE FROM link"):
            cursor.execute(
                "UPDATE link SET status = 0, service_id = 'AGAIN', seq = 99 WHERE seq = 11"
            )

    event.listen(engine, "before_cursor_execute", link_again)
    try:
        compact(engine, LINKS, counter.scope, below=15)
    finally:
        event.remove(engine, "before_cursor_execute", link_again)
    assert "AGAIN" in {row[2] for row in (await counter.page(after=0)).rows}
