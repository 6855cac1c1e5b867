"""When a layer is not examined, because a lower one already says why it cannot be well."""

from __future__ import annotations

from collections.abc import Sequence

from mykey_tui.diagnostics.card_rules import (
    CERTIFICATE_TROUBLE,
    CLOCK_TROUBLE,
    TRUST_TROUBLE,
    is_silent,
)
from mykey_tui.diagnostics.facts import Stage
from mykey_tui.diagnostics.finding import Finding, State
from mykey_tui.diagnostics.known import Known
from mykey_tui.diagnostics.layer import WAY_TO_THE_CARD, Layer
from mykey_tui.domain.codes import Code

_STILL_READS = frozenset({Code.READER_SLOW, Code.READER_SHORT})
"""Faults of a reader through which a card is nevertheless seen."""
_AFTER_READING = CERTIFICATE_TROUBLE | TRUST_TROUBLE | CLOCK_TROUBLE
_BROKEN = frozenset({State.FAULT, State.UNKNOWN})
_SAYS_SOMETHING = frozenset({State.FAULT, State.UNKNOWN, State.NOTE, State.SKIPPED})


def explained_by(layer: Layer, known: Known, told: Sequence[Finding]) -> Finding | None:
    """The lower finding that explains `layer`; None where it is to be examined itself."""
    if layer in (Layer.LINE, Layer.SERVER):
        return _behind_the_store(layer, known, told)
    if layer not in WAY_TO_THE_CARD or layer in (Layer.USB, Layer.DAEMON):
        return None  # The service runs without a cable; the rest does not need a card.
    below = WAY_TO_THE_CARD[: WAY_TO_THE_CARD.index(layer)]
    if layer is Layer.PERMISSION:
        below = (Layer.DAEMON,)
    if _can_be_judged(layer, known, told):
        return None
    return next(
        (
            finding
            for finding in reversed(told)
            if finding.layer in below and finding.state in _SAYS_SOMETHING
        ),
        None,
    )


def _can_be_judged(layer: Layer, known: Known, told: Sequence[Finding]) -> bool:
    """Whether the facts reach up to `layer`, whatever is wrong below."""
    reader = known.reader
    below = told[-1]
    if layer in (Layer.KERNEL, Layer.PERMISSION):
        return known.has_reader
    if layer is Layer.READER:
        return known.has_reader or is_silent(reader)
    if layer is Layer.CARD:
        return known.has_reader and (below.state not in _BROKEN or below.code in _STILL_READS)
    card = next(finding for finding in told if finding.layer is Layer.CARD)
    if card.state is not State.OK:
        return False
    if layer is Layer.APPLICATION:
        return reader.stage >= Stage.APPLICATION
    return reader.stage >= Stage.CERTIFICATE and (
        reader.trouble is None or reader.trouble in _AFTER_READING
    )


def _behind_the_store(layer: Layer, known: Known, told: Sequence[Finding]) -> Finding | None:
    """Without a store there is no server to ask; without a line, none that answers."""
    found = {finding.layer: finding for finding in told}
    store, line = found[Layer.STORE], found.get(Layer.LINE)
    if store.state is not State.OK:
        return store
    if layer is Layer.LINE:
        return None
    if line is not None and line.state is not State.OK:
        return line
    refused_for_its_clock = known.line is not None and known.line.trouble is Code.SERVER_CLOCK
    return found[Layer.CLOCK] if refused_for_its_clock else None
