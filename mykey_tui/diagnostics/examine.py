"""The examination: every layer once, lowest first, each told as soon as it is known.

All sources are read at the same time, each with a time of its own; together they take no longer
than the longest of them. A layer whose source did not answer is UNKNOWN; one that a lower fault
explains is SKIPPED and not guessed at.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from mykey_tui.diagnostics import box_rules, card_rules, counter_rules, service_rules
from mykey_tui.diagnostics.explained import explained_by
from mykey_tui.diagnostics.facts import (
    BoxFacts,
    HandOverFacts,
    JournalFacts,
    LineFacts,
    ReaderFacts,
    Stage,
    StoreFacts,
    TrustFacts,
)
from mykey_tui.diagnostics.finding import Finding, Report, State
from mykey_tui.diagnostics.healthy import healthy_facts
from mykey_tui.diagnostics.known import Known, Rule
from mykey_tui.diagnostics.layer import MACHINE_LAYERS, Layer
from mykey_tui.diagnostics.look import Look
from mykey_tui.diagnostics.sources import Sources
from mykey_tui.domain.codes import Code

T = TypeVar("T")

_NO_JOURNAL: JournalFacts | None = None

BOX_SECONDS = 1.0
JOURNAL_SECONDS = 1.5
READER_SECONDS = 3.5
"""A card that was just laid is retried for a second, and a slow reading takes two."""
COUNTER_SECONDS = 3.0
LINE_SECONDS = 4.0

RULES: Mapping[Layer, tuple[Rule, ...]] = {
    **box_rules.RULES,
    **service_rules.RULES,
    **card_rules.RULES,
    **counter_rules.RULES,
}


def examine(
    sources: Sources, *, rules: Mapping[Layer, tuple[Rule, ...]] = RULES
) -> Iterator[Finding]:
    """One finding for each layer, in order, in less than five seconds together.

    Never raises for what the machine, the reader, the card or the server does. `rules` is there for
    the test that takes one away.
    """
    looks = _Looks(sources)
    told: list[Finding] = []
    for layer in Layer:
        finding = _finding(layer, looks, rules[layer], told)
        told.append(finding)
        yield finding


def report(sources: Sources) -> Report:
    """The whole examination at once."""
    begun = time.monotonic()
    findings = tuple(examine(sources))
    return Report(findings, time.monotonic() - begun)


class _Looks:
    """All sources, being read; nobody waits for one before a layer needs it."""

    def __init__(self, sources: Sources) -> None:
        self.box: Look[BoxFacts | None] = _once(sources.box, BOX_SECONDS)
        self.journal = Look(
            lambda tell: tell(sources.journal()), start=_NO_JOURNAL, seconds=JOURNAL_SECONDS
        )
        self.reader = Look(sources.reader, start=ReaderFacts(), seconds=READER_SECONDS)
        self.trust: Look[TrustFacts | None] = _once(sources.trust, COUNTER_SECONDS)
        self.store: Look[StoreFacts | None] = _once(sources.store, COUNTER_SECONDS)
        self.line: Look[LineFacts | None] = _once(sources.line, LINE_SECONDS)
        self.handover: Look[HandOverFacts | None] = _once(sources.handover, COUNTER_SECONDS)

    def known(self, layer: Layer) -> Known:
        """What `layer` is judged from, waited for."""
        early = layer in MACHINE_LAYERS
        reader = self.reader.result(_is_listed if early else None)
        if self.reader.failure:
            # It did not hang; where it stood when it failed says nothing.
            reader = replace(reader, ended=True, trouble=Code.CHECK_UNKNOWN)
        known = Known(self.box.result(), self.journal.result(), reader)
        if layer is Layer.TRUST:
            return replace(known, trust=self.trust.result())
        if layer is Layer.CLOCK:
            return replace(known, store=self.store.result(), line=self.line.result())
        if layer is Layer.STORE:
            return replace(known, store=self.store.result())
        if layer in (Layer.LINE, Layer.SERVER):
            return replace(known, line=self.line.result())
        if layer is Layer.HANDOVER:
            return replace(known, handover=self.handover.result())
        return known

    def why_unknown(self, layer: Layer) -> Mapping[str, str] | None:
        """Why a layer cannot be judged: its own source has no answer. None where it can."""
        looks: Mapping[Layer, Look[Any]] = {
            Layer.USB: self.box,
            Layer.KERNEL: self.box,
            Layer.TRUST: self.trust,
            Layer.STORE: self.store,
            Layer.LINE: self.line,
            Layer.HANDOVER: self.handover,
        }
        look = looks.get(layer)
        if layer is Layer.READER:
            # A probe that hangs is a finding of its layer's; one that failed is a bug.
            return {"reason": self.reader.failure} if self.reader.failure else None
        if look is None or look.ended_well:
            return None
        return {"reason": look.failure} if look.failure else {}


def _finding(
    layer: Layer, looks: _Looks, rules: Sequence[Rule], told: Sequence[Finding]
) -> Finding:
    known = looks.known(layer)
    if known.reader.emulated and layer in MACHINE_LAYERS:
        return Finding(layer, State.SKIPPED)
    explanation = explained_by(layer, known, told)
    if explanation is not None:
        return Finding(layer, State.SKIPPED, because=explanation.code or explanation.because)
    reason = looks.why_unknown(layer)
    if reason is not None:
        return Finding(layer, State.UNKNOWN, Code.CHECK_UNKNOWN, reason)
    for rule in rules:
        finding = rule(known)
        if finding is not None:
            return finding
    return Finding(layer, State.OK, facts=healthy_facts(layer, known))


def _is_listed(reader: ReaderFacts) -> bool:
    """Whether it is known which readers there are. The machine's layers need not wait for a card."""
    return reader.ended or reader.stage is not Stage.SERVICE


def _once(read: Callable[[], T], seconds: float) -> Look[T | None]:
    """A source that answers once, and may be None until then."""
    return Look(lambda tell: tell(read()), start=None, seconds=seconds)
