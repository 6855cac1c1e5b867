"""The live view's look at the service: all readers, their states, and no watcher needed."""

from __future__ import annotations

import threading
import time

from mykey_tui.card.connection import ReaderState
from mykey_tui.card.live import SlotSeen, SlotsNow, SlotWord
from mykey_tui.reader.card_file import CardFile, Fault, FaultName
from mykey_tui.reader.emulator import EmulatedReader
from mykey_tui.reader.live import EmulatedSlots, LiveSlots
from mykey_tui.simulated.foreign import felica_card
from tests.unit.reader.scripted_service import ScriptedService

SONY, ACS = "SONY FeliCa RC-S300/S (0812345) 00 00", "ACS ACR122U PICC Interface 01 00"


def test_all_readers_are_told_with_their_cards_and_without_their_numbers(card: CardFile) -> None:
    service = ScriptedService(SONY, ACS)
    service.lay(ACS, felica_card())
    now = LiveSlots(service).look(1.0)
    assert now.state is ReaderState.READY
    assert now.slots == (
        SlotSeen("SONY FeliCa RC-S300/S", (SlotWord.EMPTY,)),
        SlotSeen(
            "ACS ACR122U PICC Interface",
            (SlotWord.CARD,),
            "3B8F8001804F0CA00000030611003B0000000042",
        ),
    )


def test_a_look_blocks_until_something_changes(card: CardFile) -> None:
    service = ScriptedService(SONY)
    slots = LiveSlots(service)
    assert slots.look(1.0).slots[0].words == (SlotWord.EMPTY,)
    begun = time.monotonic()
    threading.Timer(0.2, lambda: service.lay(SONY, card)).start()
    while slots.look(5.0).slots[0].words != (SlotWord.CARD,):
        assert time.monotonic() - begun < 5
    assert 0.15 < time.monotonic() - begun < 3


def test_readers_that_come_and_go_are_seen() -> None:
    service = ScriptedService(SONY)
    slots = LiveSlots(service)
    assert len(slots.look(0.2).slots) == 1
    service.plug(ACS)
    assert len(slots.look(0.2).slots) == 2
    service.unplug(SONY)
    service.unplug(ACS)
    assert slots.look(0.2) == SlotsNow(ReaderState.NO_READER)


def test_a_service_that_is_away_is_said_without_spinning_and_is_found_again() -> None:
    service = ScriptedService(SONY)
    slots = LiveSlots(service)
    slots.look(0.1)
    service.stop()
    begun = time.monotonic()
    assert slots.look(0.3).state is ReaderState.NO_SERVICE
    assert time.monotonic() - begun >= 0.25
    service.start()
    assert slots.look(0.3).state is ReaderState.READY


def test_a_service_that_refuses_this_user_is_said() -> None:
    service = ScriptedService(SONY)
    service.denied = True
    assert LiveSlots(service).look(0.1).state is ReaderState.DENIED


def test_a_mute_card_is_told_from_one_that_answers() -> None:
    service = ScriptedService(SONY)
    service.lay(
        SONY, CardFile(kind=felica_card().kind, name="mute", atr=b"", fault=Fault(FaultName.MUTE))
    )
    assert LiveSlots(service).look(0.1).slots[0].words == (SlotWord.MUTE,)


def test_the_virtual_reader_is_told_in_the_same_words(card: CardFile) -> None:
    reader = EmulatedReader()
    slots = EmulatedSlots(reader)
    assert slots.look(0.1).slots[0].words == (SlotWord.EMPTY,)
    reader.insert(card)
    seen = slots.look(0.1).slots[0]
    assert seen.words == (SlotWord.CARD,)
    assert seen.atr.startswith("3B")
    begun = time.monotonic()
    slots.look(0.2)
    assert time.monotonic() - begun >= 0.15, "nothing new: it does not spin"
