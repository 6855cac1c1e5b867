"""Small files and folders of a machine, read with bounds; what cannot be read is empty."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

HEAD_BYTES = 64 * 1024
"""/proc/modules of a big machine, a rules file, os-release: all are far smaller."""


def read_head(path: Path, limit: int = HEAD_BYTES) -> str:
    """The first `limit` bytes as text; empty where the file cannot be read. See `read_head_bytes`."""
    return read_head_bytes(path, limit).decode("utf-8", "replace")


def read_head_bytes(path: Path, limit: int = HEAD_BYTES) -> bytes:
    """The first `limit` bytes; empty where the file cannot be read.

    Never waits: a pipe in the place of a file has nothing to say.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError:
        return b""
    content = bytearray()
    try:
        # A file of the kernel's gives a page at a time.
        while len(content) < limit and (piece := os.read(descriptor, limit - len(content))):
            content += piece
    except OSError:
        return b""
    finally:
        os.close(descriptor)
    return bytes(content)


def names_in(folder: Path, limit: int) -> Iterator[str]:
    """Names of at most `limit` entries; none where there is no such folder."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in islice(entries, limit):
            yield entry.name


def listed(folder: Path, limit: int) -> list[Path]:
    """At most `limit` entries, by name."""
    return [folder / name for name in sorted(names_in(folder, limit))]


def is_there(path: Path) -> bool:
    """Whether there is something; False too where we may not look."""
    with suppress(OSError):
        return path.exists()
    return False
