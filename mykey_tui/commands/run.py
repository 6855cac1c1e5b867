"""`mykey` and `mykey run`: the counter's screen."""

from __future__ import annotations

import argparse

from mykey_tui.commands.context import settings_asked
from mykey_tui.commands.screen import LateCounter, run_screen
from mykey_tui.settings import ReaderKind


def run(arguments: argparse.Namespace) -> int:
    """Open the screen; nothing heavy is imported before the first paint."""
    settings = settings_asked(arguments)
    simulated = settings.profile == "simulated" or settings.reader.kind is ReaderKind.EMULATOR
    return run_screen(settings, LateCounter(settings), simulated=simulated)
