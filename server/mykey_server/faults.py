"""How a bug of ours is written down: its kind and its place, never its text.

The text, and the values around it, can hold a person's ID.
"""

from __future__ import annotations

import logging
import traceback

from sqlalchemy.exc import DBAPIError

from mykey_server.database import sqlstate

logger = logging.getLogger("mykey_server")


def log_fault(error: BaseException) -> None:
    """Write one line: what kind of exception, and where it was raised; of a database, which error."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    kind = type(error).__name__
    if isinstance(error, DBAPIError):
        name = getattr(error.orig, "sqlite_errorname", None) or sqlstate(error)
        kind = f"{kind} {name}".rstrip()
    logger.error("%s at %s:%s", kind, where.filename, where.lineno)
