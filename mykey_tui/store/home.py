"""The counter's data directory: what lies where, so that many counters run on one machine."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError

_LOCK_RETRY_SECONDS = 0.05
_ASIDE_MAX = 1000
"""Sets of files kept aside; more than this and somebody must look."""
_UNFINISHED = ".part"


@contextmanager
def on_disk() -> Iterator[None]:
    """Turn what the disk refuses (no room, read-only, no right) into `StoreError` STORE_FULL."""
    try:
        yield
    except OSError as error:
        raise StoreError(Code.STORE_FULL, error.strerror or "") from error


@dataclass(frozen=True, slots=True)
class Home:
    """Paths of one counter. Only `prepare` and the writers touch the disk."""

    path: Path

    @property
    def settings(self) -> Path:
        """Not secret: server, profile, counter's name, language, reader, hand-over."""
        return self.path / "counter.json"

    @property
    def database(self) -> Path:
        """The encrypted store."""
        return self.path / "counter.db"

    @property
    def key_file(self) -> Path:
        """The store's key where no systemd credential gives it. See `store.keys`."""
        return self.path / "counter.key"

    @property
    def pending_device_key(self) -> Path:
        """The device key between asking the server to enrol and having stored its answer."""
        return self.path / "enrol.key"

    @property
    def card_sheet(self) -> Path:
        """What a person wrote out of the card view, with a MyKey ID.

        One file, written over: a heap of them would be a list of visitors.
        """
        return self.path / "card.txt"

    @property
    def anchors(self) -> Path:
        """CA certificates that this counter trusts."""
        return self.path / "anchors"

    @property
    def card_slot(self) -> Path:
        """The virtual reader: a card lies on it while this file exists."""
        return self.path / "reader" / "card.json"

    @property
    def sync_lock(self) -> Path:
        """Held during a round, so that two processes never reconcile at once."""
        return self.path / "sync.lock"

    @property
    def screen_lock(self) -> Path:
        """Held while a screen runs on this home."""
        return self.path / "screen.lock"

    def prepare(self) -> None:
        """Make the directory, for this user only. May be called again.

        Raises:
            StoreError: STORE_FULL when the disk does not take it.
        """
        with on_disk():
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.anchors.mkdir(mode=0o700, exist_ok=True)
            self.card_slot.parent.mkdir(mode=0o700, exist_ok=True)

    def write_private(self, path: Path, content: bytes) -> None:
        """Replace a file as a whole, mode 0600, durable when this returns.

        Raises:
            StoreError: STORE_FULL when it could not be written; the old content is then intact.
        """
        beside = path.with_name(path.name + ".new")
        with on_disk():
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
            sync_directory(path.parent)

    @contextmanager
    def syncing(self, wait_seconds: float) -> Iterator[None]:
        """Be the only process that reconciles, waiting for another at most `wait_seconds`.

        The kernel lets go of the lock when its holder dies, however it dies.

        Raises:
            StoreError: STORE_BUSY when another process still held it, STORE_NONE without a home,
                STORE_FULL when the disk does not take the lock's file.
        """
        with _locked(self.sync_lock, wait_seconds, Code.STORE_BUSY):
            yield

    @contextmanager
    def only_screen(self) -> Iterator[None]:
        """Be the only screen on this home. Commands may work beside it.

        Raises:
            StoreError: STORE_SCREEN when another screen runs; else as `syncing`.
        """
        with _locked(self.screen_lock, 0.0, Code.STORE_SCREEN):
            yield

    def set_aside(self) -> Path:
        """Move a store that cannot be opened out of the way, with its key, and delete nothing.

        The queue in it may still be rescued. Cut off anywhere, the next call goes on: key, file, log
        and index end in one directory, which is returned. The key goes first, so that what is left
        behind meanwhile opens no more, and no new store is made with it.

        Raises:
            StoreError: STORE_FULL when the disk does not take the change.
        """
        with on_disk():
            unfinished, aside = self._place_aside()
            unfinished.mkdir(mode=0o700, exist_ok=True)
            for path in [self.key_file, *self._store_files]:
                if path.exists():
                    path.rename(unfinished / path.name)
            unfinished.rename(aside)
            sync_directory(self.path)
        return aside

    @property
    def has_leftovers(self) -> bool:
        """Whether parts of a store lie here without the store: a log would be taken for a new one's."""
        parts = any(path.exists() for path in self._store_files[1:])
        return parts or any(self.path.glob(f"aside-*{_UNFINISHED}"))

    @property
    def _store_files(self) -> tuple[Path, ...]:
        name = self.database.name
        return tuple(self.path / (name + end) for end in ("", "-wal", "-shm", "-journal"))

    def _place_aside(self) -> tuple[Path, Path]:
        """Where the files gather, and what that directory is called in the end."""
        for number in range(1, _ASIDE_MAX):
            aside = self.path / f"aside-{number}"
            if not aside.exists():
                return aside.with_name(aside.name + _UNFINISHED), aside
        raise StoreError(Code.STORE_CORRUPT, "too many stores set aside")


@contextmanager
def _locked(path: Path, wait_seconds: float, held: Code) -> Iterator[None]:
    deadline = time.monotonic() + wait_seconds
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        raise StoreError(Code.STORE_NONE) from None
    except OSError as error:
        raise StoreError(Code.STORE_FULL, error.strerror or "") from error
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise StoreError(held, "another process holds it") from None
                time.sleep(_LOCK_RETRY_SECONDS)
        yield
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Make a created or renamed entry of a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
