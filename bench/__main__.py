"""`make bench`: every measurement, as one JSON object on standard output.

Names on the command line choose some of them: `python -m bench card sync`.
"""

from __future__ import annotations

import importlib
import json
import platform
import sys
from typing import Any

NAMES = (
    "card",
    "reader",
    "decision",
    "screen",
    "sync",
    "push",
    "polls",
    "growth",
    "suspensions",
    "kinto",
)
"""Modules of this package, each with `measure()`; imported when wanted, so that none weighs on
another. `polls` wants wrk, `kinto` PostgreSQL."""


def run(name: str) -> dict[str, Any]:
    """One measurement."""
    if name not in NAMES:
        sys.exit(f"No such measurement: {name}. There are: {', '.join(NAMES)}")
    figures: dict[str, Any] = importlib.import_module(f"bench.{name}").measure()
    return figures


if __name__ == "__main__":
    wanted = sys.argv[1:] or list(NAMES)
    result: dict[str, Any] = {"machine": platform.platform(), "python": platform.python_version()}
    for one in wanted:
        print(f"Measuring: {one}", file=sys.stderr, flush=True)
        result[one] = run(one)
    print(json.dumps(result, indent=2, ensure_ascii=False))
