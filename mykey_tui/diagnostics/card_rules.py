"""Rules of the reader and of the card on it, up to whether its certificate is believed."""

from __future__ import annotations

from collections.abc import Mapping

from mykey_tui.diagnostics.box_rules import name_of, usable_devices
from mykey_tui.diagnostics.facts import ReaderFacts, Stage
from mykey_tui.diagnostics.finding import Finding, State
from mykey_tui.diagnostics.known import Known, Rule
from mykey_tui.diagnostics.layer import Layer
from mykey_tui.domain.codes import Code

SLOW_MS = 800
"""95th percentile of the card's answers; more is a slow reader (Annex B "slow")."""
SILENT_SECONDS = 30.0
"""The watcher looks at least every few seconds; silent for longer, it hangs."""

READER_TROUBLE = frozenset(
    {
        Code.READER_LOST,
        Code.READER_NONE,
        Code.READER_HUNG,
        Code.READER_SHORT,
        Code.READER_SIMULATED,
        Code.READER_NO_SERVICE,
        Code.READER_DENIED,
    }
)
"""The last two too: a service that was there at first, and went away in the middle."""
CARD_TROUBLE = frozenset(
    {
        Code.CARD_MUTE,
        Code.CARD_REMOVED,
        Code.CARD_UNREADABLE,
        Code.CARD_SLOW,
        Code.CARD_SWAPPED,
        Code.CARD_TYPE_B,
    }
)
CERTIFICATE_TROUBLE = frozenset(
    {
        Code.CERTIFICATE_NONE,
        Code.CERTIFICATE_MALFORMED,
        Code.CERTIFICATE_EXPIRED,
        Code.CERTIFICATE_NOT_YET_VALID,
        Code.CERTIFICATE_WRONG_USAGE,
        Code.CERTIFICATE_WRONG_POLICY,
        Code.RENEWED,
    }
)
TRUST_TROUBLE = frozenset(
    {Code.CERTIFICATE_UNKNOWN_ISSUER, Code.CERTIFICATE_FORGED, Code.TRUST_NO_ANCHORS}
)
CLOCK_TROUBLE = frozenset({Code.TRUST_CLOCK})
_OF_OTHER_LAYERS = (
    READER_TROUBLE
    | CARD_TROUBLE
    | CERTIFICATE_TROUBLE
    | TRUST_TROUBLE
    | CLOCK_TROUBLE
    | {
        Code.READER_BUSY,
        Code.READER_NO_SERVICE,
        Code.READER_DENIED,
        Code.READER_NONE,
        Code.CHECK_UNKNOWN,
    }
)


def is_silent(reader: ReaderFacts) -> bool:
    """Whether the running program's own watcher hangs."""
    return reader.silent_seconds is not None and reader.silent_seconds >= SILENT_SECONDS


def watcher_silent(known: Known) -> Finding | None:
    """Annex B "monitor dead": the program's own watcher gives no sign of life."""
    if not is_silent(known.reader):
        return None
    facts = {"seconds": str(round(known.reader.silent_seconds or 0))}
    return Finding(Layer.READER, State.FAULT, Code.READER_WATCH, facts)


def reader_of_another_name(known: Known) -> Finding | None:
    """A reader was exchanged, and the settings still name the old one."""
    if not known.reader.other:
        return None
    facts = {"wanted": known.reader.wanted, "reader": known.reader.other}
    return Finding(Layer.READER, State.FAULT, Code.READER_NAME, facts)


def reader_not_listed(known: Known) -> Finding | None:
    """On USB, with a driver that lists it, and the service has no reader at all."""
    if known.has_reader or known.box is None or not usable_devices(known.box):
        return None
    facts = {"reader": name_of(usable_devices(known.box)[0])}
    return Finding(Layer.READER, State.FAULT, Code.READER_UNSEEN, facts)


def reader_held(known: Known) -> Finding | None:
    """Row 12 and Annex B "busy", with the names of programs known to do it."""
    holders = known.box.holders if known.box is not None else ()
    facts = {"programs": ", ".join(holders)} if holders else {}
    if known.reader.trouble is Code.READER_BUSY:
        return Finding(Layer.READER, State.FAULT, Code.READER_BUSY, facts)
    if holders and known.reader.stage is Stage.CARD and not known.reader.ended:
        # Queueing behind somebody's transaction looks like this, and so does a card that hangs.
        return Finding(Layer.READER, State.UNKNOWN, Code.READER_BUSY, facts)
    return None


def reader_in_trouble(known: Known) -> Finding | None:
    """Row 10 (long answers are lost), lost under our hands, or not to be used at this counter."""
    return _trouble_among(READER_TROUBLE, Layer.READER, known.reader)


def reader_slow(known: Known) -> Finding | None:
    """Annex B "slow"."""
    if known.reader.slow_ms <= SLOW_MS:
        return None
    return Finding(Layer.READER, State.FAULT, Code.READER_SLOW, {"ms": str(known.reader.slow_ms)})


def card_hangs(known: Known) -> Finding | None:
    """The card was asked and its answer does not come."""
    if known.reader.ended:
        return None
    return Finding(Layer.CARD, State.UNKNOWN, Code.CARD_SLOW)


def card_in_trouble(known: Known) -> Finding | None:
    """Rows 9 and 11, Annex B "unresponsive" and "removed", and answers that make no sense."""
    return _trouble_among(CARD_TROUBLE, Layer.CARD, known.reader)


def no_card(known: Known) -> Finding | None:
    """Annex B "no card": no fault, and the end of what can be said."""
    if known.reader.card_laid:
        return None
    return Finding(Layer.CARD, State.NOTE, Code.CARD_NONE)


def application_in_trouble(known: Known) -> Finding | None:
    """Rows 14 (another card) and 15 (a phone), and whatever else the application is not."""
    reader = known.reader
    if reader.trouble is None or reader.trouble in _OF_OTHER_LAYERS:
        return None
    return Finding(Layer.APPLICATION, State.FAULT, reader.trouble, reader.values)


def pin_blocked(known: Known) -> Finding | None:
    """Annex B "locked": the card reads all the same, and signs nothing."""
    return _if(known.reader.pin_blocked, Layer.APPLICATION, Code.PIN_BLOCKED)


def certificate_in_trouble(known: Known) -> Finding | None:
    """Annex B "missing/expired/superseded", and every other reason why it is not believed by itself."""
    return _trouble_among(CERTIFICATE_TROUBLE, Layer.CERTIFICATE, known.reader)


def anchors_unusable(known: Known) -> Finding | None:
    """The folder of CA certificates is empty, or holds something else."""
    trust = known.trust
    if trust is None or trust.trouble is None:
        return None
    return Finding(Layer.TRUST, State.FAULT, trust.trouble)


def issuer_in_trouble(known: Known) -> Finding | None:
    """The certificate is signed by nobody that this counter trusts."""
    return _trouble_among(TRUST_TROUBLE, Layer.TRUST, known.reader)


RULES: Mapping[Layer, tuple[Rule, ...]] = {
    Layer.READER: (
        watcher_silent,
        reader_of_another_name,
        reader_not_listed,
        reader_held,
        reader_in_trouble,
        reader_slow,
    ),
    Layer.CARD: (card_hangs, card_in_trouble, no_card),
    Layer.APPLICATION: (application_in_trouble, pin_blocked),
    Layer.CERTIFICATE: (certificate_in_trouble,),
    Layer.TRUST: (anchors_unusable, issuer_in_trouble),
}
"""The first that finds something speaks for its layer."""


def _if(found: bool, layer: Layer, code: Code) -> Finding | None:
    return Finding(layer, State.FAULT, code) if found else None


def _trouble_among(codes: frozenset[Code], layer: Layer, reader: ReaderFacts) -> Finding | None:
    if reader.trouble is None or reader.trouble not in codes:
        return None
    return Finding(layer, State.FAULT, reader.trouble, reader.values)
