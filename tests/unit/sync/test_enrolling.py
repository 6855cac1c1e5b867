"""Enrolment against the real server application: once, and again when it was cut off."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import LineError, ServerError, StoreError
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home
from mykey_tui.sync.enrol import OtherProfileError, enrol
from mykey_tui.wire.messages import MSGPACK

Send = Callable[[], httpx.Response]


def test_a_code_makes_a_counter_that_may_speak(site: Any) -> None:
    scope = site.add_provider(form="digits:10")
    counter = site.enrol(scope)
    identity = counter.store.identity
    assert identity.provider_id.text == "A-α1-0001"
    assert identity.scope == scope
    assert identity.service_id_format.text == "digits:10"
    assert identity.profile == "simulated"
    assert counter.sync().digest == "match"
    assert not counter.store.home.pending_device_key.exists()


def test_every_store_has_an_incarnation_and_a_key_of_its_own(site: Any) -> None:
    scope = site.add_provider()
    one, two = site.enrol(scope).store.identity, site.enrol(scope).store.identity
    assert one.incarnation != two.incarnation
    assert one.device_key != two.device_key
    assert one.device_id != two.device_id


@pytest.mark.parametrize("code", ["", "ABC", "AAAAAAAAAA", "A" * 17, "マイキー" * 4])
def test_a_wrong_code_is_said_to_be_wrong(site: Any, tmp_path: Path, code: str) -> None:
    site.add_provider()
    with pytest.raises(ServerError) as caught:
        ask(site, Home(tmp_path / "c"), code)
    assert caught.value.code is Code.ENROL_CODE
    assert not Home(tmp_path / "c").database.exists()


def test_a_code_is_for_one_counter(site: Any, tmp_path: Path) -> None:
    code = site.code(site.add_provider())
    ask(site, Home(tmp_path / "a"), code).close()
    with pytest.raises(ServerError) as caught:
        ask(site, Home(tmp_path / "b"), code)
    assert caught.value.code is Code.ENROL_CODE


def test_an_enrolled_home_is_not_enrolled_again(site: Any, tmp_path: Path) -> None:
    scope = site.add_provider()
    ask(site, Home(tmp_path / "a"), site.code(scope)).close()
    with pytest.raises(StoreError) as caught:
        ask(site, Home(tmp_path / "a"), site.code(scope))
    assert caught.value.code is Code.ENROL_ALREADY


def test_a_lost_reply_is_no_lost_code(site: Any, tmp_path: Path) -> None:
    home, code = Home(tmp_path / "a"), site.code(site.add_provider())

    def lose(request: httpx.Request, send: Send) -> httpx.Response:
        send()
        raise httpx.ReadError("the line broke")

    site.line.spoil = lose
    with pytest.raises(LineError):
        ask(site, home, code)
    site.line.spoil = None
    ask(site, home, code).close()


def test_the_code_may_be_typed_as_it_is_read(site: Any, tmp_path: Path) -> None:
    code = site.code(site.add_provider())
    typed = f" {code[:5].lower()}-{code[5:]} "
    ask(site, Home(tmp_path / "a"), typed).close()


@pytest.mark.parametrize("url", ["", "no address", "ftp://x", "http://[", "http://x:99999"])
def test_an_address_that_is_none_is_a_line_fault(tmp_path: Path, url: str) -> None:
    with pytest.raises(LineError):
        enrol(
            Home(tmp_path / "a"),
            server_url=url,
            code="ABCDEFGHIJ",
            profile=None,
            counter_name="c",
            clock=SystemClock(),
        )


@pytest.mark.parametrize(
    "change",
    [
        {"scope": "B-0002"}, {"provider_id": "\x1b"}, {"device_id": "x" * 36},
        {"service_id_format": ".*"}, {"profile": "other"}, {"provider_key": b"short"},
    ],
)  # fmt: skip
def test_a_reply_that_makes_no_sense_makes_no_counter(
    site: Any, tmp_path: Path, change: dict[str, object]
) -> None:
    code = site.code(site.add_provider())

    def spoil(request: httpx.Request, send: Send) -> httpx.Response:
        reply = {**msgspec.msgpack.decode(send().read()), **change}
        body = httpx.ByteStream(msgspec.msgpack.encode(reply))
        return httpx.Response(200, headers={"content-type": MSGPACK}, stream=body)

    site.line.spoil = spoil
    with pytest.raises(ServerError) as caught:
        ask(site, Home(tmp_path / "a"), code)
    assert caught.value.code is Code.SERVER_BROKEN
    assert not Home(tmp_path / "a").database.exists()


def test_the_servers_time_is_taken_at_enrolment(site: Any, tmp_path: Path) -> None:
    site.clock.offset = timedelta(days=-400)
    clock = SystemClock()
    store = ask(site, Home(tmp_path / "a"), site.code(site.add_provider()), clock)
    assert abs(clock.offset - timedelta(days=-400)) < timedelta(seconds=5)
    assert store.progress().clock_offset == pytest.approx(clock.offset, abs=timedelta(seconds=1))
    store.close()


def test_a_profile_that_is_not_the_providers_makes_no_counter_and_keeps_the_code(
    site: Any, tmp_path: Path
) -> None:
    home, code = Home(tmp_path / "a"), site.code(site.add_provider())
    with pytest.raises(OtherProfileError) as caught:
        ask(site, home, code, profile="jpki")
    assert (caught.value.code, caught.value.theirs) == (Code.SERVER_DENIED, "simulated")
    assert "simulated" in str(caught.value)
    assert not home.database.exists()
    store = ask(site, home, code, profile="simulated")
    assert store.identity.profile == "simulated"
    store.close()


def test_two_enrolments_of_one_home_never_overwrite_a_store(
    site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first waits for the server while the second begins."""
    home, scope = Home(tmp_path / "a"), site.add_provider()
    codes = [site.code(scope), site.code(scope)]
    asked, answered = threading.Event(), threading.Event()

    def wait(request: httpx.Request, send: Send) -> httpx.Response:
        if not asked.is_set():
            asked.set()
            assert answered.wait(5)
        return send()

    site.line.spoil = wait
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, site, home, codes[0])
        assert asked.wait(5)
        second = pool.submit(ask, site, home, codes[1])
        time.sleep(0.3)  # in which the second would have made a store
        answered.set()
        store = first.result(10)
        error = second.exception(10)
    assert isinstance(error, StoreError)
    assert error.code is Code.ENROL_ALREADY
    again = CounterStore.open(home)
    assert again.identity == store.identity
    again.close()
    store.close()


def test_an_enrolment_does_not_wait_for_another_one_for_ever(
    site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mykey_tui.sync.enrol.LOCK_WAIT_SECONDS", 0.05)
    home, code = Home(tmp_path / "a"), site.code(site.add_provider())
    home.prepare()
    with home.syncing(0.0), pytest.raises(StoreError) as caught:
        ask(site, home, code)
    assert caught.value.code is Code.STORE_BUSY


def ask(
    site: Any,
    home: Home,
    code: str,
    clock: SystemClock | None = None,
    profile: str | None = None,
) -> CounterStore:
    return enrol(
        home,
        server_url="http://sync.example/",
        code=code,
        profile=profile,
        counter_name="窓口",
        clock=clock or SystemClock(),
        transport=site.line,
    )
