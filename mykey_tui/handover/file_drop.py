"""Hand-over through a file: one small file for each tap in a watched folder, or a line appended.

The file is the existing system's inbox, not ours: it takes what it finds and deletes it. So names
are random (they tell no order and no time), and we stop when nobody collects: a heap of files would
be the visiting history that this product does not keep.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, unique
from pathlib import Path

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import HandOverError
from mykey_tui.domain.ids import ServiceId
from mykey_tui.handover.port import TEST_VALUE, outgoing

UNCOLLECTED_FILES_MAX = 100
"""More than a queue of people: the other side has stopped collecting."""
ENTRIES_LOOKED_AT_MAX = 10_000
"""A folder with more is not an inbox; looking through it would hold up the counter."""
APPENDED_BYTES_MAX = 1024 * 1024
"""About 60,000 lines: the other side has stopped collecting."""
LEFTOVER_SECONDS = 60.0
"""A hidden part this old was left by a counter that lost its power; it holds a service ID."""
LOCK_SECONDS = 0.5
"""Two counters may append to one file; a reader that holds it for longer must not hold a queue up."""
LOCK_PAUSE_SECONDS = 0.02
FILE_MODE = 0o640
"""The existing system reads through its group; nobody else does."""

_PREFIX = "mykey-"
_SUFFIX = ".txt"
_HIDDEN_PREFIX = f".{_PREFIX}"
_HIDDEN_SUFFIX = ".part"


@unique
class DropMode(Enum):
    """A file for each tap in a folder, or a line for each tap in one file."""

    ONE_PER_TAP = "one-per-tap"
    APPEND = "append"


@unique
class Encoding(Enum):
    """What the existing system reads. The values are Python's codec names."""

    UTF_8 = "utf-8"
    CP932 = "cp932"


@unique
class LineEnd(Enum):
    """How a line ends."""

    LF = "lf"
    CRLF = "crlf"

    @property
    def text(self) -> str:
        """The characters themselves."""
        return "\r\n" if self is LineEnd.CRLF else "\n"


class FileDrop:
    """Writes each service ID as one line, so that a reader sees a whole line or none."""

    name = "file"

    def __init__(
        self,
        path: Path,
        *,
        mode: DropMode,
        encoding: Encoding = Encoding.UTF_8,
        line_end: LineEnd = LineEnd.LF,
    ) -> None:
        """`path` is the folder in mode one-per-tap, and the file in mode append."""
        self._path = path
        self._mode = mode
        self._encoding = encoding
        self._line_end = line_end

    def send(self, service_id: ServiceId) -> None:
        """Write one line; it is on the disk when this returns.

        Raises:
            HandOverError: H-FILE: folder missing, no permission, disk full, or nobody collects.
                Nothing of the line is then left behind.
        """
        text = outgoing(service_id, Code.HANDOVER_FILE) + self._line_end.text
        line = text.encode(self._encoding.value)
        try:
            if self._mode is DropMode.ONE_PER_TAP:
                _drop(self._path, line)
            else:
                _append(self._path, line)
        except OSError as error:
            # The file's name stays out: the operator's folder is named in the settings anyway.
            reason = errno.errorcode.get(error.errno or 0, "I/O error")
            raise HandOverError(Code.HANDOVER_FILE, reason) from None

    def send_test(self) -> None:
        """Write `TEST_VALUE` as a line. Raises `HandOverError` like `send`."""
        self.send(TEST_VALUE)


def _drop(directory: Path, line: bytes) -> None:
    """Write beside, bring to the disk, rename: the watcher sees a whole file or none."""
    _look_around(directory)
    name = secrets.token_hex(8)
    hidden = directory / f"{_HIDDEN_PREFIX}{name}{_HIDDEN_SUFFIX}"
    final = directory / f"{_PREFIX}{name}{_SUFFIX}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with _opened(hidden, flags) as descriptor:
            _write_whole(descriptor, line)
            os.fsync(descriptor)
        hidden.rename(final)
    except OSError:
        with contextlib.suppress(OSError):
            hidden.unlink()
        raise
    # Some network file systems refuse this for a folder; the file itself is safe by then.
    with (
        contextlib.suppress(OSError),
        _opened(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) as descriptor,
    ):
        os.fsync(descriptor)


def _look_around(directory: Path) -> None:
    """Stop when nobody collects, and take away what a power failure left half written."""
    waiting = 0
    with os.scandir(directory) as entries:
        for looked_at, entry in enumerate(entries, start=1):
            waiting += entry.name.startswith(_PREFIX) and entry.name.endswith(_SUFFIX)
            if waiting >= UNCOLLECTED_FILES_MAX or looked_at >= ENTRIES_LOOKED_AT_MAX:
                raise HandOverError(Code.HANDOVER_FILE, "nobody collects the files")
            if entry.name.startswith(_HIDDEN_PREFIX) and entry.name.endswith(_HIDDEN_SUFFIX):
                _sweep(Path(entry.path))


def _sweep(hidden: Path) -> None:
    # Another counter may be writing here too, and finish in between.
    with contextlib.suppress(FileNotFoundError):
        if time.time() - hidden.stat().st_mtime > LEFTOVER_SECONDS:
            hidden.unlink()


def _append(path: Path, line: bytes) -> None:
    """Append with one write, under a lock that other writers may honour too."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with _opened(path, flags) as descriptor:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise HandOverError(Code.HANDOVER_FILE, "not a regular file")
        _lock(descriptor)
        size = os.fstat(descriptor).st_size
        if size + len(line) > APPENDED_BYTES_MAX:
            raise HandOverError(Code.HANDOVER_FILE, "nobody collects the lines")
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            # A line cut by a power failure must not grow into another person's number.
            line = b"\n" + line
        try:
            _write_whole(descriptor, line)
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise


def _lock(descriptor: int) -> None:
    """Take the lock within `LOCK_SECONDS`. Raises `BlockingIOError`. Closing gives it back."""
    for _ in range(round(LOCK_SECONDS / LOCK_PAUSE_SECONDS)):
        with contextlib.suppress(BlockingIOError):
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(LOCK_PAUSE_SECONDS)
    return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _write_whole(descriptor: int, line: bytes) -> None:
    if os.write(descriptor, line) != len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags, FILE_MODE)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
