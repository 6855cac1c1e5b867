"""Opens the counter's screen, for `mykey` and for `mykey demo`. Light until the first paint."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from mykey_tui.flows.desk_events import DeskEvent
from mykey_tui.flows.services import Services
from mykey_tui.i18n.catalog import Language
from mykey_tui.screens.profile import detect, prepare_environment
from mykey_tui.settings import Settings

if TYPE_CHECKING:
    from mykey_tui.composition import Hands, RunningCounter

LOG_NAME = "counter.log"


class LateCounter:
    """Imports and builds the counter when the screen asks for it, after the first paint."""

    def __init__(self, settings: Settings, hands: Callable[[], Hands] | None = None) -> None:
        self._settings = settings
        self._hands = hands
        self._running: RunningCounter | None = None

    def build(self, emit: Callable[[DeskEvent], None]) -> Services:
        """See `composition.RunningCounter.build`."""
        from mykey_tui.composition import Hands, RunningCounter  # noqa: PLC0415  # heavy

        if self._running is None:
            hands = self._hands() if self._hands is not None else Hands()
            self._running = RunningCounter(self._settings, hands)
        return self._running.build(emit)

    def close(self) -> None:
        """Let go of what was built."""
        if self._running is not None:
            self._running.close()


def run_screen(settings: Settings, counter: LateCounter, *, simulated: bool) -> int:
    """Paint until somebody ends it; returns the exit code."""
    profile = detect(os.environ)
    prepare_environment(os.environ, profile)
    # Only now: Textual reads the environment when it is imported.
    from mykey_tui.app import MyKeyApp, run  # noqa: PLC0415
    from mykey_tui.commands.logs import log_to  # noqa: PLC0415

    app = MyKeyApp(
        counter.build,
        language=Language(settings.language or Language.JAPANESE.value),
        profile=profile,
        simulated=simulated,
        log_path=settings.home / LOG_NAME,
    )
    with log_to(settings.home):
        try:
            return run(app)
        finally:
            counter.close()
