"""Files that a person named on the command line: written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.settings import SettingsError

_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_outside(path: Path, content: bytes, *, option: str) -> None:
    """Write a file for this user alone, replacing a plain file at once, and nothing else ever.

    Raises:
        SettingsError: no such folder, or something that is no plain file has the name.
        StoreError: STORE_FULL or STORE_ACCESS; what was there is then untouched.
    """
    if not path.parent.is_dir():
        raise SettingsError(f"{option}: no folder {path.parent}")
    try:
        with suppress(FileNotFoundError):
            if not stat.S_ISREG(path.lstat().st_mode):
                raise SettingsError(f"{option}: {path.name} is there and is no plain file")
        _replace(path, content)
    except OSError as error:
        code = Code.STORE_FULL if error.errno in _DISK_FULL else Code.STORE_ACCESS
        raise StoreError(code, f"{path}: {error.strerror}") from error


def _replace(path: Path, content: bytes) -> None:
    # A name that nobody can have prepared: the folder may be everybody's, as /tmp is.
    beside = path.with_name(f".{token_hex(8)}.new")
    descriptor = os.open(beside, _NEW_FILE, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
