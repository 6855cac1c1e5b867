"""`mykey` and `mykey run`: the counter's screen."""

from __future__ import annotations

import argparse

from mykey_tui.commands.screen import LateCounter, run_screen
from mykey_tui.settings import ReaderKind, load_settings


def run(arguments: argparse.Namespace) -> int:
    """Open the screen; nothing heavy is imported before the first paint."""
    settings = load_settings(
        home=getattr(arguments, "home", None), reader=getattr(arguments, "reader", None)
    )
    simulated = settings.profile == "simulated" or settings.reader.kind is ReaderKind.EMULATOR
    return run_screen(settings, LateCounter(settings), simulated=simulated)
