"""`make bench`: every measurement, as one JSON object on standard output.

Names on the command line choose some of them: `python -m bench card sync`.
"""

from __future__ import annotations

import json
import platform
import sys
from typing import Any

NAMES = ("card", "decision", "screen", "sync", "polls", "growth", "kinto")


def run(name: str) -> dict[str, Any]:
    """One measurement; imported when wanted, so that none weighs on another."""
    match name:
        case "card":
            from bench import card  # noqa: PLC0415

            return card.measure()
        case "decision":
            from bench import decision  # noqa: PLC0415

            return decision.measure()
        case "screen":
            from bench import screen  # noqa: PLC0415

            return screen.measure()
        case "sync":
            from bench import sync  # noqa: PLC0415

            return sync.measure()
        case "polls":
            from bench import polls  # noqa: PLC0415

            return polls.measure()
        case "growth":
            from bench import growth  # noqa: PLC0415

            return growth.measure()
        case "kinto":
            from bench import kinto  # noqa: PLC0415

            return kinto.measure()
        case _:
            sys.exit(f"No such measurement: {name}. There are: {', '.join(NAMES)}")


if __name__ == "__main__":
    wanted = sys.argv[1:] or list(NAMES)
    result: dict[str, Any] = {"machine": platform.platform(), "python": platform.python_version()}
    for one in wanted:
        print(f"Measuring: {one}", file=sys.stderr, flush=True)
        result[one] = run(one)
    print(json.dumps(result, indent=2, ensure_ascii=False))
