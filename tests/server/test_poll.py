"""`GET /v1/poll`: cheap, and no way round any rule."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

from mykey_server import polling
from mykey_server.database import write
from mykey_server.tables.terminal import TERMINAL_QUARANTINED, TERMINAL_RETIRED, TerminalTable
from mykey_tui.wire.messages import HelloReply
from mykey_tui.wire.poll import sign_poll
from tests.server.conftest import ORIGIN, Counter, Server

MARI = "1C2410DF79DGEL07202002B"


@pytest.fixture(autouse=True)
def always_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second of memory: each test sees what it did."""
    monkeypatch.setattr(polling, "STATE_SECONDS", 0.0)


async def poll(counter: Counter, query: str = "", **how: Any) -> Any:
    server = counter.server
    url = f"{ORIGIN}/v1/poll?{query or 'scope=' + counter.scope}"
    headers = sign_poll(
        url=url,
        key=how.get("key") or server.core.site.poll_key(counter.identity.device_id),
        key_id=how.get("key_id") or counter.identity.device_id,
        created=how.get("created") or server.clock.now(),
    )
    if "shown" in how:
        headers["If-None-Match"] = how["shown"]
    return await server.http.request(how.get("method", "GET"), url, headers=headers)


def set_status(server: Server, status: int) -> None:
    statement = update(TerminalTable).values(status=status).where(col(TerminalTable.status) >= 0)
    write(server.core.engine, lambda connection: connection.execute(statement))


async def test_nothing_new_is_answered_with_no_body(counter: Counter) -> None:
    first = await poll(counter)
    assert first.status_code == 200
    assert first.headers["cache-control"] == "no-store"
    assert json.loads(first.content)["seq"] == 0
    again = await poll(counter, shown=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


async def test_a_change_ends_the_old_answer(counter: Counter) -> None:
    first = await poll(counter)
    await counter.push(counter.link(MARI, "ABC"))
    changed = await poll(counter, shown=first.headers["etag"])
    assert changed.status_code == 200
    assert json.loads(changed.content)["seq"] == 1
    assert changed.headers["etag"] != first.headers["etag"]


async def test_another_epoch_ends_the_old_answer(counter: Counter) -> None:
    first = await poll(counter)
    epoch = json.loads(first.content)["epoch"]
    assert first.headers["etag"].startswith(f'"{epoch}.')


async def test_an_answer_is_remembered_for_a_second_and_no_longer(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "STATE_SECONDS", 60.0)
    first = await poll(counter)
    await counter.push(counter.link(MARI, "ABC"))
    assert (await poll(counter)).headers["etag"] == first.headers["etag"]
    monkeypatch.setattr(polling, "STATE_SECONDS", 0.0)
    assert (await poll(counter)).headers["etag"] != first.headers["etag"]


async def test_hello_gives_the_key_and_it_is_the_counters_own(
    server: Server, counter: Counter, scope: str
) -> None:
    other = await server.enrol(scope)
    keys = [(await each.ask("/v1/hello", HelloReply)).poll_key for each in (counter, other)]
    assert None not in keys
    assert keys[0] != keys[1]
    assert (await poll(counter, key=keys[0])).status_code == 200
    assert (await poll(counter, key=keys[1])).status_code == 401


@pytest.mark.parametrize(
    ("status", "problem"),
    [(TERMINAL_RETIRED, "device-retired"), (TERMINAL_QUARANTINED, "device-quarantined")],
)
async def test_a_counter_that_may_not_speak_may_not_poll(
    server: Server, counter: Counter, status: int, problem: str
) -> None:
    assert (await poll(counter)).status_code == 200
    set_status(server, status)
    answer = await poll(counter)
    assert answer.json()["type"] == problem


async def test_another_scope_is_answered_as_one_that_is_not_there(
    server: Server, counter: Counter
) -> None:
    theirs = server.add_provider("B-β1-0001")
    answers = [
        await poll(counter, query)
        for query in (f"scope={theirs}", "scope=Nobody", "", f"scope={counter.scope}&scope=x")
        if query
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1


async def test_the_poll_key_opens_nothing_else(counter: Counter) -> None:
    path = f"/v1/heads?scope={counter.scope}"
    headers = sign_poll(
        url=ORIGIN + path,
        key=counter.server.core.site.poll_key(counter.identity.device_id),
        key_id=counter.identity.device_id,
        created=counter.server.clock.now(),
    )
    answer = await counter.server.http.get(path, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (401, "signature-refused")


async def test_the_devices_own_signature_is_no_poll(counter: Counter) -> None:
    answer = await counter.send("GET", f"/v1/poll?scope={counter.scope}")
    assert (answer.status_code, answer.json()["type"]) == (401, "signature-refused")


async def test_a_device_that_nobody_enrolled_learns_nothing(counter: Counter) -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    guessed = await poll(counter, key_id=nobody, key=bytes(32))
    assert (guessed.status_code, guessed.json()["type"]) == (401, "signature-refused")


async def test_a_clock_that_is_wrong_is_told_the_time(counter: Counter) -> None:
    late = counter.server.clock.now() - timedelta(seconds=301)
    answer = await poll(counter, created=late)
    assert answer.json()["type"] == "signature-created-out-of-range"
    assert answer.json()["server_time"] == counter.server.clock.now().isoformat()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD"])
async def test_only_get_is_a_poll(counter: Counter, method: str) -> None:
    assert (await poll(counter, method=method)).status_code == 404


@pytest.mark.parametrize("headers", [{}, {"Signature": "x"}, {"Signature-Input": "x" * 2000}])
async def test_an_unsigned_poll_is_refused(counter: Counter, headers: dict[str, str]) -> None:
    url = f"/v1/poll?scope={counter.scope}"
    answer = await counter.server.http.get(url, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (401, "signature-refused")


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "REMEMBERED_MAX", 3)
    recent = polling._Recent(str.upper)
    assert [recent.get(name) for name in "abcde"] == list("ABCDE")
    assert list(recent.known) == ["c", "d", "e"]
