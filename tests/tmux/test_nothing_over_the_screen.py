"""Whatever prints, dies in a destructor or ends in a thread: the terminal gets the screen alone."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import pytest

from tests.tmux.conftest import Terminals

pytestmark = pytest.mark.tmux

PROGRAM = str(Path(__file__).parent / "noisy_counter.py")
NOISY_SECONDS = 2.0
SCREEN_BEGINS = "\x1b[?1049h"


def everything_written(terminals: Terminals, home: Path, guard: str, record: Path) -> str:
    """All that reached the terminal while the screen was up, as the bytes came."""
    command = [sys.executable, PROGRAM, guard, "--home", str(home), "--reader", "emulator:card"]
    terminal = terminals.start(command)
    terminal.tmux("pipe-pane", "-t", "t", f"cat > {record}")
    terminal.shows("受付")
    time.sleep(NOISY_SECONDS)
    assert "受付" in terminal.text
    written = record.read_text(errors="replace")
    terminal.press("F10", "Enter")
    assert terminal.ended() in (0, 3)
    return written.partition(SCREEN_BEGINS)[2]


def test_nothing_is_written_over_the_screen(terminals: Terminals, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    written = everything_written(terminals, home, "alone", tmp_path / "written")
    assert "受付" in written
    assert "NOISE" not in written
    assert "Traceback" not in written
    assert "Exception ignored" not in written
    log = (home / "counter.log").read_text()
    assert re.search(r"nobody could catch: RuntimeError at noisy_counter\.py:\d+ __del__", log)
    assert "A thread ended with a bug: RuntimeError at noisy_counter.py" in log
    assert "NOISE" not in log, "a message may quote what a card said"


def test_without_the_guard_the_noise_is_on_the_screen(terminals: Terminals, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    written = everything_written(terminals, home, "open", tmp_path / "written")
    assert {"NOISE-FD1", "NOISE-FD2", "NOISE-LIBC"} <= set(re.findall(r"NOISE-\w+", written))
