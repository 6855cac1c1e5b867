"""Where the doctor's facts come from: ports, so that a test gives faults and a screen its reader.

Each is called once, on a thread of its own, and may hang: it is given up after its budget. It holds
no lock and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mykey_tui.diagnostics.facts import (
    BoxFacts,
    HandOverFacts,
    JournalFacts,
    LineFacts,
    ReaderFacts,
    StoreFacts,
    TrustFacts,
)

ReaderProbe = Callable[[Callable[[ReaderFacts], None]], None]
"""Tells what it knows after each step, so that a step that hangs can be named; the last telling has
`ended` set."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The doctor's senses. `journal` gives None where it may not be read."""

    box: Callable[[], BoxFacts]
    journal: Callable[[], JournalFacts | None]
    reader: ReaderProbe
    trust: Callable[[], TrustFacts]
    store: Callable[[], StoreFacts]
    line: Callable[[], LineFacts]
    handover: Callable[[], HandOverFacts]
