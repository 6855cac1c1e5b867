"""Each screen at 80x24 as it is drawn: Japanese, English, and the console's ASCII."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from mykey_tui.app import MyKeyApp
from mykey_tui.card.connection import ReaderState
from mykey_tui.diagnostics.layer import Layer
from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import ServiceId
from mykey_tui.flows.desk_events import (
    CardShown,
    CardTaken,
    CounterEvent,
    LinkFinished,
    LookedUp,
    ReaderIs,
    ReadingStarted,
    Scanned,
    ServiceCardSeen,
    TapDone,
)
from mykey_tui.flows.outcomes import (
    LineState,
    Linked,
    Loading,
    NotLinked,
    NotLoaded,
    PinWanted,
    ServiceCardRead,
    Stopped,
    Unconfirmed,
)
from mykey_tui.flows.soak import Tap
from mykey_tui.i18n.catalog import Language
from mykey_tui.screens.profile import RICH, RenderProfile
from tests.screens.conftest import CONSOLE, SIZE
from tests.screens.fakes import (
    DETAIL,
    HEALTHY,
    QUEUE,
    STATUS,
    STOPPED,
    FakeDemo,
    Fakes,
    fault,
    found,
    identified,
)

Step = str | CounterEvent
LOST_LINE = replace(
    STATUS,
    line=LineState.DOWN,
    line_since_seconds=11520.0,
    waiting=4,
    unsent=4,
    oldest_seconds=7200.0,
)
OLD_ROWS = replace(
    LOST_LINE,
    line_since_seconds=108000.0,
    revocation_age_seconds=108000.0,
    age_code=Code.ROWS_OLD,
)
FIRST_LOAD = replace(
    STATUS,
    rows=0,
    revocation_age_seconds=None,
    age_code=Code.ROWS_LOADING,
    loading=Loading(45_000, 45),
)
NO_SERVICE = replace(STATUS, reader=ReaderState.NO_SERVICE, reader_name="")
TROUBLE = replace(STATUS, line=LineState.BROKEN, line_code=Code.SERVER_BROKEN, attention=3)
STUCK = replace(STATUS, waiting=1, unsent=2, attention=4, oldest_seconds=7200.0)
OF_OLD_ROWS = {"hours": "30", "count": "12", "rows": "0"}
NOT_LINKED: tuple[Step, ...] = (ReadingStarted(), LookedUp(NotLinked(identified())), CardTaken())
STEP_TWO: tuple[Step, ...] = (*NOT_LINKED, "enter")
NUMBER = ServiceId("2802121234")

TAPPED: tuple[Step, ...] = (
    *(TapDone(Tap(200.0 + n)) for n in range(20)),
    TapDone(Tap(code=Code.CARD_REMOVED)),
    TapDone(Tap(code=Code.CARD_MUTE)),
)
TRACED = (
    "+0.000 > 00a4040c 0ad392f000260100000001",
    "+0.021 < 0 bytes, 9000",
    "+0.022 > 00a4020c 02000a",
    "+0.043 < 0 bytes, 9000",
    "+0.044 > 00b00000 04",
    "+0.065 < 4 bytes, 9000",
)
FINDINGS = {
    "doctor-healthy": HEALTHY,
    "doctor-long": fault(Layer.PERMISSION, Code.READER_DENIED),
}

SCREENS: dict[str, tuple[Step, ...]] = {
    "waiting": (),
    "reading": (ReadingStarted(),),
    "found": (ReadingStarted(), LookedUp(found())),
    "not-linked": NOT_LINKED,
    "suspended": (LookedUp(Stopped(Code.SUSPENDED)),),
    "link-step-two": STEP_TWO,
    "link-step-three": (*STEP_TWO, ServiceCardSeen(ServiceCardRead(NUMBER))),
    "link-queued": (
        *STEP_TWO,
        ServiceCardSeen(ServiceCardRead(NUMBER)),
        "enter",
        LinkFinished(Linked(Code.LINK_QUEUED, NUMBER, 5)),
    ),
    "queue": ("f3", "down"),
    "conflict": ("f3", "down", "down", "enter"),
    "conflict-replace": ("f3", "down", "down", "enter", "c"),
    "number-taken": ("f3", "down", "down", "down", "enter"),
    "old-rows": (
        ReadingStarted(),
        LookedUp(Unconfirmed(identified(), Code.ROWS_OLD, OF_OLD_ROWS)),
        CardTaken(),
    ),
    "first-load": (
        ReadingStarted(),
        LookedUp(NotLoaded(identified(), {"hours": "0", "count": "1", "rows": "45000"})),
        CardTaken(),
    ),
    "server-trouble": (),
    "pin": (ReadingStarted(), LookedUp(PinWanted(identified(), 3)), "7", "3"),
    "pin-wrong": (
        ReadingStarted(),
        LookedUp(PinWanted(identified(), 3)),
        LookedUp(Stopped(Code.PIN_WRONG, {"count": "2"})),
    ),
    "pin-last": (ReadingStarted(), LookedUp(PinWanted(identified(), 1)), "l", "a"),
    "pin-locked": (ReadingStarted(), LookedUp(PinWanted(identified(), 0))),
    "card": ("f4", ReadingStarted(), CardShown(DETAIL)),
    "doctor": ("f12",),
    "doctor-healthy": ("f12",),
    "doctor-long": ("f12",),
    "taps": ("f12", "t", *TAPPED),
    "taps-dead": (ReaderIs(ReaderState.HUNG, "Sony"), "f12", "t"),
    "live": ("f12", "l", "a", TapDone(Tap(212.0))),
    "scan": ("f12", "b", Scanned("28021-B77"), Scanned("A37859+B")),
    "help": ("f1",),
    "tray": ("f8",),
    "tour": ("f7",),
    "leave": ("f10",),
}
STATUSES = {
    "doctor": NO_SERVICE,
    "doctor-healthy": STATUS,
    "link": LOST_LINE,
    "queue": LOST_LINE,
    "conflict": STUCK,
    "number": STUCK,
    "old": OLD_ROWS,
    "first": FIRST_LOAD,
    "server": TROUBLE,
    "leave": LOST_LINE,
}
FACES: dict[str, tuple[Language, RenderProfile]] = {
    "ja": (Language.JAPANESE, RICH),
    "en": (Language.ENGLISH, RICH),
    "console": (Language.ENGLISH, CONSOLE),
}


def counter(face: str, screen: str) -> MyKeyApp:
    fakes = Fakes(demo=FakeDemo())
    fakes.counter.items = QUEUE
    fakes.counter.now = STATUSES.get(screen) or STATUSES.get(screen.partition("-")[0], STATUS)
    language, profile = FACES[face]
    fakes.technician.lines = TRACED
    if screen.startswith("doctor"):
        fakes.technician.findings = FINDINGS.get(screen, STOPPED)
    return MyKeyApp(
        fakes.build,
        language=language,
        profile=profile,
        simulated=True,
        technician=lambda: fakes.technician,
    )


def walked(steps: tuple[Step, ...]) -> Callable[[Pilot[Any]], Awaitable[None]]:
    async def walk(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, MyKeyApp)
        for _ in range(100):
            if app.services is not None and app.status is not None:
                break
            await pilot.pause(0.02)
        for step in steps:
            if isinstance(step, str):
                await pilot.press(step)
            else:
                app.emit(step)
            await pilot.pause(0.05)
        await pilot.pause(0.2)

    return walk


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("screen", SCREENS)
def test_the_screen_is_drawn_as_agreed(snap_compare: Any, screen: str, face: str) -> None:
    assert snap_compare(
        counter(face, screen), terminal_size=SIZE, run_before=walked(SCREENS[screen])
    )
