"""Forks a process at each line on standard input; that one queues links until it is killed.

The child says each number when it is safe; this process says its pid before and `end` after it.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

from mykey_tui.domain.ids import LookupToken, ServiceId
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home

LINKS_MAX = 5000  # should nobody kill it


def queue_links(home: Home) -> None:
    store = CounterStore.open(home)
    for number in range(LINKS_MAX):
        name = f"{os.getpid()}-{number}"
        token = LookupToken(hashlib.sha256(name.encode()).digest()[:16])
        mid = store.queue_mutation("link", token, ServiceId(name), lambda frame: b"s" * 1200)
        os.write(1, b"%d\n" % mid)


for _ in sys.stdin:
    child = os.fork()
    if child == 0:
        queue_links(Home(Path(sys.argv[1])))
        os._exit(0)
    os.write(1, b"pid %d\n" % child)
    os.waitpid(child, 0)
    os.write(1, b"end\n")
