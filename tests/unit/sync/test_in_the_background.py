"""The background round: prompt, patient, and quick to see the line come back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import httpx
import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError, StoreError
from mykey_tui.sync import background
from mykey_tui.sync.background import BackgroundSync, Line, tcp_probe
from mykey_tui.sync.plan import (
    BACKOFF_MAX_SECONDS,
    POLL_MAX_SECONDS,
    POLL_MIN_SECONDS,
    backoff_seconds,
    poll_seconds,
)

Send = Callable[[], httpx.Response]
SOON = 5.0


class Watched:
    """A background round whose line a test cuts, and whose changes it waits for."""

    def __init__(self, counter: Any, site: Any) -> None:
        self.open = True
        self.probes = 0
        self._site = site
        self._changed = threading.Condition()
        self.sync = BackgroundSync(
            counter.store,
            counter.client,
            on_change=self._change,
            probe=self._probe,
            random=Random(1),  # noqa: S311  # jitter
        )

    def cut(self, is_cut: bool) -> None:
        self.open = not is_cut

        def down(request: httpx.Request, send: Send) -> httpx.Response:
            raise httpx.ConnectError("no line")

        self._site.line.spoil = down if is_cut else None

    def until(self, wanted: Callable[[], bool]) -> float:
        """Wait for it; returns the seconds it took."""
        begun = time.monotonic()
        with self._changed:
            assert self._changed.wait_for(wanted, SOON), self.sync.view
        return time.monotonic() - begun

    def _probe(self) -> bool:
        self.probes += 1
        return self.open

    def _change(self) -> None:
        with self._changed:
            self._changed.notify_all()


@pytest.fixture
def watched(site: Any, counter: Any) -> Iterator[Watched]:
    watched = Watched(counter, site)
    yield watched
    watched.sync.stop()


def is_line(watched: Watched, line: Line) -> Callable[[], bool]:
    return lambda: watched.sync.view.line is line


def test_the_first_round_starts_at_once_and_tells_of_it(watched: Watched, counter: Any) -> None:
    counter.queue(1)
    assert watched.sync.view.line is Line.UNKNOWN
    watched.sync.start()
    watched.until(is_line(watched, Line.UP))
    assert counter.store.counts().waiting == 0
    report = watched.sync.view.report
    assert report is not None
    assert report.applied == 1


def test_a_nudge_sends_what_was_just_queued(watched: Watched, counter: Any, site: Any) -> None:
    watched.sync.start()
    watched.until(is_line(watched, Line.UP))
    counter.queue(1)
    assert watched.sync.round_soon(SOON)
    assert counter.store.counts().waiting == 0
    assert len(site.links()) == 1


@pytest.mark.parametrize("broken", ["on_change", "probe"])
def test_a_callback_that_fails_stops_no_round_and_is_logged_by_its_kind(
    counter: Any, site: Any, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    failed = threading.Event()

    def fails() -> Any:
        failed.set()
        raise RuntimeError("やまだたろう")

    def down(request: httpx.Request, send: Send) -> httpx.Response:
        raise httpx.ConnectError("no line")

    sync = BackgroundSync(
        counter.store,
        counter.client,
        on_change=fails if broken == "on_change" else lambda: None,
        probe=fails if broken == "probe" else lambda: False,
    )
    if broken == "probe":
        site.line.spoil = down  # it is asked only then
    sync.start()
    try:
        assert failed.wait(SOON)
        site.line.spoil = None
        counter.queue(1)
        assert sync.round_soon(SOON)
        assert counter.store.unsent() == 0
    finally:
        sync.stop()
    assert "RuntimeError" in caplog.text
    assert "やまだ" not in caplog.text


def test_the_lines_return_is_noticed_within_two_seconds(watched: Watched, counter: Any) -> None:
    watched.cut(True)
    watched.sync.start()
    watched.until(is_line(watched, Line.DOWN))
    assert watched.sync.view.code is Code.LINE_DOWN
    counter.queue(1)
    watched.sync._failures = 50  # as after a long night: the next try is a minute away
    watched.sync.nudge()
    time.sleep(0.3)
    watched.cut(False)
    assert watched.until(is_line(watched, Line.UP)) < 2.5
    assert counter.store.counts().waiting == 0


def test_a_door_that_answers_without_a_server_behind_is_not_hammered(
    watched: Watched, site: Any
) -> None:
    watched.cut(True)
    watched.open = True  # the address answers, and nothing comes of it
    watched.sync._failures = 50
    watched.sync.start()
    watched.until(is_line(watched, Line.DOWN))
    site.line.requests.clear()
    time.sleep(2 * background.PROBE_EVERY_SECONDS)
    assert len(site.line.requests) <= 1


def test_a_counter_that_was_turned_away_says_so_and_asks_rarely(
    watched: Watched, site: Any
) -> None:
    # Without the server's proof; with it, see test_a_retired_counter.
    unproven = b'{"type":"device-retired","title":"","status":401}'
    kind = {"content-type": "application/problem+json"}
    site.line.spoil = lambda request, send: httpx.Response(
        401, headers=kind, stream=httpx.ByteStream(unproven)
    )
    watched.sync.start()
    watched.until(is_line(watched, Line.REFUSED))
    assert watched.sync.view.code is Code.SERVER_DENIED
    site.line.requests.clear()
    time.sleep(0.5)
    assert site.line.requests == []


def test_a_server_that_makes_no_sense_is_told_from_no_line(watched: Watched, site: Any) -> None:
    site.line.spoil = lambda request, send: httpx.Response(500, stream=httpx.ByteStream(b""))
    watched.sync.start()
    watched.until(is_line(watched, Line.BROKEN))
    assert watched.sync.view.code is Code.SERVER_BROKEN


def test_a_fault_of_ours_ends_in_a_code_and_not_in_a_dead_thread(
    watched: Watched, site: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def bug(request: httpx.Request, send: Send) -> httpx.Response:
        raise ZeroDivisionError("1111358665")

    site.line.spoil = bug
    watched.sync.start()
    watched.until(lambda: watched.sync.view.code is Code.BUG)
    site.line.spoil = None
    assert watched.sync.round_soon(SOON)
    assert watched.sync.view.line is Line.UP
    assert "ZeroDivisionError" in caplog.text
    assert "1111358665" not in caplog.text


def test_another_programs_round_is_no_fault_of_the_line(
    watched: Watched, counter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "LOCK_WAIT_SECONDS", 0.05)
    watched.sync.start()
    watched.until(is_line(watched, Line.UP))
    with counter.store.home.syncing(0.0):
        assert watched.sync.round_soon(SOON)
        assert (watched.sync.view.line, watched.sync.view.code) == (Line.UP, Code.STORE_BUSY)


def test_stopping_is_prompt(watched: Watched) -> None:
    watched.sync.start()
    watched.until(is_line(watched, Line.UP))
    begun = time.monotonic()
    watched.sync.stop()
    assert time.monotonic() - begun < 1.0
    assert not watched.sync.round_soon(0.0) or watched.sync.view.line is Line.UP


def test_waiting_costs_no_work(watched: Watched, site: Any) -> None:
    watched.sync.start()
    watched.until(is_line(watched, Line.UP))
    site.line.requests.clear()
    before = time.process_time()
    time.sleep(1.0)
    assert time.process_time() - before < 0.05
    assert site.line.requests == []


def test_waits_grow_with_failures_and_never_pass_a_minute() -> None:
    random = Random(7)  # noqa: S311
    waits = [[backoff_seconds(n, random) for _ in range(200)] for n in range(30)]
    assert all(0 < wait <= BACKOFF_MAX_SECONDS for row in waits for wait in row)
    assert max(waits[0]) <= 1.0
    assert max(waits[20]) > 50
    assert min(waits[20]) < 10  # full jitter: not all at once


@pytest.mark.parametrize("asked", [-1.0, 0.0, 30.0, 1e9, 1e300])
def test_the_server_steers_the_poll_within_reason(asked: float) -> None:
    random = Random(7)  # noqa: S311
    for _ in range(100):
        seconds = poll_seconds(asked, random)
        assert 0.8 * POLL_MIN_SECONDS <= seconds <= 1.2 * POLL_MAX_SECONDS


def test_the_probe_is_one_connection_to_the_servers_address() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert tcp_probe(f"http://127.0.0.1:{port}")()
    assert not tcp_probe(f"http://127.0.0.1:{port}")()


def test_rows_that_differ_are_said_while_the_line_works(
    site: Any, counter: Any, watched: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter.queue(1)
    counter.sync()
    monkeypatch.setattr("mykey_tui.sync.round.repair", lambda *_: None)
    with counter.store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE progress SET digest = zeroblob(16)")
    watched.sync.start()
    watched.until(lambda: watched.sync.view.code is Code.SERVER_DIGEST)
    assert watched.sync.view.line is Line.UP


def test_once_a_day_the_sums_are_held_against_the_rows_and_mended(
    site: Any, counter: Any, watched: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter.queue(1)
    counter.sync()
    monkeypatch.setattr(background, "RECOUNT_EVERY_SECONDS", 0.0)
    with counter.store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE link SET service_id = '666'")
    watched.sync.start()
    deadline = time.monotonic() + SOON
    while counter.finds(1) != "0000000001" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert counter.finds(1) == "0000000001"


@pytest.mark.parametrize(
    "code", [Code.SERVER_RESET, Code.SERVER_SUSPENSIONS, Code.SERVER_COPIED, Code.SERVER_DENIED]
)
def test_what_asking_again_does_not_mend_is_asked_once_a_minute(
    counter: Any, watched: Any, code: Code
) -> None:
    pause = watched.sync._refused(ServerError(code))
    assert pause >= background.REFUSED_AGAIN_SECONDS
    assert watched.sync.view.code is code


def test_a_full_disk_is_a_state_that_is_shown(
    counter: Any, watched: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError(Code.STORE_FULL)

    monkeypatch.setattr(counter.store, "note_time", full)
    watched.sync.start()
    watched.until(lambda: watched.sync.view.code is Code.STORE_FULL)
    monkeypatch.undo()
    watched.sync.nudge()
    watched.until(lambda: watched.sync.view.line is Line.UP)
