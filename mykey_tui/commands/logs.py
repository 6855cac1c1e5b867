"""Where a running counter writes what went wrong: `counter.log`, small, private, without persons."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

LOG_NAME = "counter.log"
LOG_BYTES_MAX = 256 * 1024
"""Two files of this size: enough to find a fault, too little to fill a card."""
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _PrivateFileHandler(RotatingFileHandler):
    """The file is this user's alone, also after it was turned over."""

    def _open(self) -> object:  # type: ignore[override]  # the base class says TextIOWrapper
        path = Path(self.baseFilename)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return super()._open()


@contextmanager
def log_to(home: Path) -> Iterator[None]:
    """Log the product's own messages to the home's file while the block runs.

    Libraries' loggers stay silent: some of them log addresses and bodies. A home that is not there
    or cannot be written gets no log, and nothing else breaks for it.
    """
    logger = logging.getLogger("mykey_tui")
    try:
        handler: logging.Handler = _PrivateFileHandler(
            home / LOG_NAME, maxBytes=LOG_BYTES_MAX, backupCount=1, encoding="utf-8"
        )
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter(_FORMAT))
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
        logger.propagate = True
