"""The one engine for every file of the project: SQLCipher's own SQLite, never the interpreter's.

The interpreter's SQLite is the host's, and on many hosts it has the WAL-reset bug (a commit lost
after a checkpoint; mended in 3.51.3). SQLCipher's is bundled. With a key the file is encrypted and
every page carries a MAC, so that a flipped bit is found instead of served; without one it is plain
SQLite, which the server uses for its embedded file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlcipher3.dbapi2 as dbapi
from sqlalchemy import Connection, Engine, QueuePool, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError

KEY_LENGTH = 32
SALT_LENGTH = 16
BUSY_SECONDS = 5.0
"""How long a statement waits for another process's write. The longest write is a bulk of rows."""

CONNECTIONS_MAX = 4
"""Card thread, sync thread, a screen's worker, one to spare; a fifth waits."""

_CACHE_KIB = 4096
"""Page cache of one connection: four of them stay small beside the screen's own memory."""

_LOG_BYTES_MAX = 4 * 1024 * 1024
"""A first load makes the write-ahead log large; it is cut back to this once it is copied over."""

_FIXED_SINCE = (3, 51, 3)
_BACKPORTS = frozenset({(3, 44, 6), (3, 50, 7)})


def is_sound_version(version: tuple[int, int, int]) -> bool:
    """Whether this SQLite is free of the WAL-reset bug."""
    return version >= _FIXED_SINCE or version in _BACKPORTS


def engine_version() -> str:
    """The engine's version, for a status report."""
    return f"SQLite {dbapi.sqlite_version}"


def salt_of(key: bytes) -> bytes:
    """The file's salt (its first 16 bytes): derived, so that a file tells whether a key is its own."""
    return hashlib.blake2b(b"mykey-store-salt", key=key, digest_size=SALT_LENGTH).digest()


def is_key_of(path: Path, key: bytes) -> bool:
    """Whether the file at `path` was made with `key`. An empty file belongs to any key."""
    with path.open("rb") as file:
        header = file.read(SALT_LENGTH)
    return not header or header == salt_of(key)


def open_engine(path: Path, *, key: bytes | None, create: bool = False) -> Engine:
    """An engine whose every connection is set up, and checked, the same way.

    Several processes and threads may use one file: readers never wait, writers wait for each
    other at most `BUSY_SECONDS`. Nothing is opened before the first use.

    Args:
        path: the file.
        key: 32 bytes, or None for a plain file (the server's).
        create: make the file when there is none; otherwise a missing file is STORE_NONE.

    Raises:
        StoreError: STORE_ENGINE for an engine that must not be used.
    """
    if not is_sound_version(dbapi.sqlite_version_info):
        raise StoreError(Code.STORE_ENGINE, f"SQLite {dbapi.sqlite_version}")
    uri = f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}"
    return create_engine(
        "sqlite://",
        creator=lambda: _connect(path, uri, key),
        module=dbapi,
        # A pooled connection serves one thread at a time and may serve another later, which
        # SQLite allows when it was built with THREADSAFE=1 (read back in `_connect`).
        poolclass=QueuePool,
        pool_size=CONNECTIONS_MAX,
        max_overflow=0,
        pool_use_lifo=True,
        pool_timeout=2 * BUSY_SECONDS,
        pool_reset_on_return="rollback",
    )


def _connect(path: Path, uri: str, key: bytes | None) -> dbapi.Connection:
    try:
        connection = dbapi.connect(
            uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            _set_up(connection, key)
        except BaseException:
            connection.close()
            raise
    except dbapi.Error as error:
        if _is_refused_by_disk(error) and path.exists():
            raise StoreError(Code.STORE_FULL) from None
        raise
    return connection


def _is_refused_by_disk(error: dbapi.Error) -> bool:
    """Whether a file that is there could not be opened: no room, or read-only.

    Opening makes the log and its index beside the file. What is damaged says so (CORRUPT, NOTADB),
    and a file that is too short says IOERR_SHORT_READ.
    """
    name = getattr(error, "sqlite_errorname", None) or ""
    is_short = name.startswith("SQLITE_IOERR_SHORT_READ")
    return name.startswith(("SQLITE_CANTOPEN", "SQLITE_IOERR")) and not is_short


def _set_up(connection: dbapi.Connection, key: bytes | None) -> None:
    # First of all: SQLCipher writes to standard error, over the screen, until told not to.
    connection.execute("PRAGMA cipher_log = off")
    if key is not None:
        if len(key) != KEY_LENGTH:
            raise ValueError(f"the store's key has {KEY_LENGTH} bytes")
        if connection.execute("PRAGMA cipher_version").fetchone() is None:
            raise StoreError(Code.STORE_ENGINE, "no SQLCipher")
        # Raw key and salt: a passphrase would cost 85 ms for every connection.
        connection.execute(f"PRAGMA key = \"x'{key.hex()}{salt_of(key).hex()}'\"")
    mode = connection.execute("PRAGMA journal_mode = wal").fetchone()
    connection.execute("PRAGMA synchronous = full")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES_MAX}")
    connection.execute("PRAGMA trusted_schema = off")
    # Read back: a pragma that did not take says nothing, and NORMAL loses rows at a power cut.
    (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
    options = {row[0] for row in connection.execute("PRAGMA compile_options")}
    if mode != ("wal",) or synchronous != 2 or "THREADSAFE=1" not in options:
        raise StoreError(Code.STORE_ENGINE, "journal or thread mode did not take")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent view of the file. Raises `StoreError`."""
    with translated(io_error=Code.STORE_CORRUPT), engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction: on disk when the block ends, undone when it raises. Raises `StoreError`.

    The write lock is taken at the start, so that what was read inside cannot have changed.
    """
    with translated(io_error=Code.STORE_FULL), engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
        connection.commit()


@contextmanager
def translated(*, io_error: Code) -> Iterator[None]:
    """Turn the engine's errors into `StoreError`, once; bugs of ours pass unchanged.

    `io_error` is what a bare I/O error means here. SQLCipher does not say of which kind it was;
    damage is never one (a page's MAC fails as SQLITE_CORRUPT), but a write that found no room is.
    """
    try:
        yield
    except PoolTimeoutError:
        raise StoreError(Code.STORE_BUSY, "too many threads") from None
    except DBAPIError as error:
        code = _code_of(error.orig, io_error)
        if code is None:
            raise
        # No text of the engine's: it may quote a statement with its values.
        raise StoreError(code) from None


def _code_of(error: BaseException | None, io_error: Code) -> Code | None:
    """The failure code of a result code (https://sqlite.org/rescode.html); None for a bug."""
    name = getattr(error, "sqlite_errorname", None) or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Code.STORE_BUSY
    if name.startswith(("SQLITE_FULL", "SQLITE_READONLY")):
        return Code.STORE_FULL
    if name.startswith("SQLITE_IOERR"):
        return io_error
    if name.startswith("SQLITE_CANTOPEN"):
        return Code.STORE_NONE
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return Code.STORE_CORRUPT
    return None
