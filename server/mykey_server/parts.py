"""Encoded parts of snapshots, kept for the next counter that loads the same.

After a reset all counters of a provider load at once. A part is found by all that it depends on, the
scope's digest among it: a change makes a new key, and the old part is the first to be forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeAlias

from mykey_server.reply import Encoded

BYTES_MAX = 32 * 1024 * 1024
"""About 1,200,000 rows, whatever their providers."""

Key: TypeAlias = tuple[object, ...]


class Parts:
    """Of one process; at most `BYTES_MAX` of bodies."""

    def __init__(self) -> None:
        self._parts: OrderedDict[Key, Encoded] = OrderedDict()
        self._size = 0

    def get(self, key: Key) -> Encoded | None:
        """The part, which is then the last to be forgotten."""
        part = self._parts.get(key)
        if part is not None:
            self._parts.move_to_end(key)
        return part

    def keep(self, key: Key, part: Encoded) -> None:
        """Keep a part that `get` did not have; forget the least wanted ones for it."""
        self._parts[key] = part
        self._size += len(part.body)
        while self._size > BYTES_MAX:
            _, forgotten = self._parts.popitem(last=False)
            self._size -= len(forgotten.body)
