"""How long a proof runs, and where its figures go: short in `make test`, long in `make soak`."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field

SOAK = "MYKEY_SOAK"
"""1 is the whole long version; 0.1 a tenth of it. Unset: the short version."""
SEED = "MYKEY_SEED"
"""Runs a proof from this seed alone, as its failure printed it."""


def length(*, short: int, long: int) -> int:
    """How many images, kills or histories: never fewer than in the short version."""
    share = os.environ.get(SOAK)
    return max(short, round(long * float(share))) if share else short


def is_soak() -> bool:
    """Whether this is a long run."""
    return bool(os.environ.get(SOAK))


def only_seed() -> int | None:
    """The one seed that was asked for, if one was."""
    text = os.environ.get(SEED)
    return int(text) if text else None


@dataclass
class Figures:
    """What a proof counted; one line of JSON on standard output (`pytest -s` shows it)."""

    proof: str
    begun: float = field(default_factory=time.monotonic)

    def say(self, **counted: object) -> None:
        seconds = round(time.monotonic() - self.begun, 1)
        print(json.dumps({"proof": self.proof, **counted, "seconds": seconds}))  # noqa: T201
