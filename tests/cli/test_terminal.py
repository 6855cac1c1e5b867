"""A screen needs a terminal, and leaves it as it was however it is ended."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

END_SECONDS = 15.0
_ENTER_FULL_SCREEN, _LEAVE_FULL_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"


class Painted:
    """A program with a terminal of its own, and what it painted so far."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mykey_tui.cli", "run", "--home", str(home)],
            stdin=slave,
            stdout=subprocess.DEVNULL,
            stderr=slave,
            env=environment | {"TERM": "xterm-256color"},
            start_new_session=True,
        )
        os.close(slave)
        self.bytes = b""

    def read_until(self, wanted: bytes) -> None:
        deadline = time.monotonic() + END_SECONDS
        while wanted not in self.bytes:
            assert time.monotonic() < deadline, self.bytes[-2000:]
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.bytes += os.read(self.master, 65536)
                except OSError:  # The program's end of it is closed.
                    assert wanted in self.bytes
                    return

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.master >= 0:
            os.close(self.master)


@pytest.fixture
def painted(tmp_path: Path, commands: Any) -> Iterator[Painted]:
    """The counter's screen over a home that was never enrolled, once it says so."""
    started = Painted(tmp_path, commands.environment())
    try:
        started.read_until(_ENTER_FULL_SCREEN)
        started.read_until(b"K-NONE")
        yield started
    finally:
        started.close()


@pytest.mark.parametrize("arguments", [(), ("run",), ("run", "--json"), ("demo",)])
def test_a_screen_without_a_terminal_ends_at_once_with_a_sentence(
    said: Any, tmp_path: Path, arguments: Any
) -> None:
    answer = said(*arguments, "--home", tmp_path / "home")
    assert (answer.exit_code, answer.out) == (2, "")
    assert "terminal" in answer.err
    assert not (tmp_path / "home").exists()


def test_a_screen_that_is_terminated_gives_the_terminal_back(painted: Painted) -> None:
    painted.process.send_signal(signal.SIGTERM)
    painted.read_until(_LEAVE_FULL_SCREEN)
    assert painted.process.wait(END_SECONDS) == 128 + signal.SIGTERM
    assert b"X-BUG" not in painted.bytes


def test_a_screen_whose_terminal_goes_away_ends(painted: Painted) -> None:
    os.close(painted.master)
    painted.master = -1
    assert painted.process.wait(END_SECONDS) == 128 + signal.SIGHUP
