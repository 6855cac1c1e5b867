"""All that the rules judge from, and the shape of a rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mykey_tui.card.connection import ReaderState
from mykey_tui.diagnostics.facts import (
    BoxFacts,
    HandOverFacts,
    JournalFacts,
    LineFacts,
    ReaderFacts,
    StoreFacts,
    TrustFacts,
)
from mykey_tui.diagnostics.finding import Finding


@dataclass(frozen=True, slots=True)
class Known:
    """The facts of one examination. None: could not be read in time."""

    box: BoxFacts | None
    journal: JournalFacts | None
    """None too where this user may not read it: then it is no evidence, for or against."""
    reader: ReaderFacts = field(default_factory=ReaderFacts)
    trust: TrustFacts | None = None
    store: StoreFacts | None = None
    line: LineFacts | None = None
    handover: HandOverFacts | None = None

    @property
    def has_reader(self) -> bool:
        """The driver has a reader in its list, whatever the machine's files look like."""
        return self.reader.state is ReaderState.READY or bool(self.reader.other)


Rule = Callable[[Known], Finding | None]
"""Looks for one fault in one layer; None where it is not there."""
