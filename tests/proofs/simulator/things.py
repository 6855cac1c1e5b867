"""What a history keeps account of."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from mykey_tui.store.outbox import Operation
from tests.proofs.world import Counter


@dataclass
class Deed:
    """One acknowledged registration or removal."""

    counter: int
    op: Operation
    cn: str
    service_id: str
    required: bool = True
    """Not any more where the only disk that had it is gone."""
    only_at_server: bool = False
    """The disk that knew it is gone; it lasts as long as the server's file does."""


@dataclass
class Box:
    """A counter's machine: its files, its clock, and the counter running on it."""

    home: Path
    counter: Counter
    skew: timedelta = timedelta()
    disks: list[tuple[Path, int]] = field(default_factory=list)
    """Copies of the disk, and how many deeds there were then."""


@dataclass
class Backup:
    """A copy of the server's file, and what the operator had done by then."""

    file: Path
    suspended: frozenset[str]
    successors: dict[str, str]
