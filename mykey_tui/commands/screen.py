"""Opens the counter's screen, for `mykey` and for `mykey demo`. Light until the first paint."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from mykey_tui.commands.output import point_at_nothing
from mykey_tui.commands.terminal import ended_politely, hangup_noticed, require_terminal
from mykey_tui.flows.desk_events import CounterEvent
from mykey_tui.i18n.catalog import Language
from mykey_tui.screens.profile import detect, prepare_environment
from mykey_tui.settings import Settings

if TYPE_CHECKING:
    from mykey_tui.app import MyKeyApp
    from mykey_tui.composition.hands import Hands
    from mykey_tui.composition.running import RunningCounter
    from mykey_tui.flows.services import Services, TechnicianPort

_COULD_NOT = 3
"""The commands' contract knows no other code for a screen that failed."""


class LateCounter:
    """Imports and builds the counter when the screen asks for it, after the first paint."""

    def __init__(self, settings: Settings, hands: Callable[[], Hands] | None = None) -> None:
        self._settings = settings
        self._hands = hands
        self._running: RunningCounter | None = None

    def build(self, emit: Callable[[CounterEvent], None]) -> Services:
        """See `composition.running.RunningCounter.build`."""
        try:
            from mykey_tui.composition.hands import Hands  # noqa: PLC0415  # after the first paint
            from mykey_tui.composition.running import RunningCounter  # noqa: PLC0415  # the same

            if self._running is None:
                hands = self._hands() if self._hands is not None else Hands()
                self._running = RunningCounter(self._settings, hands)
            return self._running.build(emit)
        finally:
            # `cli.main` switched it off; what the imports left is for ever, so never looked at.
            gc.freeze()
            gc.enable()

    def technician(self) -> TechnicianPort | None:
        """What the doctor's screens ask; None until the reader is watched."""
        return self._running.technician if self._running is not None else None

    def close(self) -> None:
        """Let go of what was built."""
        if self._running is not None:
            self._running.close()


def run_screen(settings: Settings, counter: LateCounter, *, simulated: bool) -> int:
    """Paint until somebody ends it; returns the exit code.

    Raises:
        SettingsError: there is no terminal to paint on.
    """
    require_terminal()
    profile = detect(os.environ)
    prepare_environment(os.environ, profile)
    # Only now: Textual reads the environment when it is imported.
    from mykey_tui.app import MyKeyApp, run  # noqa: PLC0415
    from mykey_tui.commands.logs import LOG_NAME, log_to  # noqa: PLC0415
    from mykey_tui.commands.screen_alone import screen_alone  # noqa: PLC0415

    app = MyKeyApp(
        counter.build,
        language=Language(settings.language or Language.JAPANESE.value),
        profile=profile,
        simulated=simulated,
        log_path=settings.home / LOG_NAME,
        scan_gap_seconds=settings.scanner.gap_seconds,
        technician=counter.technician,
    )
    with log_to(settings.home), ended_politely(lambda: _leave(app)) as ending, hangup_noticed():
        try:
            with screen_alone():
                failed = run(app) != 0
        finally:
            counter.close()
    if ending.number == signal.SIGHUP:
        point_at_nothing(2)  # The terminal is gone, with what was still to be painted.
    if ending.number:
        return ending.exit_code
    return _COULD_NOT if failed else 0


def _leave(app: MyKeyApp) -> bool:
    """Ask a running screen to end as if somebody had closed it; False where none runs."""
    if not app.is_running:
        return False

    def ask() -> None:
        # It may be ending already, and then its loop takes nothing more.
        with suppress(RuntimeError):
            app.call_from_thread(app.quit)

    # Not on this thread: the signal interrupted the very loop that has to do it.
    threading.Thread(target=ask, name="leave", daemon=True).start()
    return True
