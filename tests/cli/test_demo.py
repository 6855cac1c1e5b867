"""`mykey demo` without its screen: everything behind it is real, and nothing of it stays."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest

from mykey_tui.commands.demo_folder import DemoFolder
from mykey_tui.commands.demo_hands import DemoHands, LineSwitch
from mykey_tui.commands.demo_server import DemoServer
from mykey_tui.commands.demo_site import set_up, settings_of
from mykey_tui.composition.hands import Hands
from mykey_tui.composition.running import RunningCounter
from mykey_tui.domain.codes import Code
from mykey_tui.flows.desk_events import CounterEvent, LookedUp
from mykey_tui.flows.outcomes import Found, LineState, NotLinked, Stopped
from mykey_tui.reader.emulator import EmulatedReader
from mykey_tui.settings import SettingsError
from mykey_tui.simulated.tray import SHOPS, sample_tray
from mykey_tui.sync.background import tcp_probe

EVENT_SECONDS = 10.0
_PARENT = """
import sys, time
from pathlib import Path
from mykey_tui.commands.demo_server import DemoServer
with DemoServer(Path(sys.argv[1])) as server:
    server.wait_until_ready()
    print(server.url, flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: Any) -> Any:
    """The demo's counter, running, with its hands."""
    folder = DemoFolder(tmp_path_factory.mktemp("demo"))
    tray = sample_tray(datetime.now(UTC))
    with ExitStack() as stack:
        server = stack.enter_context(DemoServer(folder.database))
        server.wait_until_ready()
        set_up(folder, server, tray)
        reader, line = EmulatedReader(), LineSwitch()
        reaches = tcp_probe(server.url)
        hands = Hands(
            reader=reader,
            transport=line,
            probe=lambda: not line.cut and reaches(),
            demo=lambda nudge: DemoHands(tray, reader, line, nudge),
        )
        counter = RunningCounter(settings_of(folder, SHOPS), hands)
        stack.callback(counter.close)
        events: queue.Queue[CounterEvent] = queue.Queue()
        services = counter.build(events.put)
        services.desk.expect_lookup()
        yield services, events, folder


def looked_up(demo: Any, key: Any) -> Any:
    services, events, _ = demo
    services.demo.place(key)
    deadline = time.monotonic() + EVENT_SECONDS
    while True:
        event = events.get(timeout=max(0.01, deadline - time.monotonic()))
        if isinstance(event, LookedUp):
            return event.outcome


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("1", "ABCDEFGHI"),
        ("2", NotLinked),
        ("3", Code.SUSPENDED),
        ("4", "SAMPLE0004"),
        ("5", Code.CERTIFICATE_EXPIRED),
        ("6", Code.CERTIFICATE_NOT_YET_VALID),
        ("7", Code.CERTIFICATE_UNKNOWN_ISSUER),
        ("8", Code.CERTIFICATE_FORGED),
        ("9", Code.CARD_NOT_JPKI),
        ("0", Code.CARD_IS_POINT_CARD),
        ("b", Code.CARD_REMOVED),
    ],
)
def test_each_card_of_the_tray_does_what_the_tray_says(demo: Any, key: Any, expected: Any) -> None:
    outcome = looked_up(demo, key)
    if isinstance(expected, str):
        assert isinstance(outcome, Found)
        assert outcome.service_id.text == expected
        assert outcome.handover.code is Code.HANDED_OVER
    elif isinstance(expected, Code):
        assert isinstance(outcome, Stopped)
        assert outcome.code is expected
    else:
        assert isinstance(outcome, expected)
    assert demo[0].demo.placed() == (None if key == "b" else key)


def test_the_till_received_what_was_found_and_nothing_else(demo: Any) -> None:
    before = demo[2].till.read_text().split() if demo[2].till.exists() else []
    looked_up(demo, "1")
    looked_up(demo, "3")
    assert demo[2].till.read_text().split() == [*before, "ABCDEFGHI"]


def test_the_line_is_cut_and_mended_by_hand_and_shows_within_seconds(demo: Any) -> None:
    services, _, _ = demo
    for cut, state in ((True, LineState.DOWN), (False, LineState.UP)):
        services.demo.set_line_cut(cut)
        assert services.demo.line_is_cut() is cut
        deadline = time.monotonic() + 5.0
        while services.counter.status().line is not state:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_the_server_does_not_outlive_a_demo_that_is_killed(tmp_path: Any, commands: Any) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path / "server.db")],
        stdout=subprocess.PIPE,
        text=True,
        env=commands.environment(),
    )
    assert process.stdout is not None
    reaches = tcp_probe(process.stdout.readline().strip())
    assert reaches()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + EVENT_SECONDS
    while reaches():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Any) -> None:
    (tmp_path / "accounts.xls").write_text("mine")
    with pytest.raises(SettingsError):
        DemoFolder(tmp_path).prepare()
    assert [path.name for path in tmp_path.iterdir()] == ["accounts.xls"]
