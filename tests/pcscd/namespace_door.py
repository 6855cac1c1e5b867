"""Runs inside a network and mount namespace of its own, and starts pcscd there on request.

vpcd listens on every interface. Here the only interface is a loopback that nobody else has, and
/run is a directory of the test's own, so a pcscd that the machine itself runs is neither met nor
disturbed. Requests arrive on an inherited socket, one JSON object per packet; a TCP connection
into the namespace is handed out as a file descriptor.

Arguments: descriptor of the socket, the directory to use. Standard library only.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

READY_SECONDS = 10.0
STOP_SECONDS = 5.0
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


def loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


class Daemon:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, configuration: str) -> None:
        log = self.directory / "pcscd.log"
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                ["pcscd", "--foreground", "--info", "-c", str(self.directory / configuration)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # No drivers for real readers: somebody else may be using those.
                env={**os.environ, "PCSCLITE_HP_DROPDIR": str(self.directory / "no-drivers")},
            )
        deadline = time.monotonic() + READY_SECONDS
        while b"daemon ready" not in log.read_bytes():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"pcscd is not ready: {log.read_text(errors='replace')[-500:]}")
            time.sleep(0.01)

    def signal(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)

    def stop(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


def answer(daemon: Daemon, request: dict[str, object]) -> list[int]:
    match request["do"]:
        case "start":
            daemon.start(str(request["configuration"]))
        case "stop":
            daemon.stop(int(str(request["signal"])))
        case "signal":
            daemon.signal(int(str(request["signal"])))
        case "connect":
            link = socket.create_connection(("127.0.0.1", int(str(request["port"]))), 2.0)
            link.setblocking(True)  # travels with the descriptor
            return [link.detach()]
        case unknown:
            raise RuntimeError(f"unknown request {unknown}")
    return []


def main() -> None:
    door = socket.socket(fileno=int(sys.argv[1]))
    directory = Path(sys.argv[2])
    loopback_up()
    subprocess.run(["mount", "--bind", str(directory / "run"), "/run"], check=True)
    daemon = Daemon(directory)
    try:
        door.send(b"{}")
        while packet := door.recv(4096):
            descriptors: list[int] = []
            try:
                descriptors = answer(daemon, json.loads(packet))
                reply: dict[str, str] = {}
            except (OSError, RuntimeError) as error:
                reply = {"error": str(error)}
            socket.send_fds(door, [json.dumps(reply).encode()], descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
    finally:
        with contextlib.suppress(OSError):
            daemon.stop(signal.SIGTERM)


if __name__ == "__main__":
    main()
