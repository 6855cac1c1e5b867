"""The demo's own server: a process that never outlives the demo, and its command line."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mykey_tui.domain.errors import MyKeyError

READY_SECONDS = 20.0
"""A slow box under load; usually it is one or two."""
COMMAND_SECONDS = 20.0
STOP_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1
_MODULE = (sys.executable, "-m", "mykey_server")
"""A process of its own: the counter never imports the server."""


class DemoError(MyKeyError):
    """The demo could not be set up; `step` is a name for whoever reports it."""

    def __init__(self, step: str) -> None:
        super().__init__(f"demo: {step}")
        self.step = step


class DemoServer:
    """`mykey-server serve` on a loopback port. A context manager; `url` once it is ready."""

    def __init__(self, database: Path, *, port: int = 0) -> None:
        self.database = database
        self.url = ""
        self._port = port
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Start the process; `wait_until_ready` says where it listens."""
        self._process = subprocess.Popen(  # noqa: S603  # our own module, our own arguments
            [*_MODULE, "serve", "--db", str(self.database), "--listen", f"127.0.0.1:{self._port}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            # A group of its own: Ctrl-C in the terminal is the screen's affair.
            start_new_session=True,
            preexec_fn=_end_with_parent(),  # noqa: PLW1509  # no other thread runs yet
        )
        return self

    def wait_until_ready(self) -> None:
        """Read the address from the server's first line. Raises `DemoError`."""
        process = self._process
        if process is None or process.stdout is None:
            raise DemoError("serve")
        # The process is ended when it does not speak in time, which ends the reading.
        watchdog = threading.Timer(READY_SECONDS, process.kill)
        watchdog.start()
        try:
            line = process.stdout.readline()
        finally:
            watchdog.cancel()
        try:
            self.url = str(json.loads(line)["url"])
        except (ValueError, KeyError, TypeError) as error:
            raise DemoError("serve") from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process, gently first."""
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def command(self, *arguments: str) -> Any:  # noqa: ANN401  # JSON
        """Run one `mykey-server` command and return its JSON. Raises `DemoError`."""
        try:
            done = subprocess.run(  # noqa: S603  # our own module, our own arguments
                [*_MODULE, *arguments, "--db", str(self.database)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=COMMAND_SECONDS,
                check=True,
            )
            return json.loads(done.stdout)
        except (subprocess.SubprocessError, ValueError) as error:
            raise DemoError(" ".join(arguments[:2])) from error


def _end_with_parent() -> Callable[[], None] | None:
    """Have the kernel end the server when the demo dies, however it dies (Linux)."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def in_child() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # It died in between.
            os._exit(0)

    return in_child
