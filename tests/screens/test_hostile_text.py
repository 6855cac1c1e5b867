"""Text from outside on every screen: nothing reaches the terminal, no markup lives, no crash."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from mykey_tui.card.connection import ReaderState
from mykey_tui.card.live import SlotSeen, SlotsNow, SlotWord
from mykey_tui.diagnostics.finding import Finding, State
from mykey_tui.diagnostics.layer import Layer
from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import ServiceId
from mykey_tui.flows.desk_events import (
    CardShown,
    CardTaken,
    LinkFinished,
    LookedUp,
    ReaderIs,
    ServiceCardSeen,
)
from mykey_tui.flows.outcomes import (
    HandOver,
    Linked,
    NotLinked,
    NotLoaded,
    QueueItem,
    QueueState,
    ServiceCardRead,
    Stopped,
    Unconfirmed,
)
from mykey_tui.flows.services import SampleCard, Trace
from mykey_tui.flows.soak import ReaderInTest, Soak, Tap
from mykey_tui.i18n.catalog import Catalog, Language
from mykey_tui.screens.card_view import card_stage
from mykey_tui.screens.doctor_live_view import live_stage
from mykey_tui.screens.doctor_taps_view import TapsShown, taps_stage
from mykey_tui.screens.doctor_view import Examined, doctor_stage
from mykey_tui.screens.host import Face
from mykey_tui.screens.item_view import Way, item_stage
from mykey_tui.screens.layout import STAGE_HEIGHT, STAGE_WIDTH
from mykey_tui.screens.link_view import LinkState, Step, link_stage
from mykey_tui.screens.profile import RICH, RenderProfile
from mykey_tui.screens.queue_view import queue_stage
from mykey_tui.screens.reception_view import reception
from mykey_tui.screens.theme import drawn
from mykey_tui.screens.tray import tray_stage
from tests.screens.conftest import CONSOLE, Counter, Start
from tests.screens.fakes import DETAIL, STATUS, FakeDemo, Fakes, found, identified

HOSTILE: list[str] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "hostile-strings.json").read_text()
)
MARKUP = [text for text in HOSTILE if text.startswith("[") and text.isascii()]
FACTS = ("reader", "reason", "programs", "version", "usb_id", "distribution", "date", "ms")
CANARY = "Kanarie"
_ACTING = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})


def assert_harmless(counter: Counter) -> None:
    for row in counter.rows:
        acting = [hex(ord(sign)) for sign in row if unicodedata.category(sign) in _ACTING]
        assert not acting, row


def fed_with(text: str) -> Fakes:
    demo = FakeDemo(samples=(SampleCard("1", text, text, text, text),))
    fakes = Fakes(demo=demo)
    fakes.counter.now = replace(
        STATUS, provider_name=text, counter_name=text, reader_name=text, reader=ReaderState.READY
    )
    fakes.counter.items = [
        QueueItem(1, text, text, 1.0, QueueState.WAITING, None),
        QueueItem(2, text, text, None, QueueState.CONFLICT, Code.LINK_DUPLICATE, text),
    ]
    return fakes


@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
@pytest.mark.parametrize("profile", [RICH, CONSOLE], ids=lambda profile: profile.render.value)
def test_no_view_lets_hostile_text_through(hostile: str, profile: RenderProfile) -> None:
    text = CANARY + hostile
    face = Face(Catalog(Language.ENGLISH), profile)
    item = QueueItem(1, text, text, 1.0, QueueState.WAITING, None)
    refused = QueueItem(2, text, text, None, QueueState.CONFLICT, Code.LINK_DUPLICATE, text)
    values = {"hours": text, "rows": text, "count": text}
    detail = replace(DETAIL, issuer=text, random_string=text, terminal_code=text)
    link = LinkState(step=Step.REGISTER, my_key_id=text, number=text)
    card = SampleCard(text, text, text, text, text)
    status = replace(STATUS, provider_name=text, counter_name=text)
    finding = Finding(Layer.USB, State.FAULT, Code.USB_POWER, dict.fromkeys(FACTS, text))
    note = Finding(Layer.USB, State.OK, facts=dict.fromkeys(FACTS, text))
    tested = ReaderInTest(text, text, (text, text), text)
    slots = tuple(SlotSeen(text, (SlotWord.CARD,), text) for _ in range(9))
    soak = Soak(1)
    soak.add(Tap(1.0))
    stages = (
        reception(found(text, HandOver(Code.HANDED_OVER, text)), face, card_lies=True),
        reception(Stopped(Code.CERTIFICATE_EXPIRED, {"date": text}), face, card_lies=True),
        reception(Linked(Code.LINKED, ServiceId(text), 0), face, card_lies=True),
        link_stage(link, status, face, card_lies=False),
        queue_stage([item], 0, face),
        item_stage(refused, None, face),
        *(item_stage(refused, way, face) for way in Way),
        reception(Unconfirmed(identified(), Code.ROWS_OLD, values), face, card_lies=True),
        reception(NotLoaded(identified(), values), face, card_lies=False),
        card_stage(detail, face, reading=False),
        doctor_stage(Examined(found=dict.fromkeys(Layer, finding)), face),
        doctor_stage(Examined(found={Layer.USB: note}), face),
        taps_stage(TapsShown(soak.figures, Tap(1.0)), tested, face, card_lies=True),
        live_stage(SlotsNow(ReaderState.READY, slots), Tap(1.0), Trace(True, [text] * 9), face),
        tray_stage([card], 0, None, face),
    )
    for stage in stages:
        shown = drawn(stage, profile, STAGE_WIDTH).plain
        acting = [hex(ord(sign)) for sign in shown if unicodedata.category(sign) in _ACTING]
        assert set(acting) <= {"0xa"}, "our own line ends alone"
        assert shown.count("\n") == STAGE_HEIGHT - 1
        assert all(cell_len(row) == STAGE_WIDTH for row in shown.split("\n"))


@pytest.mark.parametrize("hostile", HOSTILE[::8], ids=ascii)
async def test_no_screen_passes_hostile_text_to_the_terminal(start: Start, hostile: str) -> None:
    text = CANARY + hostile
    async with start(fed_with(text)) as counter:
        await counter.shows(CANARY)
        assert_harmless(counter)
        for outcome in (
            found(text),
            Stopped(Code.CERTIFICATE_EXPIRED, {"date": text}),
            NotLinked(identified()),
        ):
            await counter.happens(LookedUp(outcome))
            assert_harmless(counter)
        await counter.happens(ReaderIs(ReaderState.READY, text), CardTaken())
        await counter.press("f2")
        await counter.happens(LookedUp(NotLinked(identified())))
        await counter.happens(
            ServiceCardSeen(Stopped(Code.SERVICE_ID_MALFORMED, {"position": text}))
        )
        await counter.shows("S-FMT", CANARY)
        assert_harmless(counter)
        await counter.happens(ServiceCardSeen(ServiceCardRead(ServiceId(text))))
        assert_harmless(counter)
        await counter.press("enter")
        await counter.happens(LinkFinished(Linked(Code.LINKED, ServiceId(text), 0)))
        await counter.shows(CANARY)
        assert_harmless(counter)
        await counter.press("escape", "f3")
        await counter.shows("送信待ち 1   保留 0   競合 1")
        assert_harmless(counter)
        await counter.press("down", "enter", "c")
        await counter.shows("置き換えますか", CANARY)
        assert_harmless(counter)
        await counter.press("escape", "escape")
        await counter.press("escape", "f4")
        await counter.happens(CardShown(replace(DETAIL, issuer=text, random_string=text)))
        await counter.shows(CANARY)
        assert_harmless(counter)
        await counter.press("escape", "f8")
        await counter.shows(CANARY)
        assert_harmless(counter)


@pytest.mark.parametrize("markup", MARKUP)
async def test_markup_is_shown_as_it_is_written(start: Start, markup: str) -> None:
    async with start() as counter:
        await counter.happens(LookedUp(found(markup)))
        shown = "".join("".join(counter.text.split()))
        assert "".join(markup.split()) in shown


async def test_a_console_shows_ascii_whatever_it_is_given(start: Start) -> None:
    async with start(fed_with("さくらα"), profile=CONSOLE) as counter:
        await counter.happens(LookedUp(found("会員αβ12")))
        await counter.shows("1 2")
        assert counter.text.isascii()
