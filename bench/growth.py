"""What grows with the rows of a provider? A poll and a pull of 100 changes, for 10^3 to 10^6 rows."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from bench.polls import poll_key_of, signed_poll
from bench.server import operator, serving
from bench.sync import PROVIDER, add_rows
from mykey_tui.domain.clock import SystemClock
from mykey_tui.store.home import Home
from mykey_tui.sync.client import ServerClient
from mykey_tui.sync.enrol import enrol

SIZES = (1_000, 10_000, 100_000, 1_000_000)
CHANGES = 100
REPEATS = 50


def measure() -> dict[str, Any]:
    """Milliseconds, by number of rows."""
    with tempfile.TemporaryDirectory() as name:
        database = Path(name) / "server.db"
        operator(database, "provider", "add", PROVIDER, "--name", "bench")
        with serving(database) as url:
            code = operator(database, "terminal", "code", "--provider", PROVIDER)["code"]
            store = enrol(
                Home(Path(name) / "home"), server_url=url, code=code, profile=None,
                counter_name="bench", clock=SystemClock(),
            )  # fmt: skip
            store.close()
            poll = f"{url}/v1/poll?scope={store.identity.scope}"
            headers = signed_poll(store.identity, poll_key_of(store.identity), poll)
            request = Request(poll, headers=headers)  # noqa: S310  # our own server, on loopback
            figures, filled = {}, 0
            with closing(ServerClient(store.identity, SystemClock())) as client:
                for size in SIZES:
                    add_rows(database, filled, size - filled)
                    filled = size
                    head = client.head()
                    figures[str(size)] = {
                        "poll_ms": _median_ms(lambda: urlopen(request).read()),  # noqa: S310
                        f"pull_{CHANGES}_ms": _median_ms(
                            partial(
                                client.log,
                                epoch=head.epoch,
                                after=head.seq - CHANGES,
                                limit=CHANGES,
                            )
                        ),
                    }
    return figures


def _median_ms(work: Callable[[], object]) -> float:
    spent = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begun)
    return round(1000 * statistics.median(spent), 2)
