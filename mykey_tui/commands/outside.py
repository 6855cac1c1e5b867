"""Files that a person named on the command line: written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.settings import SettingsError

_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_outside(path: Path, content: bytes, *, option: str) -> None:
    """Write a file at once; as `file_outside`."""
    with file_outside(path, option=option) as file:
        file.write(content)


@contextmanager
def file_outside(path: Path, *, option: str) -> Iterator[BinaryIO]:
    """A file to write, for this user alone; it replaces a plain file at once, and nothing else ever.

    It does so when the block ends well; when not, what was there is untouched.

    Raises:
        SettingsError: no such folder, or something that is no plain file has the name.
        StoreError: STORE_FULL or STORE_ACCESS.
    """
    if not path.parent.is_dir():
        raise SettingsError(f"{option}: no folder {path.parent}")
    try:
        with suppress(FileNotFoundError):
            if not stat.S_ISREG(path.lstat().st_mode):
                raise SettingsError(f"{option}: {path.name} is there and is no plain file")
        with _replacing(path) as file:
            yield file
    except OSError as error:
        code = Code.STORE_FULL if error.errno in _DISK_FULL else Code.STORE_ACCESS
        raise StoreError(code, f"{path}: {error.strerror}") from error


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    # A name that nobody can have prepared: the folder may be everybody's, as /tmp is.
    beside = path.with_name(f".{token_hex(8)}.new")
    descriptor = os.open(beside, _NEW_FILE, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
