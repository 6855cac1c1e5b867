"""The poll: signed "nothing new" answers of one worker, beside a bare endpoint on the same server.

wrk makes the load, in turns for both. A signature may be shown again for 300 seconds, so one
signed request of each counter serves a whole run: what is measured is the server, not our signing.
There are so many counters that none asks for more than its share.
"""

from __future__ import annotations

import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from bench.server import operator, serving
from bench.suspensions import COUNTERS_EACH, Poller, make_pollers
from mykey_tui.domain.clock import SystemClock
from mykey_tui.store.home import Home
from mykey_tui.store.identity import Identity
from mykey_tui.sync.client import ServerClient
from mykey_tui.sync.enrol import enrol
from mykey_tui.wire.poll import sign_poll

PROVIDER = "A-α1-0001"
CONNECTIONS = 16
SECONDS = 4
TURNS = 3
COUNTERS = 60
"""So many may ask 120,000 times at once and 6,000 times a second more: what a run does, and no more
(`mykey_server.rate`). Each costs the server one read of its row a second, whatever it asks."""
_LUA = """
local headers = {%s}
local requests, turn = {}, 0
init = function()
  for at, each in ipairs(headers) do requests[at] = wrk.format("GET", nil, each) end
end
request = function()
  turn = turn %% #requests + 1
  return requests[turn]
end
"""
_RATE = re.compile(r"Requests/sec:\s+([0-9.]+)")
_REFUSED = re.compile(r"Non-2xx or 3xx responses: (\d+)")


@contextmanager
def bare_server() -> Iterator[str]:
    """The floor's address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.bare_server"], stdout=subprocess.PIPE, text=True
    )
    try:
        if process.stdout is None:
            raise RuntimeError("no standard output")
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.kill()
        process.wait(20)


def load(url: str, headers: Sequence[Mapping[str, str]], folder: Path) -> float:
    """Requests a second that were answered 200 or 304, all of them; the headers go round in turn."""
    script = folder / "requests.lua"
    script.write_text(_LUA % ",\n".join(map(_lua_table, headers)), "ascii")
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", str(script), url]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    refused = _REFUSED.search(said)
    rate = _RATE.search(said)
    if refused is not None or rate is None:
        raise ValueError(f"not every poll was answered:\n{said}")
    return float(rate.group(1))


def _lua_table(values: Mapping[str, str]) -> str:
    """ASCII text alone, whose escapes are the same in JSON."""
    return "{" + ", ".join(f"[{json.dumps(k)}] = {json.dumps(v)}" for k, v in values.items()) + "}"


def signed_poll(identity: Identity, poll_key: bytes, url: str) -> dict[str, str]:
    """The headers of one poll, good for five minutes."""
    created = datetime.now(UTC)
    return sign_poll(url=url, key=poll_key, key_id=str(identity.device_id), created=created)


def signed_polls(pollers: Sequence[Poller], url: str, etag: str) -> list[dict[str, str]]:
    """The same of many counters, which have the answer of this ETag already."""
    created = datetime.now(UTC)
    return [
        {
            "If-None-Match": etag,
            **sign_poll(url=url, key=each.poll_key, key_id=each.device_id, created=created),
        }
        for each in pollers
    ]


def poll_key_of(identity: Identity) -> bytes:
    """What the server gives this counter for its polls."""
    with closing(ServerClient(identity, SystemClock())) as client:
        key = client.hello().poll_key
    if key is None:
        raise ValueError("the server gives no poll key")
    return key


def measure() -> dict[str, Any]:
    """Requests a second of both, and their ratio."""
    if shutil.which("wrk") is None:
        sys.exit("wrk makes the load of this measurement: apt-get install wrk")
    with tempfile.TemporaryDirectory() as name:
        database = Path(name) / "server.db"
        operator(database, "provider", "add", PROVIDER, "--name", "bench")
        with serving(database) as url, bare_server() as bare:
            code = operator(database, "terminal", "code", "--provider", PROVIDER)["code"]
            store = enrol(
                Home(Path(name) / "home"), server_url=url, code=code, profile=None,
                counter_name="bench", clock=SystemClock(),
            )  # fmt: skip
            store.close()
            scope = store.identity.scope
            pollers = make_pollers(database, url, [scope] * (COUNTERS // COUNTERS_EACH))
            poll = f"{url}/v1/poll?scope={scope}"
            return compare(store.identity, pollers, poll, f"{bare}/v1/poll", Path(name))


def compare(
    identity: Identity, pollers: Sequence[Poller], poll: str, bare: str, folder: Path
) -> dict[str, Any]:
    """Both in turns, so that a busy moment of the machine meets both."""
    key = poll_key_of(identity)
    etag = urlopen(Request(poll, headers=signed_poll(identity, key, poll))).headers["ETag"]  # noqa: S310  # our own server, on loopback
    ours, floor = [], []
    for _ in range(TURNS):
        floor.append(load(bare, [{}], folder))
        ours.append(load(poll, signed_polls(pollers, poll, etag), folder))
    return {
        "counters": len(pollers),
        "connections": CONNECTIONS,
        "bare_per_second": round(statistics.median(floor)),
        "polls_per_second": round(statistics.median(ours)),
        "ratio": round(statistics.median(a / b for a, b in zip(ours, floor, strict=True)), 3),
        "target_ratio": 0.6,
    }
