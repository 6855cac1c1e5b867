"""How a bug of ours is written down: its kind and its place, never its text.

The text, and the values around it, can hold a person's ID.
"""

from __future__ import annotations

import logging
import traceback

logger = logging.getLogger("mykey_server")


def log_fault(error: BaseException) -> None:
    """Write one line: what kind of exception, and where it was raised; of a database, which error."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    kind = type(error).__name__
    driver = getattr(error, "orig", None)  # SQLAlchemy's; not imported for every bug.
    name = getattr(driver, "sqlite_errorname", None) or getattr(driver, "sqlstate", None)
    if name:
        kind = f"{kind} {name}"
    logger.error("%s at %s:%s", kind, where.filename, where.lineno)
