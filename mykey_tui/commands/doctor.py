"""`mykey doctor`: what is wrong with this box, layer by layer, and the one next step."""

from __future__ import annotations

import argparse
import unicodedata
from collections.abc import Mapping

from mykey_tui.commands.context import Context
from mykey_tui.composition.doctor import is_simulated, make_sources
from mykey_tui.diagnostics.commands import command_for
from mykey_tui.diagnostics.examine import report
from mykey_tui.diagnostics.finding import Finding, Report, State
from mykey_tui.diagnostics.wording import Words, words_of
from mykey_tui.i18n.catalog import Catalog

_LAYER_CELLS = 12
_STATE_CELLS = 8


def run(arguments: argparse.Namespace) -> int:
    """Examine everything once; the exit code names the worst, 0 when nothing is wrong."""
    context = Context.of(arguments)
    found = report(make_sources(context.settings))
    catalog = context.output.catalog
    simulated = is_simulated(context.settings)
    facts = {**_facts(found, catalog), "simulated": simulated}
    context.output.answer(facts, [_title(catalog, simulated=simulated), *_lines(found, catalog)])
    return found.exit_code


def _facts(found: Report, catalog: Catalog) -> dict[str, object]:
    worst = found.worst
    return {
        "result": "healthy" if worst is None else worst.state.value,
        "code": worst.code.value if worst is not None and worst.code is not None else None,
        "exit": found.exit_code,
        "seconds": round(found.seconds, 2),
        "findings": [_finding_facts(finding, catalog) for finding in found.findings],
    }


def _finding_facts(finding: Finding, catalog: Catalog) -> Mapping[str, object]:
    words = words_of(finding, catalog)
    return {
        "layer": finding.layer.value,
        "state": finding.state.value,
        "code": finding.code.value if finding.code is not None else None,
        "text": words.say,
        "next": words.next or None,
        "command": command_for(finding),
        "because": finding.because.value if finding.because is not None else None,
        "facts": dict(finding.facts),
    }


def _title(catalog: Catalog, *, simulated: bool) -> str:
    title = catalog.text("doctor.title")
    return f"{title}   {catalog.text('simulated')}" if simulated else title


def _lines(found: Report, catalog: Catalog) -> list[str]:
    """A line for each layer, then what to do about the worst, else about what is worth a word."""
    lines = [""]
    lines += [_line(finding, words_of(finding, catalog)) for finding in found.findings]
    advised = found.worst or next(
        (finding for finding in found.findings if finding.state is State.NOTE), None
    )
    lines.append("")
    if found.worst is None:
        lines.append(catalog.text("doctor.healthy"))
    if advised is not None:
        lines += _advice(advised, catalog)
    lines.append(catalog.text("doctor.took", seconds=f"{found.seconds:.1f}"))
    return lines


def _line(finding: Finding, words: Words) -> str:
    code = f"   {finding.code.value}" if finding.code is not None else ""
    head = _padded(words.layer, _LAYER_CELLS) + _padded(words.state, _STATE_CELLS)
    return f"  {head}{words.say}{code}"


def _advice(finding: Finding, catalog: Catalog) -> list[str]:
    words = words_of(finding, catalog)
    lines = [catalog.text("doctor.what-next"), f"  {words.next}"]
    if words.command:
        lines += ["", f"      {words.command}", ""]
    if finding.code is not None:
        lines.append(f"  {catalog.text('doctor.more', code=finding.code.value)}")
    return lines


def _padded(text: str, cells: int) -> str:
    """Filled with spaces up to a width on the terminal, where a wide character takes two."""
    width = sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
    return text + " " * max(1, cells - width)
