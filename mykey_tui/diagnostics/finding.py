"""What the doctor says: one finding for each layer, lowest first, and a report of them all.

A finding carries no text of ours, only a code: the catalogue has the words (`wording`). Nothing in
it names a person, a card or this machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, unique
from types import MappingProxyType

from mykey_tui.diagnostics.exits import exit_number
from mykey_tui.diagnostics.layer import Layer
from mykey_tui.domain.codes import Code

HEALTHY = 0
"""Exit number of a report with no fault, and nothing that could not be told."""

NO_FACTS: Mapping[str, str] = MappingProxyType({})


@unique
class State(Enum):
    """How a layer is. The value is a stable name, for JSON and the catalogue."""

    OK = "ok"
    NOTE = "note"
    """Worth a word, and nothing is broken: no card lies there, the counter is not enrolled."""
    FAULT = "fault"
    UNKNOWN = "unknown"
    """Could not tell: the layer did not answer in time, or may not be looked at."""
    SKIPPED = "skipped"
    """Not examined, because a lower layer explains it, or nothing here uses it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found in one layer.

    `code` is there for every FAULT and UNKNOWN, and for a NOTE that has a next step. `facts` are
    short texts from outside, already cleaned with `domain.text.safe`; they fill the code's sentence
    and its command. `because` is the code of the lower finding that explains a SKIPPED one.
    """

    layer: Layer
    state: State
    code: Code | None = None
    facts: Mapping[str, str] = field(default_factory=lambda: NO_FACTS)
    because: Code | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All findings, one for each layer in the layers' order, and how long it took."""

    findings: tuple[Finding, ...]
    seconds: float

    @property
    def worst(self) -> Finding | None:
        """The lowest fault, else the lowest thing that could not be told; None when healthy.

        The lowest comes first because it may explain what stands above it.
        """
        for state in (State.FAULT, State.UNKNOWN):
            for finding in self.findings:
                if finding.state is state:
                    return finding
        return None

    @property
    def exit_code(self) -> int:
        """One number for each kind of fault, for scripts: see `exits`. 0 when healthy."""
        worst = self.worst
        return HEALTHY if worst is None else exit_number(worst.layer, worst.code)
