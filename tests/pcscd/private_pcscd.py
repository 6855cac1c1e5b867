"""A pcscd of our own with vpcd's two slots, in namespaces of its own: nothing is exposed.

Clients of this process reach it through PCSCLITE_CSOCK_NAME, which libpcsclite reads once per
process: one `PrivatePcscd` per process, and its variable set before the first PC/SC call.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType

SLOTS = ((0x8C7B, "Virtual PCD 00 00"), (0x8C7C, "Virtual PCD 00 01"))
"""Port and reader name of each of vpcd's slots; there are never more than two."""
DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
_ANSWER_SECONDS = 20.0
_CONFIGURATION = """FRIENDLYNAME "Virtual PCD"
DEVICENAME /dev/null:0x8C7B
LIBPATH {driver}
CHANNELID 0x8C7B
"""


class CannotRunError(Exception):
    """pcscd cannot run here; the text says why, for the skip."""


def why_not() -> str | None:
    """What is missing on this machine, or None."""
    for program in ("pcscd", "unshare", "mount"):
        if shutil.which(program, path=_search_path()) is None:
            return f"the program {program} is not installed"
    if not DRIVER.exists():
        return f"the vpcd driver is not installed ({DRIVER})"
    if subprocess.run([*_unshare(), "true"], check=False, capture_output=True).returncode:
        return "no network namespace may be made here, and without one vpcd would be exposed"
    return None


class PrivatePcscd:
    """Started by entering it; `directory` must be short (it holds a socket) and empty."""

    def __init__(self, directory: Path) -> None:
        reason = why_not()
        if reason is not None:
            raise CannotRunError(reason)
        self.directory = directory
        self.socket_path = directory / "run" / "pcscd" / "pcscd.comm"
        self.running = False
        self._one_request = threading.Lock()

    def __enter__(self) -> PrivatePcscd:
        for name in ("run", "slots", "no-slots", "no-drivers"):
            (self.directory / name).mkdir()
        (self.directory / "slots" / "vpcd").write_text(_CONFIGURATION.format(driver=DRIVER))
        self._door, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._door.settimeout(_ANSWER_SECONDS)
        door_program = Path(__file__).with_name("namespace_door.py")
        with inside:
            arguments = [str(door_program), str(inside.fileno()), str(self.directory)]
            self._process = subprocess.Popen(
                [*_unshare(), sys.executable, *arguments],
                pass_fds=[inside.fileno()],
                env={**os.environ, "PATH": _search_path()},
            )
        os.environ["PCSCLITE_CSOCK_NAME"] = str(self.socket_path)
        if not self._door.recv(4096):
            self._leave()
            raise CannotRunError("the namespace could not be prepared")
        try:
            self.start()
        except OSError as error:
            self._leave()
            raise CannotRunError(str(error)) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()

    def start(self, *, readers: bool = True) -> None:
        """Start pcscd, with vpcd's slots or without any reader."""
        self._ask(do="start", configuration="slots" if readers else "no-slots")
        self.running = True

    def stop(self, *, kill: bool = False) -> None:
        """End it in order, or with SIGKILL."""
        self._ask(do="stop", signal=int(signal.SIGKILL if kill else signal.SIGTERM))
        self.running = False

    def freeze(self) -> None:
        """It stands still: whoever asks it waits."""
        self._ask(do="signal", signal=int(signal.SIGSTOP))

    def thaw(self) -> None:
        """It goes on where it stood."""
        self._ask(do="signal", signal=int(signal.SIGCONT))

    def connect(self, port: int) -> socket.socket:
        """A TCP connection to the port inside. Raises `OSError`."""
        descriptor = self._ask(do="connect", port=port)[0]
        return socket.socket(fileno=descriptor)

    def _leave(self) -> None:
        self._door.close()  # The door stops pcscd when it finds nobody there.
        self._process.wait(_ANSWER_SECONDS)

    def _ask(self, **request: object) -> list[int]:
        with self._one_request:
            self._door.sendall(json.dumps(request).encode())
            packet, descriptors, _, _ = socket.recv_fds(self._door, 65536, 1)
        error = json.loads(packet).get("error")
        if error is not None:
            raise OSError(error)
        return list(descriptors)


def _search_path() -> str:
    """Where programs are; daemons stand in directories that an ordinary user does not search."""
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def _unshare() -> list[str]:
    # Without root a user namespace gives the right to make the other two.
    rights = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *rights, "--net", "--mount", "--fork", "--kill-child"]
