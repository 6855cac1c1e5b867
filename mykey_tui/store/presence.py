"""Who has a home's store open, in whatever process: so that it is never taken away under somebody.

SQLite's own locks do not say it: a file that was renamed is written on, and what a program stores in
it then, and tells a person, is out of everybody's sight.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from pathlib import Path

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.store.home import on_disk


class Presence:
    """One user of a home. Many at a time, or one alone.

    The lock is on the directory itself: it needs no file, so a full or read-only disk is no matter.
    The kernel lets go of it when its holder dies, however it dies.
    """

    def __init__(self, home: Path, *, alone: bool = False) -> None:
        """Be a user from now on; `alone` also keeps others from becoming one.

        Raises:
            StoreError: STORE_NONE without a home. STORE_BUSY when somebody is alone there, or when
                `alone` is wanted and somebody is there.
        """
        try:
            with on_disk():
                descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except StoreError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise StoreError(Code.STORE_NONE) from error
            raise
        # A store that nobody closed is let go of with the object.
        self._end = weakref.finalize(self, os.close, descriptor)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            self.end()
            raise StoreError(Code.STORE_BUSY, "another process has the store open") from None

    def end(self) -> None:
        """Be there no more. May be called again."""
        self._end()
