"""Hand-over to a program: the service ID on its standard input, its exit code is the answer."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import HandOverError
from mykey_tui.domain.ids import ServiceId
from mykey_tui.handover.port import TEST_VALUE, outgoing

TIMEOUT_SECONDS_MAX = 30.0
"""A person stands at the counter; nobody waits longer."""
REAP_SECONDS = 2.0
"""How long a killed program may take to be gone; one stuck in the kernel is left behind."""

_OWN_VARIABLES = ("MYKEY_", "CREDENTIALS_DIRECTORY")
"""Where our own secrets are found; the other program has no business there."""


class RunCommand:
    """Starts a program for each service ID, without a shell, and waits for it.

    Exit code 0 means handed over. What the program prints goes nowhere: it could fill memory, act
    on the terminal, or bring a person's data back.
    """

    name = "command"

    def __init__(self, argv: Sequence[str], *, timeout_seconds: float) -> None:
        if not argv or not 0 < timeout_seconds <= TIMEOUT_SECONDS_MAX:
            raise ValueError(f"a program, and a time of at most {TIMEOUT_SECONDS_MAX} seconds")
        self._argv = tuple(argv)
        self._timeout_seconds = timeout_seconds

    def send(self, service_id: ServiceId) -> None:
        """Run the program once with `service_id` and a newline on its standard input.

        Raises:
            HandOverError: H-CMD when it cannot be started or exits with another code than 0;
                H-TIME when it takes too long: it is then killed, with all that it started.
        """
        line = outgoing(service_id, Code.HANDOVER_COMMAND).encode("ascii") + b"\n"
        process = self._start()
        try:
            _feed(process, line)
            exit_code = process.wait(self._timeout_seconds)
        except subprocess.TimeoutExpired:
            raise HandOverError(Code.HANDOVER_TIMEOUT) from None
        finally:
            _end(process)
        if exit_code != 0:
            raise HandOverError(Code.HANDOVER_COMMAND, f"exit code {exit_code}")

    def send_test(self) -> None:
        """Run the program once with `TEST_VALUE`. Raises `HandOverError` like `send`."""
        self.send(TEST_VALUE)

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(_OWN_VARIABLES)
        }
        try:
            return subprocess.Popen(  # noqa: S603  # a list set by the operator, never a shell
                self._argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,  # A group of its own, so that all of it can be killed.
            )
        except (OSError, ValueError) as error:
            raise HandOverError(Code.HANDOVER_COMMAND, type(error).__name__) from error


def _feed(process: subprocess.Popen[bytes], line: bytes) -> None:
    """Write the line and close. It fits the pipe's buffer, so this cannot block."""
    if process.stdin is None:
        raise HandOverError(Code.HANDOVER_COMMAND, "no standard input")
    # A program may end without reading; then its exit code speaks.
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(line)
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the program's whole group if it still runs, and collect it."""
    if process.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(REAP_SECONDS)
