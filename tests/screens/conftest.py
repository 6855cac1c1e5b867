"""The counter's app on fakes, driven by Textual's pilot at 80x24."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest
import pytest_textual_snapshot as snapshots
from textual.pilot import Pilot

from mykey_tui.app import MyKeyApp
from mykey_tui.flows.desk_events import CounterEvent
from mykey_tui.i18n.catalog import Language
from mykey_tui.screens.profile import RICH, RenderProfile, console
from tests.screens.fakes import Fakes

# syrupy 5 renamed `_file_extension`; pytest-textual-snapshot 1.1.0 still sets the old name.
snapshots.SVGImageExtension.file_extension = "svg"

CONSOLE = console("profile.why.term")
SIZE = (80, 24)
_TRIES = 200
_STEP_SECONDS = 0.02


@dataclass
class Counter:
    """A running app, its fakes, and the hands of a clerk."""

    app: MyKeyApp
    fakes: Fakes
    pilot: Pilot[None]

    @property
    def rows(self) -> list[str]:
        strips = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip).rstrip() for strip in strips]

    @property
    def text(self) -> str:
        return "\n".join(self.rows)

    async def shows(self, *words: str) -> None:
        """Wait until all `words` can be read; fail with the screen otherwise."""
        for _ in range(_TRIES):
            await self.pilot.pause(_STEP_SECONDS)
            if all(word in self.text for word in words):
                return
        missing = [word for word in words if word not in self.text]
        pytest.fail(f"{missing} never appeared on:\n{self.text}")

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(_TRIES):
            await self.pilot.pause(_STEP_SECONDS)
            if condition():
                return
        pytest.fail(f"it never happened; the screen is:\n{self.text}")

    async def happens(self, *events: CounterEvent) -> None:
        for event in events:
            self.app.emit(event)
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        """Press keys as slowly as a person: a burst would be a scan."""
        for key in keys:
            await self.pilot.press(key)
            if len(key) == 1:
                await self.pilot.pause(0.06)
        await self.pilot.pause()


Start = Callable[..., AbstractAsyncContextManager[Counter]]


@pytest.fixture
def start() -> Start:
    """Run the app: `async with start(fakes, ...) as counter`."""

    @asynccontextmanager
    async def run(
        fakes: Fakes | None = None,
        *,
        language: Language = Language.JAPANESE,
        profile: RenderProfile = RICH,
        simulated: bool = True,
        size: tuple[int, int] = SIZE,
        ready: bool = True,
    ) -> AsyncIterator[Counter]:
        given = fakes or Fakes()
        app = MyKeyApp(
            given.build,
            language=language,
            profile=profile,
            simulated=simulated,
            technician=lambda: given.technician,
        )
        async with app.run_test(size=size) as pilot:
            counter = Counter(app, given, pilot)
            if ready:
                await counter.until(lambda: app.services is not None and app.status is not None)
            yield counter

    return run


Settle = Callable[[Pilot[None]], Awaitable[None]]
