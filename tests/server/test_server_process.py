"""The real `mykey-server`: its commands, its start and stop, and kill -9 in the middle of work."""

from __future__ import annotations

import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mykey_tui.domain.clock import SystemClock
from mykey_tui.simulated import anchors_dir
from mykey_tui.wire.messages import JSON, MSGPACK, EnrolReply, EnrolRequest, PushItem, PushReply
from mykey_tui.wire.signature import sign
from tests.server.conftest import Counter

PROGRAM = str(Path(sys.executable).with_name("mykey-server"))
START_SECONDS_MAX = 60
"""Two seconds where nothing else runs."""
KILLS = 3
SEED = ("1C2410DF79DGEL", "07202002B")


def mykey_server(database: Path | str, *arguments: str, code: int = 0) -> Any:
    """Run one command; return its JSON."""
    done = subprocess.run(
        [PROGRAM, *arguments, "--db", str(database)],
        capture_output=True,
        text=True,
        timeout=START_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


class Running:
    """A serving process."""

    def __init__(self, database: Path | str, *arguments: str, log: Path) -> None:
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--listen", "127.0.0.1:0", "--db", str(database), *arguments],
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, log.read_text()
        self.ready = json.loads(line)
        self.url: str = self.ready["url"]

    def stop(self, number: signal.Signals) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(timeout=START_SECONDS_MAX)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._log.close()
        return code


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "server.db"


@pytest.fixture
def start(database: Path, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    running: list[Running] = []

    def start(*arguments: str) -> Running:
        running.append(Running(database, *arguments, log=tmp_path / "server.log"))
        return running[-1]

    yield start
    for server in running:
        server.stop(signal.SIGKILL)


def enrolled(database: Path | str, url: str) -> Counter:
    """A counter of a new provider, enrolled over HTTP."""
    mykey_server(database, "provider", "add", "A-α1-0001", "--name", "図書館")
    code = mykey_server(database, "terminal", "code", "--provider", "A-α1-0001")["code"]
    key = Ed25519PrivateKey.generate()
    request = EnrolRequest(code, key.public_key().public_bytes_raw(), "till 1")
    answer = httpx.post(
        url + "/v1/enrol", content=msgspec.json.encode(request), headers={"Content-Type": JSON}
    )
    identity = msgspec.json.decode(answer.content, type=EnrolReply)
    return Counter(None, key, identity)  # type: ignore[arg-type]


def push(counter: Counter, url: str, items: list[PushItem]) -> PushReply:
    body = msgspec.msgpack.encode(counter.batch(items))
    headers = sign(
        method="POST",
        url=url + "/v1/push",
        body=body,
        content_type=MSGPACK,
        key=counter.key,
        key_id=counter.identity.device_id,
        created=SystemClock().now(),
    )
    answer = httpx.post(
        url + "/v1/push", content=body, headers=headers | {"Accept": MSGPACK}, timeout=30
    )
    assert answer.status_code == 200, answer.text
    return msgspec.msgpack.decode(answer.content, type=PushReply)


def test_killed_in_the_middle_of_pushes_it_loses_nothing_and_doubles_nothing(
    database: Path, start: Callable[..., Running], tmp_path: Path
) -> None:
    chance = random.Random(20261122)  # noqa: S311 - repeatable, not secret
    server = start()
    counter = enrolled(database, server.url)
    items = [counter.link(f"M{n:013d}{SEED[1]}", f"S{n}") for n in range(120)]
    batches = [items[first : first + 10] for first in range(0, len(items), 10)]
    acknowledged: set[int] = set()
    kills = 0
    while batches:
        killer = threading.Timer(chance.uniform(0.0, 0.08), server.process.kill)
        if kills < KILLS:
            killer.start()
        try:
            while batches:
                reply = push(counter, server.url, batches[0])
                assert {item.verdict for item in reply.items} == {"applied"}
                acknowledged |= {item.mid for item in reply.items}
                batches.pop(0)
        except httpx.TransportError:
            server.stop(signal.SIGKILL)
            server = start()
            kills += 1
        finally:
            killer.cancel()
    assert kills == KILLS
    if server.process.poll() is not None:  # Killed after the last acknowledgement.
        server = start()
    again = push(counter, server.url, items[:100])
    assert {item.verdict for item in again.items} == {"applied"}
    assert acknowledged == {item.mid for item in items}
    rows = mykey_server(database, "link", "list")
    assert sorted(row["service_id"] for row in rows) == sorted(item.sid for item in items)
    assert sorted(row["seq"] for row in rows) == list(range(1, 121))
    assert mykey_server(database, "check")["ok"]
    log = (tmp_path / "server.log").read_text()
    assert "M00000" not in log
    assert SEED[1] not in log


def test_it_says_its_address_when_ready_and_stops_quickly_with_no_other_word(
    database: Path, start: Callable[..., Running], tmp_path: Path
) -> None:
    mykey_server(database, "provider", "add", "A-1", "--name", "Shop")
    mykey_server(database, "provider", "add", "B-1", "--name", "Real", "--profile", "jpki")
    server = start("--anchors", str(anchors_dir()))
    assert server.ready["simulated"] == ["A-1"]
    assert httpx.get(server.url + "/v1/hello").status_code == 401
    with socket.create_connection((urlsplit(server.url).hostname, urlsplit(server.url).port)):
        started = time.monotonic()
        assert server.stop(signal.SIGTERM) == 0
        assert time.monotonic() - started < 10
    log = (tmp_path / "server.log").read_text()
    assert log == "SIMULATED: test cards count at A-1\n"


def test_a_taken_port_is_said_in_one_line(database: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refusal = mykey_server(database, "serve", "--listen", address, code=3)
    assert refusal["failed"] == "OSError"


def test_it_does_not_start_for_real_cards_with_nothing_to_judge_them_by(
    database: Path, tmp_path: Path
) -> None:
    mykey_server(database, "provider", "add", "B-1", "--name", "Real", "--profile", "jpki")
    empty = tmp_path / "anchors"
    empty.mkdir()
    for arguments in ((), ("--anchors", str(empty)), ("--anchors", str(tmp_path / "absent"))):
        refusal = mykey_server(database, "serve", "--listen", "127.0.0.1:0", *arguments, code=3)
        assert refusal["failed"] == "AnchorsError"
        assert "B-1" in refusal["text"]
        assert "--anchors" in refusal["text"]


def test_links_are_listed_suspended_and_resumed(
    database: Path, start: Callable[..., Running]
) -> None:
    server = start()
    counter = enrolled(database, server.url)
    push(counter, server.url, [counter.link("".join(SEED), "ABCDEFGHI")])
    (row,) = mykey_server(database, "link", "list", "--provider", "A-α1-0001")
    assert row == {
        "mykey_id": SEED[0], "terminal_code": SEED[1], "provider_id": "A-α1-0001",
        "service_id": "ABCDEFGHI", "status": "active", "seq": 1,
    }  # fmt: skip
    assert mykey_server(database, "suspend", *SEED)["moved"] == ["A-alpha1-0001"]
    (row,) = mykey_server(database, "link", "list")
    assert (row["status"], row["seq"]) == ("suspended", 1)
    mykey_server(database, "resume", *SEED)
    (terminal,) = mykey_server(database, "terminal", "list")
    assert (terminal["name"], terminal["status"]) == ("till 1", "active")
    mykey_server(database, "terminal", "revoke", terminal["device_id"])
    with pytest.raises(AssertionError, match="device-retired"):
        push(counter, server.url, [])
