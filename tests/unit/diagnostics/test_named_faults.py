"""Each row of the two fault tables is built, and the doctor says its name, its step and no more."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mykey_tui.diagnostics.commands import command_for
from mykey_tui.diagnostics.examine import RULES, examine
from mykey_tui.diagnostics.exits import CODE_EXITS, LAYER_EXITS
from mykey_tui.diagnostics.finding import Finding, Report, State
from mykey_tui.diagnostics.known import Rule
from mykey_tui.diagnostics.layer import Layer
from mykey_tui.diagnostics.sources import Sources
from mykey_tui.diagnostics.wording import words_of
from mykey_tui.i18n.catalog import Catalog, Language
from tests.unit.diagnostics.faults import INJECTED, RULE_OF, Injected
from tests.unit.diagnostics.others import OTHERS

Inject = Callable[[Injected], Sources]
Rules = Mapping[Layer, tuple[Rule, ...]]
DOCS = Path(__file__).parents[3] / "docs"


def name_of(fault: Injected) -> str:
    return f"{fault.row}: {fault.sign}"


def examined(sources: Sources, rules: Rules = RULES) -> dict[Layer, Finding]:
    return {finding.layer: finding for finding in examine(sources, rules=rules)}


every_fault = pytest.mark.parametrize("fault", INJECTED, ids=name_of)


@every_fault
def test_the_fault_is_named_with_its_step_and_the_rest_is_not_guessed_at(
    fault: Injected, inject: Inject
) -> None:
    found = examined(inject(fault))
    named = found[fault.layer]
    assert (named.code, named.state) == (fault.code, fault.state)
    assert fault.command in (command_for(named) or "")
    assert bool(fault.command) == bool(command_for(named))
    for layer in fault.skipped:
        assert found[layer].state is State.SKIPPED
        assert found[layer].because is not None
    # One thing is wrong, and one thing is said to be wrong.
    wrong = {f.layer for f in found.values() if f.state in (State.FAULT, State.UNKNOWN)}
    assert wrong == ({fault.layer} if fault.state is not State.NOTE else set())


@every_fault
def test_what_is_said_of_it_is_whole_in_both_languages(fault: Injected, inject: Inject) -> None:
    finding = examined(inject(fault))[fault.layer]
    for language in Language:
        words = words_of(finding, Catalog(language))
        assert words.say and words.next
        assert "?" not in words.say + words.next, "a value that nobody gave"


@every_fault
def test_without_its_rule_the_fault_goes_unnamed(fault: Injected, inject: Inject) -> None:
    """The teeth: with one rule less, and no other, the fault is not named any more."""
    sources = inject(fault)
    for rule in RULES[fault.layer]:
        found = examined(sources, without(rule))
        is_named = fault.code in {finding.code for finding in found.values()}
        assert is_named is (rule is not RULE_OF[fault.code]), rule.__name__


def without(gone: Rule) -> Rules:
    return {layer: tuple(rule for rule in own if rule is not gone) for layer, own in RULES.items()}


def test_no_rule_is_there_that_no_test_needs() -> None:
    tested = {*RULE_OF.values(), *(case.rule for case in OTHERS)}
    assert tested == {rule for own in RULES.values() for rule in own}


def exit_of(fault: Injected) -> int:
    return Report((Finding(fault.layer, fault.state, fault.code),), 0.0).exit_code


def test_the_manuals_table_of_faults_is_this_one() -> None:
    rows = re.findall(
        r"^\| ((?:card \d|B ).*) \|$",
        (DOCS / "failure-codes.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    in_the_manual = [tuple(cell.strip(" `") for cell in row.split(" | ")) for row in rows]
    assert in_the_manual == [
        (f.row, f.sign, f.layer.value, f.code.value, f.state.value, str(exit_of(f)))
        for f in INJECTED
    ]


def test_the_manual_has_every_exit_number() -> None:
    text = (DOCS / "doctor.md").read_text(encoding="utf-8")
    codes = dict(re.findall(r"^\| (\d+) \| `([A-Z-]+)` \|$", text, re.MULTILINE))
    assert codes == {str(number): code.value for code, number in CODE_EXITS.items()}
    layers = dict(re.findall(r"^\| ([a-z]+) \| .* \| (\d+) \|$", text, re.MULTILINE))
    assert layers == {layer.value: str(number) for layer, number in LAYER_EXITS.items()}


def test_no_exit_number_is_given_twice() -> None:
    numbers = [*CODE_EXITS.values(), *LAYER_EXITS.values()]
    assert len(set(numbers)) == len(numbers)
    assert all(10 <= number < 126 for number in numbers)


def test_every_row_of_both_tables_is_injected() -> None:
    rows = {fault.row for fault in INJECTED}
    assert {f"card {number}" for number in range(1, 16)} <= rows
    assert len({row for row in rows if row.startswith("B ")}) >= 14
    assert len({fault.code for fault in INJECTED}) >= 25


def test_every_fault_of_the_tables_has_an_exit_number_of_its_own() -> None:
    faults = {fault.code for fault in INJECTED if fault.state is not State.NOTE}
    assert faults <= CODE_EXITS.keys()
