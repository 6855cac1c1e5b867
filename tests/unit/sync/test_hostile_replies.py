"""A server, or somebody on the line, that answers anything: bounded, refused, and nothing lost."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest
import zstandard

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import LineError, ServerError
from mykey_tui.store import progress
from mykey_tui.store.engine import writing
from mykey_tui.store.tables import MutationState
from mykey_tui.store.verdicts import TRIES_MAX
from mykey_tui.sync import exchange
from mykey_tui.wire.messages import MSGPACK, PushRequest, is_epoch

Send = Callable[[], httpx.Response]
TOKEN = b"T" * 16


def answer(
    body: bytes, *, kind: str = MSGPACK, status: int = 200, headers: dict[str, str] | None = None
) -> httpx.Response:
    return httpx.Response(
        status, headers={"content-type": kind, **(headers or {})}, stream=httpx.ByteStream(body)
    )


def packed(message: object) -> httpx.Response:
    return answer(msgspec.msgpack.encode(message))


def spoil_at(site: Any, path: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the decoded replies of one endpoint."""

    def spoil(request: httpx.Request, send: Send) -> httpx.Response:
        response = send()
        if path not in request.url.path or response.status_code != 200:
            return response
        body = response.read()
        if response.headers.get("content-encoding") == "zstd":
            body = zstandard.ZstdDecompressor().decompress(body)
        return packed(change(msgspec.msgpack.decode(body)))

    site.line.spoil = spoil


BOMB = b"\0" * (exchange.BODY_BYTES_MAX + 1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: answer(b""),
        lambda: answer(b"\xff\xff\xff"),
        lambda: answer(b"<html>captive portal</html>", kind="text/html"),
        lambda: answer(b"\x91" * 100_000),  # an array in an array in an array
        lambda: answer(msgspec.msgpack.encode({"epoch": 5})),
        lambda: answer(b"", status=302, headers={"location": "http://elsewhere.example/"}),
        lambda: answer(b"{", kind="application/problem+json", status=500),
        lambda: answer(b"x" * (exchange.PACKED_BYTES_MAX + 1)),
        lambda: answer(zstandard.compress(BOMB), headers={"content-encoding": "zstd"}),
        lambda: answer(zlib.compress(BOMB), headers={"content-encoding": "gzip"}),
        lambda: answer(b"not zstd", headers={"content-encoding": "zstd"}),
        lambda: answer(b"x", headers={"content-encoding": "br"}),
    ],
)
def test_a_reply_that_makes_no_sense_is_said_to_be_the_servers_fault(
    site: Any, counter: Any, make: Callable[[], httpx.Response]
) -> None:
    counter.queue(1)
    site.line.spoil = lambda request, send: make()
    with pytest.raises(ServerError) as caught:
        counter.sync()
    assert caught.value.code is Code.SERVER_BROKEN
    site.line.spoil = None
    assert counter.sync().applied == 1


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("x"), httpx.ConnectTimeout("x"), httpx.ReadTimeout("x"),
        httpx.ReadError("x"), httpx.RemoteProtocolError("x"),
    ],
)  # fmt: skip
def test_no_line_is_a_line_fault(site: Any, counter: Any, error: httpx.HTTPError) -> None:
    def cut(request: httpx.Request, send: Send) -> httpx.Response:
        raise error

    site.line.spoil = cut
    with pytest.raises(LineError):
        counter.sync()


@pytest.mark.parametrize(
    "poison",
    [
        [TOKEN, None, "\x1b]52;c;UFdORUQ=\x07", 0, 2],
        [TOKEN, None, "\u202e0001234", 0, 2],
        [TOKEN, None, 5, 0, 2],
        [TOKEN, None, "1234", 77, 2],
        [TOKEN, b"short", "1234", 0, 2],
        [TOKEN, None, "1234", 0, 2**52],
        [TOKEN, None, "1234", 0, -1],
        [TOKEN, None, "1234", 0],
        [b"no token", None, "1234", 0, 2],
        [[[[[]]]]],
        "row",
        None,
    ],
)
def test_a_poisoned_row_is_left_out_counted_and_stops_nothing(
    site: Any, counter: Any, poison: object
) -> None:
    other = site.enrol(counter.store.identity.scope)
    for number in (1, 2, 3):
        other.queue(number)
    other.sync()

    def poisoned(page: dict[str, Any]) -> object:
        page["rows"][1] = poison
        return page

    site.line.older = True
    spoil_at(site, "/log/", poisoned)
    report = counter.sync()
    assert report.refused_rows == 1
    assert report.digest == "mismatch"
    assert (counter.finds(1), counter.finds(2), counter.finds(3)) == (
        "0000000001", None, "0000000003",
    )  # fmt: skip
    assert counter.store.progress().refused_rows == 1
    assert counter.store.progress().position is None
    site.line.spoil = None
    counter.queue(4)
    assert counter.sync().applied == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda page: {**page, "next": 0, "more": True},
        lambda page: {**page, "head": None},
        lambda page: {**page, "next": -1},
        lambda page: {**page, "rows": page["rows"] * 20_000},
        lambda page: {**page, "rows": {}},
    ],
)
def test_a_page_that_makes_no_sense_is_refused_whole(
    site: Any, counter: Any, change: Callable[[dict[str, Any]], object]
) -> None:
    other = site.enrol(counter.store.identity.scope)
    other.queue(1)
    other.sync()
    site.line.older = True
    spoil_at(site, "/log/", change)
    # The cursor of a counter that is at seq 0 must move with `more`.
    with pytest.raises(ServerError) as caught:
        counter.sync()
    assert caught.value.code is Code.SERVER_BROKEN
    assert counter.store.progress().rows == 0


def test_a_server_that_always_has_more_does_not_hold_the_round(
    site: Any, counter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mykey_tui.sync.pull.PAGES_MAX", 7)
    other = site.enrol(counter.store.identity.scope)
    other.queue(1)
    other.sync()
    seq = 0

    def more(request: httpx.Request, send: Send) -> httpx.Response:
        nonlocal seq
        if "/log/" not in request.url.path:
            return send()
        seq += 1
        return packed({"next": seq, "more": True, "rows": []})

    site.line.older = True
    site.line.spoil = more
    assert counter.sync().digest == "mismatch"
    assert counter.store.load().cursor == 7


@pytest.mark.parametrize("status", [400, 413])
def test_an_item_that_brings_the_push_down_is_found_and_parked(
    site: Any, counter: Any, status: int
) -> None:
    for number in range(1, 9):
        counter.queue(number)
    poison = 5

    def brings_down(request: httpx.Request, send: Send) -> httpx.Response:
        if request.method == "POST":
            push = msgspec.msgpack.decode(request.content, type=PushRequest)
            if poison in {item.mid for item in push.items}:
                return answer(b"", status=status)
        return send()

    site.line.spoil = brings_down
    report = counter.sync()
    assert report.applied == 4
    assert report.digest == "match"
    for _ in range(TRIES_MAX - 1):
        counter.sync()
    parked = counter.store.queue()[0]
    assert (parked.mid, parked.state) == (poison, MutationState.PARKED)
    site.line.spoil = None
    counter.store.retry(poison)
    assert counter.sync().applied == 4
    assert counter.store.queue() == []


def test_a_parked_item_does_not_hold_the_others_once_the_server_takes_it(
    site: Any, counter: Any
) -> None:
    for number in range(1, 4):
        counter.queue(number)
    counter.store.count_try([1])
    counter.store.count_try([1])
    assert counter.store.count_try([1]) == 1
    report = counter.sync()
    assert report.applied == 3
    assert counter.store.queue() == []


def test_a_server_that_is_broken_as_a_whole_parks_nothing(site: Any, counter: Any) -> None:
    for number in range(1, 40):
        counter.queue(number)

    def broken(request: httpx.Request, send: Send) -> httpx.Response:
        return send() if "/hello" in request.url.path else answer(b"", status=500)

    site.line.spoil = broken
    site.line.requests.clear()
    for _ in range(TRIES_MAX + 1):
        with pytest.raises(ServerError):
            counter.sync()
    assert counter.store.counts().attention == 0
    assert len(site.line.requests) < 15 * (TRIES_MAX + 1)


def test_a_push_reply_that_makes_no_sense_does_not_stop_the_download(
    site: Any, counter: Any
) -> None:
    other = site.enrol(counter.store.identity.scope)
    other.queue(1)
    other.sync()
    counter.queue(2)

    def garbled(request: httpx.Request, send: Send) -> httpx.Response:
        response = send()
        return answer(b"\xc1") if request.method == "POST" else response

    site.line.spoil = garbled
    with pytest.raises(ServerError) as caught:
        counter.sync()
    assert caught.value.code is Code.SERVER_BROKEN
    assert counter.finds(1) == "0000000001"
    assert counter.store.counts().waiting == 1
    site.line.spoil = None
    assert counter.sync().already + counter.sync().applied <= 1
    assert counter.store.counts().waiting == 0


@pytest.mark.parametrize(
    "poison",
    [
        {"mid": 1, "verdict": "praised"},
        {"mid": "one", "verdict": "applied"},
        {"mid": 1},
        "applied",
        None,
    ],
)
def test_a_verdict_that_makes_no_sense_is_asked_for_again(
    site: Any, counter: Any, poison: object
) -> None:
    counter.queue(1)
    counter.queue(2)

    def change(reply: dict[str, Any]) -> object:
        reply["items"][0] = poison
        return reply

    spoil_at(site, "/push", change)
    report = counter.sync()
    assert (report.applied, report.put_off) == (1, 1)
    site.line.spoil = None
    assert counter.sync().digest == "match"
    assert counter.store.queue() == []


def test_a_verdict_with_a_poisoned_row_counts_without_the_row(site: Any, counter: Any) -> None:
    counter.queue(1)

    def change(reply: dict[str, Any]) -> object:
        reply["items"][0]["row"] = [b"?", None, "\x1b[2J", 0, 1]
        return reply

    spoil_at(site, "/push", change)
    report = counter.sync()
    assert (report.applied, report.digest) == (1, "match")
    assert counter.finds(1) == "0000000001"


@pytest.mark.parametrize("text", ["", "e" * 65, "a.b", "é", "０", "e\n", "../hello"])
def test_what_a_query_cannot_carry_names_no_history(text: str) -> None:
    assert not is_epoch(text)
    assert is_epoch("e" * 64)


@pytest.mark.parametrize("epoch", ["a.b", "e" * 65])
@pytest.mark.parametrize("path", ["/hello", "/heads", "/push"])
def test_an_epoch_that_can_name_no_history_is_the_servers_fault_and_is_not_kept(
    site: Any, counter: Any, path: str, epoch: str
) -> None:
    counter.queue(1)
    counter.sync()
    counter.queue(2)
    before = counter.store.progress()
    spoil_at(site, path, lambda reply: {**reply, "epoch": epoch})
    with pytest.raises(ServerError) as caught:
        counter.sync()
    assert caught.value.code is Code.SERVER_BROKEN
    now = counter.store.progress()
    assert (now.epoch, now.mark) == (before.epoch, before.mark)
    site.line.spoil = None
    counter.sync()
    assert counter.store.queue() == []


def test_an_epoch_that_can_name_no_history_does_not_pass_beside_a_bad_verdict(
    site: Any, counter: Any
) -> None:
    counter.queue(1)
    spoil_at(site, "/push", lambda reply: {**reply, "epoch": "a.b", "items": [None]})
    with pytest.raises(ServerError) as caught:
        counter.sync()
    assert caught.value.code is Code.SERVER_BROKEN


@pytest.mark.parametrize("older", [False, True], ids=["this server", "a server of the first form"])
def test_a_counter_that_has_kept_such_an_epoch_comes_out_of_it_by_itself(
    site: Any, counter: Any, older: bool
) -> None:
    site.line.older = older
    counter.queue(1)
    counter.sync()
    with writing(counter.store._engine) as connection:
        progress.change(connection, epoch="a.b")
    counter.queue(2)
    assert counter.sync().digest == "match"
    known = counter.store.progress()
    assert (known.epoch, counter.store.unsent()) == (known.position.epoch, 0)
    assert known.epoch != "a.b"
    assert (counter.finds(1), counter.finds(2)) == ("0000000001", "0000000002")


@pytest.mark.parametrize("text", ["yesterday", "", "9999-12-31T23:59:59+00:00", "2026-11-22T09:00"])
def test_a_server_time_that_is_nonsense_moves_no_clock(site: Any, counter: Any, text: str) -> None:
    spoil_at(site, "/hello", lambda hello: {**hello, "server_time": text})
    before = counter.clock.offset
    counter.sync()
    assert counter.clock.offset == before


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_poll_that_is_no_number_of_seconds_is_refused(
    site: Any, counter: Any, number: float
) -> None:
    def spoil(request: httpx.Request, send: Send) -> httpx.Response:
        reply = send()
        if "/hello" not in request.url.path:
            return reply
        return packed({**msgspec.msgpack.decode(reply.read()), "poll_after_s": number})

    site.line.spoil = spoil
    with pytest.raises(ServerError) as caught:
        counter.sync()
    assert caught.value.code is Code.SERVER_BROKEN


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_wait_that_is_no_number_of_seconds_is_left_out_and_its_verdict_is_taken(
    site: Any, counter: Any, number: float
) -> None:
    counter.queue(1)

    def spoil(request: httpx.Request, send: Send) -> httpx.Response:
        reply = send()
        if request.method != "POST":
            return reply
        body = msgspec.msgpack.decode(reply.read())
        body["items"] = [{**item, "retry_after_s": number} for item in body["items"]]
        return packed(body)

    site.line.spoil = spoil
    report = counter.sync()
    assert report.applied == 1
    assert report.retry_after_seconds is None
