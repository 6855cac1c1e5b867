"""How long a proof runs, and where its figures go: short in `make test`, long in `make soak`."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field

SOAK = "MYKEY_SOAK"
"""1 is the whole long version; 0.1 a tenth of it. Unset: the short version."""
SEED = "MYKEY_SEED"
"""Runs a proof from this seed alone, as its failure printed it; the histories also from `201-400`."""


def length(*, short: int, long: int) -> int:
    """How many images, kills or histories: never fewer than in the short version."""
    share = os.environ.get(SOAK)
    return max(short, round(long * float(share))) if share else short


def is_soak() -> bool:
    """Whether this is a long run."""
    return bool(os.environ.get(SOAK))


def only_seed() -> int | None:
    """The seed that was asked for, if one was; the first of several."""
    text = os.environ.get(SEED)
    return int(text.partition("-")[0]) if text else None


def seeds(*, short: int, long: int) -> range:
    """Those that were asked for, or so many from 1 on."""
    text = os.environ.get(SEED)
    if not text:
        return range(1, 1 + length(short=short, long=long))
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


@dataclass
class Figures:
    """What a proof counted; one line of JSON on standard output (`pytest -s` shows it)."""

    proof: str
    begun: float = field(default_factory=time.monotonic)

    def say(self, **counted: object) -> None:
        seconds = round(time.monotonic() - self.begun, 1)
        print(json.dumps({"proof": self.proof, **counted, "seconds": seconds}))  # noqa: T201
