"""What the simulated world does to clocks, programs and disks."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Protocol
from unittest.mock import patch

from sqlalchemy import Connection, Engine, event

from mykey_tui.domain.clock import SystemClock


class Crash(BaseException):
    """The program ended here. No handler of the program's may catch it."""


class TrueClock(SystemClock):
    """The server's clock, which the simulated boxes' clocks do not move."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC) + self.offset


class Fated(Protocol):
    """Whose program, or whose server's disk, fails after so many commits."""

    crash_in: int | None
    trouble_in: int | None


def put_back(copy: Path, home: Path) -> None:
    """Every file of a copied disk, and none that is newer."""
    home.mkdir(mode=0o700, exist_ok=True)
    for path in home.glob("counter.db*"):
        if not (copy / path.name).exists():
            path.unlink()
    for path in copy.rglob("*"):
        target = home / path.relative_to(copy)
        if path.is_dir():
            target.mkdir(mode=0o700, exist_ok=True)
        else:
            shutil.copyfile(path, target)
            target.chmod(0o600)


@contextmanager
def clock_ahead(skew: timedelta) -> Iterator[None]:
    """A box whose clock is wrong by so much."""

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Wrong:
            right = datetime.now(tz) + skew
            return cls.fromtimestamp(right.timestamp(), tz)

    with (
        patch("mykey_tui.domain.clock.datetime", Wrong),
        patch("mykey_tui.sync.client.datetime", Wrong),
    ):
        yield


@contextmanager
def ending(fated: Fated) -> Iterator[None]:
    """Ends a program, or lets the server's disk refuse, at the commit that is named.

    What a program did since its last commit is undone then, as it is when it is killed there.
    """

    def at_commit(_connection: Connection) -> None:
        if threading.current_thread() is threading.main_thread():
            if fated.crash_in is not None:
                fated.crash_in -= 1
                if fated.crash_in == 0:
                    raise Crash
        elif fated.trouble_in is not None:
            fated.trouble_in -= 1
            if fated.trouble_in == 0:
                raise OSError("the disk refuses")

    event.listen(Engine, "commit", at_commit)
    try:
        yield
    finally:
        event.remove(Engine, "commit", at_commit)


@contextmanager
def small_pages() -> Iterator[None]:
    """So few rows and items in a page that these small histories have many of them."""
    with (
        patch("mykey_tui.sync.plan.PAGE_ROWS_MAX", 3),
        patch("mykey_tui.sync.plan.PUSH_ITEMS_MAX", 4),
        patch("mykey_tui.sync.pull.STORE_ROWS", 2),
        patch("mykey_tui.sync.pull.SNAPSHOT_ROWS_MAX", 4),
    ):
        yield
