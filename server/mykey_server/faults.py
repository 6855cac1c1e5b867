"""How a bug of ours is written down: its kind and its place, never its text.

The text, and the values around it, can hold a person's ID.
"""

from __future__ import annotations

import logging
import traceback

logger = logging.getLogger("mykey_server")


def log_fault(error: BaseException) -> None:
    """Write one line: what kind of exception, and where it was raised."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    logger.error("%s at %s:%s", type(error).__name__, where.filename, where.lineno)
