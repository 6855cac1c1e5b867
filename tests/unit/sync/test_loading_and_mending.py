"""All rows anew, in parts that survive a kill; and single buckets that are not the server's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import LineError, ServerError
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.sync import repair
from mykey_tui.wire.messages import MSGPACK

Send = Callable[[], httpx.Response]
PEOPLE = 40


def packed(message: object) -> httpx.Response:
    body = httpx.ByteStream(msgspec.msgpack.encode(message))
    return httpx.Response(200, headers={"content-type": MSGPACK}, stream=body)


def opened(response: httpx.Response) -> Any:
    return msgspec.msgpack.decode(response.read())


@pytest.fixture
def fresh(site: Any, counter: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A counter that has nothing yet; another one has linked forty people."""
    monkeypatch.setattr("mykey_tui.sync.pull.SNAPSHOT_ROWS_MAX", 10)
    for number in range(1, PEOPLE + 1):
        counter.queue(number)
    counter.sync()
    site.line.requests.clear()
    return site.enrol(counter.store.identity.scope)


def parts_asked(site: Any) -> list[int]:
    return [int(r.rpartition("/")[2]) for r in site.line.requests if "/snapshot/" in r]


def finds_all(counter: Any) -> bool:
    return all(counter.finds(n) == f"{n:010}" for n in range(1, PEOPLE + 1))


def test_a_fresh_counter_loads_in_parts(site: Any, fresh: Any) -> None:
    report = fresh.sync()
    assert (report.pulled, report.rows, report.digest) == (PEOPLE, PEOPLE, "match")
    assert len(parts_asked(site)) > 2
    assert finds_all(fresh)
    assert fresh.store.load() is None


def test_a_line_cut_between_parts_costs_one_part(site: Any, fresh: Any) -> None:
    def cut(request: httpx.Request, send: Send) -> httpx.Response:
        if len(parts_asked(site)) == 3 and "/snapshot/" in request.url.path:
            raise httpx.ReadError("the line broke")
        return send()

    site.line.spoil = cut
    with pytest.raises(LineError):
        fresh.sync()
    fraction = fresh.store.freshness().loading.fraction
    assert 0 < fraction < 1
    assert fresh.store.freshness().age_seconds is None
    assert fresh.finds(1) is None  # half a table answers nothing
    broken = parts_asked(site)[2]
    fresh.store.close()
    again = site.counter(CounterStore.open(fresh.store.home), fresh.clock)
    site.line.spoil = None
    site.line.requests.clear()
    assert again.sync().digest == "match"
    assert parts_asked(site)[0] == broken
    assert finds_all(again)


def test_what_moves_while_it_is_loaded_comes_with_the_log(
    site: Any, counter: Any, fresh: Any
) -> None:
    moved = False

    def move(request: httpx.Request, send: Send) -> httpx.Response:
        nonlocal moved
        answer = send()
        if "/snapshot/" in request.url.path and not moved:
            moved = True
            counter.queue(1, op="unlink")
            counter.queue(2, op="unlink")
            counter.queue(2, "9999999999")
            counter.queue(PEOPLE + 1)
            counter.sync()
        return answer

    site.line.spoil = move
    report = fresh.sync()
    assert (report.rows, report.digest) == (PEOPLE, "match")
    assert (fresh.finds(1), fresh.finds(2)) == (None, "9999999999")
    assert fresh.finds(PEOPLE + 1) is not None


def test_a_link_made_while_it_is_loaded_is_good_at_once_and_stays(site: Any, fresh: Any) -> None:
    def cut(request: httpx.Request, send: Send) -> httpx.Response:
        if "/snapshot/" in request.url.path:
            raise httpx.ReadError("the line broke")
        return send()

    site.line.spoil = cut
    fresh.queue(99)
    with pytest.raises(LineError):
        fresh.sync()
    assert fresh.store.unsent() == 0  # the queue left, and the line broke afterwards
    assert fresh.finds(99) == "0000000099"
    site.line.spoil = None
    assert fresh.sync().digest == "match"
    assert fresh.finds(99) == "0000000099"


@pytest.mark.parametrize(
    "change",
    [
        {"first": 5},
        {"next": 0},
        {"next": 300},
        {"tokens": b"short"},
        {"statuses": b"\x00"},
        {"service_ids": "1\n2\n"},
        {"service_ids": ""},
        {"bindings": {9999: b"b" * 8}},
        {"bindings": {-1: b"b" * 8}},
        {"tokens": bytes(16) * 40},
        {"seq": -1},
    ],
)
def test_a_part_that_makes_no_sense_is_refused_whole(
    site: Any, fresh: Any, change: dict[str, Any]
) -> None:
    def spoil(request: httpx.Request, send: Send) -> httpx.Response:
        answer = send()
        if "/snapshot/" not in request.url.path:
            return answer
        return packed({**opened(answer), **change})

    site.line.spoil = spoil
    with pytest.raises(ServerError) as caught:
        fresh.sync()
    assert caught.value.code is Code.SERVER_BROKEN
    assert fresh.store.load().rows == 0


def test_a_row_of_a_newer_server_is_left_out_and_said(site: Any, fresh: Any) -> None:
    def newer(request: httpx.Request, send: Send) -> httpx.Response:
        answer = send()
        if "/snapshot/" not in request.url.path:
            return answer
        part = opened(answer)
        where = part["tokens"].find(fresh.token(1)) // 16
        if where >= 0:
            statuses = bytearray(part["statuses"])
            statuses[where] = 5
            part["statuses"] = bytes(statuses)
        return packed(part)

    site.line.spoil = newer
    report = fresh.sync()
    assert (report.rows, report.digest) == (PEOPLE - 1, "mismatch")
    assert report.refused_rows >= 1
    assert fresh.store.load() is None  # there were no other rows to answer from


def damage(counter: Any, statement: str) -> None:
    with counter.store._engine.begin() as connection:
        connection.exec_driver_sql(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM link WHERE token IN (SELECT token FROM link LIMIT 2)",
        "UPDATE link SET service_id = '666' WHERE token IN (SELECT token FROM link LIMIT 1)",
        "INSERT INTO link VALUES (x'00112233445566778899aabbccddeeff', NULL, '1', 0, 1)",
    ],
)
def test_a_damaged_row_is_mended_by_its_bucket_alone(
    site: Any, counter: Any, fresh: Any, statement: str
) -> None:
    fresh.sync()
    damage(fresh, statement)
    assert not fresh.store.recount()  # the night's look
    assert fresh.store.recount()
    site.line.requests.clear()
    assert fresh.sync().digest == "match"
    assert 1 <= len(parts_asked(site)) <= 2
    assert finds_all(fresh)
    assert fresh.store.progress().position is not None


def test_sums_that_are_wrong_over_right_rows_are_put_right(site: Any, fresh: Any) -> None:
    fresh.sync()
    damage(fresh, "UPDATE progress SET digest = x'00112233445566778899aabbccddeeff', rows = 7")
    site.line.requests.clear()
    report = fresh.sync()
    assert (report.digest, report.rows) == ("match", PEOPLE)
    assert parts_asked(site) == []


def test_what_cannot_be_mended_is_a_visible_state_with_slow_retries(
    site: Any, fresh: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.sync()

    def lies(request: httpx.Request, send: Send) -> httpx.Response:
        answer = send()
        if "/digest/" in request.url.path:
            return packed({**opened(answer), "buckets": b"\x01" * 4096})
        if "/heads" in request.url.path and "S:" not in str(request.url).replace("%3A", ":"):
            return packed({**opened(answer), "digest": b"\x01" * 16})
        if "/log/" in request.url.path and "S:" not in request.url.path.replace("%3A", ":"):
            page = opened(answer)
            return packed({**page, "head": {**page["head"], "digest": b"\x01" * 16}})
        return answer

    site.line.spoil = lies
    site.line.requests.clear()
    assert fresh.sync().digest == "mismatch"
    assert len(parts_asked(site)) == repair.ROUNDS_MAX * repair.BUCKETS_MAX
    site.line.requests.clear()
    assert fresh.sync().digest == "mismatch"
    assert parts_asked(site) == []
    assert finds_all(fresh)
    site.line.spoil = None
    assert fresh.sync().digest == "match"


def test_an_older_server_is_loaded_by_its_log(site: Any, fresh: Any) -> None:
    site.line.older = True
    report = fresh.sync()
    assert (report.rows, report.digest) == (PEOPLE, "match")
    assert finds_all(fresh)


def test_a_history_that_changes_within_a_load_begins_the_load_anew(
    site: Any, counter: Any, fresh: Any
) -> None:
    backup = site.backup()
    for number in range(PEOPLE + 1, PEOPLE + 20):
        counter.queue(number)
    counter.sync()
    restored = False

    def restore(request: httpx.Request, send: Send) -> httpx.Response:
        nonlocal restored
        if "/log/" in request.url.path and "S:" not in request.url.path and not restored:
            restored = True
            site.restore(backup)
        return send()

    site.line.spoil = restore
    assert fresh.sync().digest == "match"
    assert fresh.store.progress().rows == PEOPLE


def test_a_damaged_list_of_suspensions_is_fetched_whole(site: Any, fresh: Any) -> None:
    site.set_suspended(1, suspended=True)
    fresh.sync()
    damage(fresh, "DELETE FROM suspension")
    assert not fresh.store.recount_suspensions()
    fresh.sync()
    assert fresh.store.recount_suspensions()
    assert fresh.store.lookup(fresh.token(1)).status.name == "SUSPENDED"
