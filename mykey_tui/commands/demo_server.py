"""The demo's own server and its operator: two processes that never outlive the demo."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from mykey_tui.domain.errors import MyKeyError
from mykey_tui.domain.text import safe

ANSWER_SECONDS = 30.0
"""For the start of a process on a slow box under load; usually it is one or two."""
STOP_SECONDS = 5.0
LAST_WORDS_MAX = 2000
"""Bytes of the server's last words that are looked at."""
_PR_SET_PDEATHSIG = 1

_SERVE = ("-m", "mykey_server")
# The operator's command line, several commands in one process: each start of an interpreter with
# the server's libraries costs a second. One line in: the arguments. Two lines out: what the command
# prints, and its exit code.
_OPERATOR = (
    "-c",
    "import sys, json\n"
    "from mykey_server.cli import run\n"
    "import mykey_server.commands\n"
    "for line in sys.stdin:\n"
    "    print(json.dumps(run(json.loads(line))), flush=True)\n",
)


class DemoError(MyKeyError):
    """The demo could not be set up; `step` is a name for whoever reports it."""

    def __init__(self, step: str) -> None:
        super().__init__(f"demo: {step}")
        self.step = step


class DemoServer:
    """`mykey-server serve` on a loopback port, and an operator beside it. A context manager."""

    def __init__(self, database: Path, *, port: int = 0) -> None:
        self.url = ""
        """Set by `wait_until_ready`."""
        self._database = str(database)
        self._listen = f"127.0.0.1:{port}"
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as this
        """What the server says on standard error: a file, because nobody reads while it runs."""
        self._serving: subprocess.Popen[str] | None = None
        self._operating: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Start both; nothing is waited for yet."""
        arguments = ("serve", "--db", self._database, "--listen", self._listen)
        self._serving = _start(*_SERVE, *arguments, stderr=self._said.fileno())
        self._operating = _start(*_OPERATOR)
        return self

    def wait_until_ready(self) -> None:
        """Read the address from the server's first line. Raises `DemoError`."""
        line = _answer_of(self._serving)
        try:
            self.url = str(json.loads(line)["url"])
        except (ValueError, KeyError, TypeError) as error:
            raise DemoError(" ".join(["serve", self._last_words(line)]).strip()) from error

    def _last_words(self, line: str) -> str:
        """Why the server did not start, as far as it said; one line, safe to show."""
        self._said.seek(0)
        said = self._said.read()[-LAST_WORDS_MAX:].decode(errors="replace")
        return safe(f"{line.strip()} {said.strip()}".strip(), 300)

    def command(self, *arguments: str) -> Any:  # noqa: ANN401  # JSON
        """Run one `mykey-server` command and return its JSON. Raises `DemoError`."""
        step = " ".join(arguments[:2])
        operator = self._operating
        try:
            if operator is None or operator.stdin is None:
                raise DemoError(step)
            operator.stdin.write(json.dumps([*arguments, "--db", self._database]) + "\n")
            operator.stdin.flush()
            printed, exit_code = _answer_of(operator), _answer_of(operator)
            if json.loads(exit_code) != 0:
                raise DemoError(step)
            return json.loads(printed)
        except (OSError, ValueError) as error:
            raise DemoError(step) from error

    def dismiss_operator(self) -> None:
        """No more commands: the operator's process and its memory go."""
        if self._operating is not None:
            _end(self._operating)
            self._operating = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End both, gently first."""
        processes = [p for p in (self._operating, self._serving) if p is not None]
        for process in processes:
            process.terminate()
        for process in processes:
            _end(process)
        self._said.close()


def _end(process: subprocess.Popen[str]) -> None:
    """End a process, gently first, and close its pipes."""
    process.terminate()
    try:
        process.communicate(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _start(*arguments: str, stderr: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    """A process of its own: the counter never imports the server."""
    return subprocess.Popen(  # noqa: S603  # our own module, our own arguments
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        encoding="utf-8",
        # A group of its own: Ctrl-C in the terminal is the screen's affair.
        start_new_session=True,
        preexec_fn=_end_with_parent(),  # noqa: PLW1509  # no other thread runs yet
    )


def _answer_of(process: subprocess.Popen[str] | None) -> str:
    """One line; empty when the process ended, or did not answer in time and was ended."""
    if process is None or process.stdout is None:
        return ""
    watchdog = threading.Timer(ANSWER_SECONDS, process.kill)
    watchdog.start()
    try:
        return process.stdout.readline()
    finally:
        watchdog.cancel()


def _end_with_parent() -> Callable[[], None] | None:
    """Have the kernel end the child when the demo dies, however it dies (Linux)."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def in_child() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # It died in between.
            os._exit(0)

    return in_child
