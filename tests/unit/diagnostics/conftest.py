"""A machine under a short folder (a socket's name has at most 107 bytes), and an examination of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from mykey_tui.card.connection import CardReader
from mykey_tui.composition.doctor import judgement_of
from mykey_tui.diagnostics import probe
from mykey_tui.diagnostics.box import read_box
from mykey_tui.diagnostics.facts import (
    HandOverFacts,
    LineFacts,
    ReaderFacts,
    StoreFacts,
    TrustFacts,
)
from mykey_tui.diagnostics.journal import journal_facts
from mykey_tui.diagnostics.probe import probe_reader
from mykey_tui.diagnostics.sources import Sources
from mykey_tui.settings import Settings
from tests.unit.diagnostics.box import Box
from tests.unit.diagnostics.faults import WELL_CONNECTED, Injected


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="mykey-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def box(folder: Path) -> Iterator[Box]:
    box = Box(folder / "root")
    yield box
    box.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripted readers tell at once what they have to tell."""
    monkeypatch.setattr(probe, "SERVICE_ANSWERS_SECONDS", 0.05)
    monkeypatch.setattr(probe, "READER_APPEARS_SECONDS", 0.05)
    monkeypatch.setattr(probe, "CARD_APPEARS_SECONDS", 0.05)


@pytest.fixture
def sources(box: Box, folder: Path) -> Callable[..., Sources]:
    """The real reading of `box` and the real probe of a reader; a well counter behind them."""
    judge = judgement_of(Settings(home=folder / "home"))

    def make(
        reader: Callable[[], CardReader],
        *,
        journal: str | None = None,
        line: LineFacts = WELL_CONNECTED,
        silent_seconds: float | None = None,
    ) -> Sources:
        def probed(tell: Callable[[ReaderFacts], None]) -> None:
            with closing(reader()) as opened:
                probe_reader(
                    opened, judge, lambda facts: tell(replace(facts, silent_seconds=silent_seconds))
                )

        return Sources(
            box=lambda: read_box(box.root),
            journal=lambda: None if journal is None else journal_facts(journal),
            reader=probed,
            trust=lambda: TrustFacts(anchors=3),
            store=lambda: StoreFacts(rows=12),
            line=lambda: line,
            handover=lambda: HandOverFacts("file"),
        )

    return make


@pytest.fixture
def inject(box: Box, sources: Callable[..., Sources]) -> Callable[[Injected], Sources]:
    """Build a fault, and read everything once: what was read can be examined again and again."""

    def build(fault: Injected) -> Sources:
        fault.box(box)
        return read_once(
            sources(
                fault.reader,
                journal=fault.journal,
                line=fault.line,
                silent_seconds=fault.silent_seconds,
            )
        )

    return build


def read_once(sources: Sources) -> Sources:
    """The same facts, as constants."""
    told: list[ReaderFacts] = []
    sources.reader(told.append)
    box, journal, line = sources.box(), sources.journal(), sources.line()
    return replace(
        sources,
        box=lambda: box,
        journal=lambda: journal,
        line=lambda: line,
        reader=lambda tell: tell(told[-1]),
    )
