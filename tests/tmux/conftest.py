"""A real terminal: the program in a tmux of its own, driven by keys and read as text."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

ROOT = Path(__file__).parents[2]
POLL_SECONDS = 0.05
WAIT_SECONDS = 20.0
ESCAPE_SECONDS = 0.3
ENDED = "ENDED:"
LINGER_SECONDS = 60
"""How long the pane stays readable after the program's end."""
TYPIST_SECONDS = 0.09
"""Between two keys of a slow typist; a scanner is ten times as quick."""


@dataclass(frozen=True)
class Terminal:
    """One tmux server with one 80x24 pane in it."""

    socket: str

    def tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-u", "-L", self.socket, "-f", "/dev/null", *arguments],
            env=os.environ | {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
        return done.stdout

    @property
    def text(self) -> str:
        return self.tmux("capture-pane", "-p", "-t", "t")

    @property
    def colours(self) -> str:
        return self.tmux("capture-pane", "-e", "-p", "-t", "t")

    def shows(self, *words: str, seconds: float = WAIT_SECONDS) -> str:
        """Wait until all `words` stand on the screen together; returns the screen."""
        end = time.monotonic() + seconds
        while True:
            text = self.text
            missing = [word for word in words if word not in text]
            if not missing:
                return text
            if time.monotonic() > end:
                pytest.fail(f"{missing} never appeared on:\n{text}")
            time.sleep(POLL_SECONDS)

    def press(self, *keys: str) -> None:
        """Named keys (`F2`, `Enter`, `Escape`), one at a time."""
        for key in keys:
            self.tmux("send-keys", "-t", "t", key)
            time.sleep(TYPIST_SECONDS)

    def leave_with_escape(self) -> None:
        """Escape, and long enough alone that nobody takes it for the start of another key."""
        self.press("Escape")
        time.sleep(ESCAPE_SECONDS)

    def type_slowly(self, text: str) -> None:
        for character in text:
            self.tmux("send-keys", "-l", "-t", "t", character)
            time.sleep(TYPIST_SECONDS)

    def scan(self, text: str) -> None:
        """As a scanner: all characters in one write, then Enter."""
        self.tmux("send-keys", "-l", "-t", "t", text, ";", "send-keys", "-t", "t", "Enter")

    def ended(self, seconds: float = WAIT_SECONDS) -> int:
        """Wait for the program's end; returns its exit code, which the shell around it prints."""
        text = self.shows(ENDED, seconds=seconds)
        return int(text.split(ENDED)[1].split()[0])


class Terminals:
    """Starts programs, each in a terminal of its own."""

    def __init__(self) -> None:
        self._started: list[Terminal] = []

    def start(
        self, command: Sequence[str], *, term: str = "xterm-256color", **environment: str
    ) -> Terminal:
        """Run `command` at 80x24 with this TERM; the pane stays after the program's end."""
        terminal = Terminal(f"mykey-{uuid4().hex[:12]}")
        self._started.append(terminal)
        settings = {"TERM": term, "LANG": "C.UTF-8", "TZ": "UTC", **environment}
        words = ["env", *(f"{name}={value}" for name, value in settings.items()), *command]
        shell = f"{shlex.join(words)}; echo {ENDED}$?; exec sleep {LINGER_SECONDS}"
        terminal.tmux(
            "new-session", "-d", "-x", "80", "-y", "24", "-s", "t", "-c", str(ROOT), shell, ";",
            "set", "-g", "escape-time", "10",
        )  # fmt: skip
        return terminal

    def close(self) -> None:
        for terminal in self._started:
            with suppress(subprocess.CalledProcessError):
                terminal.tmux("kill-server")


@pytest.fixture
def terminals() -> Iterator[Terminals]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    started = Terminals()
    try:
        yield started
    finally:
        started.close()


@pytest.fixture
def fake_counter() -> list[str]:
    """The command that opens the screen on fakes."""
    return [sys.executable, str(Path(__file__).parent / "fake_counter.py")]
