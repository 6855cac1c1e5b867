"""The technician's tools over a real pcscd: taps through the desk, and the live look at the slots."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mykey_tui.card.live import SlotWord
from mykey_tui.domain.codes import Code
from mykey_tui.flows.desk_events import CardTaken, TapDone
from mykey_tui.flows.soak import ReaderInTest, Soak, row_to_paste
from mykey_tui.reader.card_file import Fault, FaultName
from mykey_tui.reader.live import LiveSlots
from mykey_tui.reader.pcsc import Pyscard
from mykey_tui.simulated.cards import make_card
from tests.pcscd.counter import desk_at_work
from tests.pcscd.private_pcscd import SLOTS

pytestmark = pytest.mark.pcscd
Lay = Callable[..., Any]

CN = "1C2410DF79DGEL07202002B"
NOW = datetime.now(UTC)
GOOD = 4
LIFTED_SECONDS = 1.2
"""vpcd is looked at every 0.4 s; a card lifted for less may not be missed."""


def test_taps_on_a_real_service_are_timed_and_an_early_removal_is_told(
    lay: Lay, tmp_path: Path
) -> None:
    good = make_card(CN, at=NOW)
    pulled = make_card(CN, at=NOW, fault=Fault(FaultName.REMOVED_DURING_READ))
    soak = Soak(GOOD + 1)
    with desk_at_work(tmp_path, SLOTS[0][1]) as counter:
        counter.desk.expect_taps()
        for card in (*[good] * GOOD, pulled):
            with lay(card):
                soak.add(counter.until(TapDone).tap)
            counter.until(CardTaken)
            time.sleep(LIFTED_SECONDS)
        assert not counter.till.got
    figures = soak.figures
    assert figures.is_done
    assert (figures.good, figures.removed, figures.others) == (GOOD, 1, {})
    assert figures.median_ms is not None
    assert 0 < figures.median_ms < 2000
    assert "| 4/5 (80.0 %) |" in row_to_paste(figures, ReaderInTest(SLOTS[0][1]))
    assert Code.CARD_REMOVED.value not in row_to_paste(figures, ReaderInTest())


def test_the_live_look_sees_both_slots_and_the_card_that_is_laid(lay: Lay) -> None:
    slots = LiveSlots(Pyscard())
    now = slots.look(0.0)
    assert [slot.name for slot in now.slots] == ["Virtual PCD", "Virtual PCD"]
    with lay(make_card(CN, at=NOW)):
        deadline = time.monotonic() + 10
        while not any(SlotWord.CARD in slot.words for slot in slots.look(1.0).slots):
            assert time.monotonic() < deadline
        (seen,) = (s for s in slots.look(0.0).slots if SlotWord.CARD in s.words)
        assert seen.atr.startswith("3B")
        assert "**" in seen.atr
