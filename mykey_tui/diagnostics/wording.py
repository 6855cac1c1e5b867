"""The words of a finding, for the screen, the command and the evidence sheet alike."""

from __future__ import annotations

from dataclasses import dataclass

from mykey_tui.diagnostics.commands import command_for
from mykey_tui.diagnostics.finding import Finding, State
from mykey_tui.diagnostics.layer import Layer
from mykey_tui.domain.codes import Code
from mykey_tui.i18n.catalog import Catalog

_TECHNICIANS = frozenset({Code.READER_BUSY, Code.HANDOVER_FILE, Code.HANDOVER_COMMAND})
"""Codes whose usual next step is a clerk's; the doctor speaks to somebody else."""


@dataclass(frozen=True, slots=True)
class Words:
    """One layer's line, and what to do about it."""

    layer: str
    state: str
    say: str
    """One sentence."""
    next: str
    """One next step; empty where there is none."""
    command: str
    """A line for a shell; empty where there is none."""


def words_of(finding: Finding, catalog: Catalog) -> Words:
    """Everything that is said of a finding, in the catalogue's language."""
    return Words(
        layer=catalog.text(f"doctor.layer.{finding.layer.value}"),
        state=catalog.text(f"doctor.state.{finding.state.value}"),
        say=_say(finding, catalog),
        next=_next(finding, catalog),
        command=command_for(finding) or "",
    )


def _say(finding: Finding, catalog: Catalog) -> str:
    if finding.code is not None:
        return catalog.code(finding.code, finding.facts).say
    if finding.state is State.SKIPPED:
        return catalog.text(_why_skipped(finding))
    layer = finding.layer.value
    if finding.facts:
        return catalog.text(f"doctor.well.{layer}.facts", **finding.facts)
    return catalog.text(f"doctor.well.{layer}")


def _why_skipped(finding: Finding) -> str:
    if finding.because is None:
        return "doctor.unused"
    # Nothing stands above the lowest layer.
    return "doctor.first" if finding.layer is Layer.USB else "doctor.later"


def _next(finding: Finding, catalog: Catalog) -> str:
    code, facts = finding.code, finding.facts
    if code is None:
        return ""
    if code is Code.READER_BUSY and "programs" in facts:
        return catalog.text("doctor.next.named", **facts)
    if code in _TECHNICIANS:
        return catalog.text(f"doctor.next.{code.value}", **facts)
    return catalog.code(code, facts).next
