"""Whatever was read: an examination ends, in order, and everything in it can be said."""

from __future__ import annotations

import json
import time
from dataclasses import fields
from threading import Event
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mykey_tui.card.connection import ReaderState
from mykey_tui.diagnostics.examine import examine, report
from mykey_tui.diagnostics.facts import (
    BoxFacts,
    Driver,
    HandOverFacts,
    JournalFacts,
    LineFacts,
    Reach,
    ReaderFacts,
    Stage,
    StoreFacts,
    TrustFacts,
    UsbDevice,
)
from mykey_tui.diagnostics.finding import Finding, State
from mykey_tui.diagnostics.known_readers import KNOWN_READERS, NFC_MODULES
from mykey_tui.diagnostics.layer import Layer
from mykey_tui.diagnostics.sources import Sources
from mykey_tui.diagnostics.wording import words_of
from mykey_tui.domain.codes import Code
from mykey_tui.i18n.catalog import Catalog, Language

CATALOGS = [Catalog(language) for language in Language]
USB_IDS = st.sampled_from([row.usb_id for row in KNOWN_READERS]) | st.just("1234:abcd")
CODES = st.none() | st.sampled_from(Code)
SMALL_TEXT = st.text(max_size=8)

BOXES = st.builds(
    BoxFacts,
    usb=st.lists(
        st.builds(UsbDevice, usb_id=USB_IDS, product=SMALL_TEXT, power_control=SMALL_TEXT),
        max_size=3,
    ).map(tuple),
    modules=st.frozensets(st.sampled_from(sorted(NFC_MODULES))),
    socket=st.sampled_from(Reach),
    services=st.lists(SMALL_TEXT, max_size=2).map(tuple),
    libccid=st.none() | st.builds(Driver, SMALL_TEXT, st.frozensets(USB_IDS)),
    libacsccid=st.none() | st.builds(Driver, SMALL_TEXT, st.frozensets(USB_IDS)),
    distribution=st.sampled_from(["", "debian", "arch", "suse"]),
    holders=st.lists(st.sampled_from(["scdaemon", "firefox"]), max_size=2).map(tuple),
)
READERS = st.builds(
    ReaderFacts,
    stage=st.sampled_from(Stage),
    state=st.sampled_from(ReaderState),
    trouble=CODES,
    ended=st.booleans(),
    slow_ms=st.integers(0, 5000),
    silent_seconds=st.none() | st.floats(0, 1000),
)


def sources_of(box: Any, journal: Any, reader: Any, trust: Any, store: Any, line: Any) -> Sources:
    return Sources(
        box=lambda: box,
        journal=lambda: journal,
        reader=lambda tell: tell(reader),
        trust=lambda: trust,
        store=lambda: store,
        line=lambda: line,
        handover=HandOverFacts,
    )


@settings(max_examples=300, deadline=None)
@given(
    BOXES,
    st.none() | st.builds(JournalFacts),
    READERS,
    st.builds(TrustFacts, trouble=CODES),
    st.builds(StoreFacts, trouble=CODES),
    st.builds(LineFacts, trouble=CODES, skew_seconds=st.none() | st.floats(-1e6, 1e6)),
)
def test_any_facts_give_a_whole_report(
    box: Any, journal: Any, reader: Any, trust: Any, store: Any, line: Any
) -> None:
    found = report(sources_of(box, journal, reader, trust, store, line))
    assert [finding.layer for finding in found.findings] == list(Layer)
    for finding in found.findings:
        assert (finding.code is not None) or finding.state in (State.OK, State.SKIPPED)
        for catalog in CATALOGS:
            words = words_of(finding, catalog)
            assert words.layer and words.state and words.say
        assert all(len(value) < 200 for value in finding.facts.values())
        json.dumps(dict(finding.facts))
    assert (found.exit_code == 0) == (found.worst is None)
    assert found.exit_code == 0 or 10 <= found.exit_code < 126


def test_every_layer_has_its_words_when_it_is_well() -> None:
    for layer in Layer:
        for state in (State.OK, State.SKIPPED):
            for catalog in CATALOGS:
                assert words_of(Finding(layer, state), catalog).say


def test_when_everything_hangs_the_examination_still_ends_in_its_time() -> None:
    for_ever = Event()

    def hang(*_: Any) -> Any:
        for_ever.wait(30)

    begun = time.monotonic()
    found = list(examine(Sources(**{field.name: hang for field in fields(Sources)})))
    seconds = time.monotonic() - begun
    for_ever.set()
    assert seconds < 5.0
    assert [finding.layer for finding in found] == list(Layer)
    assert not [finding for finding in found if finding.state is State.OK and finding.facts]
