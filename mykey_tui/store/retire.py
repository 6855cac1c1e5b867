"""The end of a retired counter: nothing in its home opens any more.

The key goes first. Without it the store is noise, wherever a copy of the file may lie; what is left
of the file is overwritten and removed too, because the key may have come from a systemd credential,
which is not ours to destroy. A drive may keep old blocks of what was overwritten; only a store
whose key was never on that drive (TPM) is proof against that.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from secrets import token_bytes

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.store.home import Home, sync_directory

_BLOCK_BYTES = 1024 * 1024


def destroy(home: Home) -> None:
    """Destroy the counter's keys and store, and the sheet of a card that somebody wrote out. May be called again, and goes on where it was cut off.

    What lies in `aside-*` belongs to earlier stores and stays. The home can be enrolled anew.

    Raises:
        StoreError: STORE_FULL when the disk refuses; what was destroyed by then stays so.
    """
    name = home.database.name
    stores = sorted(path for path in home.path.glob(f"{name}*") if path.is_file())
    failed: OSError | None = None
    for path in (home.key_file, home.pending_device_key, home.card_sheet, *stores):
        try:
            _destroy(path)
        except OSError as error:  # the others all the same: each one less is worth something
            failed = failed or error
    with suppress(OSError):
        sync_directory(home.path)
    if failed is not None:
        raise StoreError(Code.STORE_FULL, failed.strerror or "") from failed


def _destroy(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    with os.fdopen(descriptor, "wb") as file:
        left = os.fstat(file.fileno()).st_size
        while left > 0:
            left -= file.write(token_bytes(min(left, _BLOCK_BYTES)))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
