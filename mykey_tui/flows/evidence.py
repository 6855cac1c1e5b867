"""The evidence sheet: one text file that a technician may mail, with nobody's number in it.

Versions, reader, timings, findings, the last happenings. It is built from values that cannot hold
an identifier; what comes from outside as text is redacted piece by piece on its way in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from mykey_tui.card.connection import ReaderHealth
from mykey_tui.card.live import SlotSeen
from mykey_tui.diagnostics.finding import Finding, Report
from mykey_tui.flows.happenings import Happening
from mykey_tui.flows.redaction import redacted
from mykey_tui.flows.soak import ROW_HEAD, ReaderInTest, SoakFigures, row_to_paste

EVIDENCE_NAME = "evidence.txt"
"""One file in the counter's home, mode 0600, written over."""
NOT_KNOWN = "not known"
_FACTS_MAX = 8
_TITLE = "mykey-tui evidence sheet"
_PROMISE = (
    "Holds no MyKey ID, certificate, service ID, PIN, card number or serial number of a device,",
    "and no time of day. Read it before you send it.",
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the sheet says. Every part may be missing; the sheet then says that it is not known."""

    versions: Mapping[str, str] = field(default_factory=dict)
    """Name to version: program, Python, kernel, system, pcscd, libccid, libpcsclite, engine."""
    usb: Sequence[str] = ()
    """Readers on USB: name and `vid:pid`."""
    slots: Sequence[SlotSeen] = ()
    health: ReaderHealth | None = None
    report: Report | None = None
    soak: SoakFigures | None = None
    tested: ReaderInTest = field(default_factory=ReaderInTest)
    readings: Sequence[float] = ()
    """How long the last readings of cards took, ms."""
    happenings: Sequence[Happening] = ()
    trace: Sequence[str] = ()
    """Lines of `reader.tracing.TraceBook`, masked where they were made."""


def evidence_text(evidence: Evidence) -> str:
    """The whole sheet, plain English, one fact to a line; ends with a line feed."""
    parts: tuple[tuple[str, Iterator[str]], ...] = (
        ("Versions", _versions(evidence.versions)),
        ("Readers on USB", (redacted(device) for device in evidence.usb)),
        ("Readers and cards now", _slots(evidence.slots)),
        ("Watching the readers", _health(evidence.health)),
        ("Doctor", _report(evidence.report)),
        ("Taps", _soak(evidence.soak, evidence.tested)),
        ("Readings of cards, ms", _readings(evidence.readings)),
        ("Last happenings, seconds ago", _happenings(evidence.happenings)),
        ("Trace of commands", iter(evidence.trace)),
    )
    lines = [_TITLE, *_PROMISE]
    for heading, body in parts:
        told = list(body)
        lines += ["", heading, *(f"  {line}" for line in told or [NOT_KNOWN])]
    return "\n".join([*lines, ""])


def _versions(versions: Mapping[str, str]) -> Iterator[str]:
    for name, version in versions.items():
        yield f"{name}: {redacted(version) or NOT_KNOWN}"


def _slots(slots: Sequence[SlotSeen]) -> Iterator[str]:
    for slot in slots:
        words = ", ".join(word.value for word in slot.words) or "empty"
        yield f"{redacted(slot.name)}: {words}" + (f"; ATR {slot.atr}" if slot.atr else "")


def _health(health: ReaderHealth | None) -> Iterator[str]:
    if health is None:
        return
    beat = NOT_KNOWN if health.beat_seconds is None else f"{health.beat_seconds:.1f} s ago"
    yield f"watcher: {'alive' if health.alive else 'not alive'}, last sign {beat}"
    yield (
        f"service lost {health.service_lost}, reader lost {health.reader_lost}, "
        f"context renewed {health.context_renewed}"
    )
    yield (
        f"watcher replaced {health.watcher_replaced}, worker given up {health.worker_given_up}, "
        f"still out {health.still_out}"
    )


def _report(report: Report | None) -> Iterator[str]:
    if report is None:
        return
    for finding in report.findings:
        yield _finding(finding)
    yield f"took {report.seconds:.1f} s; exit code {report.exit_code}"


def _finding(finding: Finding) -> str:
    words = [f"{finding.layer.value}: {finding.state.value}"]
    if finding.code is not None:
        words.append(finding.code.value)
    if finding.because is not None:
        words.append(f"because of {finding.because.value}")
    facts = list(finding.facts.items())[:_FACTS_MAX]
    words += [f"{name}={redacted(value)}" for name, value in facts]
    return "  ".join(words)


def _soak(figures: SoakFigures | None, tested: ReaderInTest) -> Iterator[str]:
    if figures is not None and figures.laid:
        yield ROW_HEAD
        yield row_to_paste(figures, tested)


def _readings(readings: Sequence[float]) -> Iterator[str]:
    if readings:
        yield (
            f"last {len(readings)}: least {min(readings):.0f}, median {median(readings):.0f}, "
            f"most {max(readings):.0f}"
        )


def _happenings(happenings: Sequence[Happening]) -> Iterator[str]:
    for happening in happenings:
        yield f"{happening.seconds_ago:8.0f}  {happening.kind.value}  {happening.word}".rstrip()
