"""Starts a program in a pseudo-terminal of 80x24 and watches what it writes."""

from __future__ import annotations

import fcntl
import os
import pty
import resource
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

WAIT_SECONDS_MAX = 30.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Terminal:
    """A running program and its screen's bytes. Use as a context manager."""

    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    output: bytearray = field(default_factory=bytearray)

    def __enter__(self) -> Terminal:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        environment = (
            dict(os.environ)
            | {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
            | dict(self.environment)
        )
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            self.argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
        )
        os.close(slave)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._master)

    def seconds_until(self, mark: str) -> float:
        """Seconds from the start until `mark` was written. Raises `TimeoutError`."""
        wanted = mark.encode()
        while wanted not in self.output:
            late = time.monotonic() - self.started > WAIT_SECONDS_MAX
            if late or (not self._read(0.05) and self.process.poll() is not None):
                raise TimeoutError(f"{mark!r} was not written; last: {bytes(self.output[-300:])!r}")
        return time.monotonic() - self.started

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def bytes_in(self, seconds: float) -> int:
        """How many bytes the program writes in the next `seconds`."""
        before, end = len(self.output), time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._read(left)
        return len(self.output) - before

    def cpu_seconds(self) -> float:
        """Processor time used so far, user and system."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def peak_memory_mb(self) -> float:
        """Largest resident size so far, in 10^6 bytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise RuntimeError("this kernel does not report VmHWM")

    def _read(self, timeout: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], timeout)
        if not ready:
            return False
        try:
            chunk = os.read(self._master, 65536)
        except OSError:  # the other end closed: EIO on Linux
            return False
        self.output += chunk
        return bool(chunk)


def own_peak_memory_mb() -> float:
    """Largest resident size of this process so far, in 10^6 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
