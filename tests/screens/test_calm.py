"""Calm and quick: nothing is written while nothing happens, nothing heavy is loaded to paint."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETTLE_SECONDS = 4.0
IDLE_SECONDS = 4.0
HEAVY = {
    "sqlmodel", "sqlalchemy", "httpx", "cryptography", "smartcard", "sqlcipher3", "msgspec",
    "http_message_signatures", "babel",
}  # fmt: skip


@contextmanager
def on_a_pty(term: str) -> Iterator[int]:
    """The fake counter on a pty of 80x24; yields the other end."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "tmux" / "fake_counter.py")],
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True, cwd=ROOT,
        env=os.environ | {"TERM": term, "LANG": "C.UTF-8"},
    )  # fmt: skip
    os.close(slave)
    try:
        yield master
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
        os.close(master)


def read_for(master: int, seconds: float) -> bytes:
    """All bytes that come within `seconds`."""
    data = b""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([master], [], [], left)[0]:
            data += os.read(master, 65536)
    return data


@pytest.mark.parametrize("term", ["xterm-256color", "linux"])
def test_an_idle_screen_writes_nothing_to_the_terminal(term: str) -> None:
    with on_a_pty(term) as master:
        started = read_for(master, SETTLE_SECONDS)
        assert b"SIMULATED" in started, "the canary: the screen was painted"
        assert read_for(master, IDLE_SECONDS) == b""


def test_an_input_that_waits_does_not_blink() -> None:
    with on_a_pty("xterm-256color") as master:
        read_for(master, SETTLE_SECONDS)
        shown = b""
        for keys in (b"8", b"2", b"\r"):
            os.write(master, keys)
            shown += read_for(master, 1.0)
        assert "【待っています】".encode() in shown, "the canary: the field is there"
        assert read_for(master, IDLE_SECONDS) == b""


def test_a_linux_console_is_asked_nothing_at_the_start() -> None:
    with on_a_pty("linux") as master:
        started = read_for(master, SETTLE_SECONDS)
    assert b"$p" not in started, "a mode query"
    assert b"\x1b[>" not in started, "the kitty keyboard protocol"
    assert b"\x1b[?1003h" not in started, "the mouse"


def test_no_screen_loads_what_is_heavy() -> None:
    screens = sorted(path.stem for path in (ROOT / "mykey_tui" / "screens").glob("[a-z]*.py"))
    imports = ", ".join(f"mykey_tui.screens.{name}" for name in screens)
    program = f"import sys, mykey_tui.app, {imports}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stdout.split())
    assert "mykey_tui.screens.link" in loaded, "the canary"
    assert not loaded & HEAVY


def test_choosing_the_way_of_drawing_loads_no_textual() -> None:
    program = "import sys, mykey_tui.screens.profile; assert 'textual' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
