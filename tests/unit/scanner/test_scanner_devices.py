"""Scanners on a real pseudo-terminal and a real pipe, under the real thread that watches them."""

from __future__ import annotations

import fcntl
import os
import pty
import queue
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mykey_tui.scanner import input_device
from mykey_tui.scanner.device import ScannerDevice
from mykey_tui.scanner.input_device import InputDevice
from mykey_tui.scanner.serial_port import SerialScanner
from mykey_tui.scanner.watch import ScannerWatch

WAIT_SECONDS = 5.0
AGAIN_SECONDS = 0.05


class Watched:
    """A watch, what it told, and how often it opened the device."""

    def __init__(self, open_device: Callable[[], ScannerDevice]) -> None:
        self.codes: queue.Queue[str] = queue.Queue()
        self.present: queue.Queue[bool] = queue.Queue()
        self.opened = 0
        self._open = open_device
        self.watch = ScannerWatch(
            self._opening,
            scanned=self.codes.put,
            present=self.present.put,
            again_seconds=AGAIN_SECONDS,
        )
        self.watch.start()

    def _opening(self) -> ScannerDevice:
        self.opened += 1
        return self._open()

    def code(self) -> str:
        return self.codes.get(timeout=WAIT_SECONDS)

    def is_present(self) -> bool:
        return self.present.get(timeout=WAIT_SECONDS)


@pytest.fixture
def watching() -> Iterator[Callable[[Callable[[], ScannerDevice]], Watched]]:
    made: list[Watched] = []

    def make(open_device: Callable[[], ScannerDevice]) -> Watched:
        made.append(Watched(open_device))
        return made[-1]

    yield make
    for watched in made:
        watched.watch.stop()


@pytest.fixture
def port() -> Iterator[tuple[int, Path]]:
    """The far end of a serial line, and the port's name."""
    far, near = pty.openpty()
    name = Path(os.ttyname(near))
    os.close(near)
    yield far, name
    os.close(far)


def test_a_serial_scanner_is_read_code_by_code(
    port: tuple[int, Path], watching: Callable[..., Watched]
) -> None:
    far, name = port
    watched = watching(lambda: SerialScanner(name, baud=9600))
    assert watched.is_present()
    os.write(far, b"A37859+B\r\n49012345")
    assert watched.code() == "A37859+B"
    os.write(far, b"67894\r")
    assert watched.code() == "4901234567894"


def test_a_scanner_without_an_end_is_heard_after_a_silence(
    port: tuple[int, Path], watching: Callable[..., Watched]
) -> None:
    far, name = port
    watched = watching(lambda: SerialScanner(name, baud=9600))
    assert watched.is_present()
    os.write(far, b"2802121234")
    assert watched.code() == "2802121234"


def test_the_port_is_raw_and_ours_alone(port: tuple[int, Path]) -> None:
    _, name = port
    scanner = SerialScanner(name, baud=19200)
    local, speed = (termios.tcgetattr(scanner.fileno())[n] for n in (3, 4))
    assert not local & (termios.ECHO | termios.ICANON | termios.ISIG)
    assert speed == termios.B19200
    if os.geteuid() != 0:  # The kernel lets root in all the same.
        with pytest.raises(OSError, match="busy"):
            SerialScanner(name, baud=9600)
    scanner.close()


def test_a_file_that_is_no_port_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="ioctl"):
        SerialScanner(tmp_path / "file", baud=9600)


@pytest.fixture
def keyboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipe in the place of /dev/input/event…: it cannot be grabbed, so that is answered here."""
    path = tmp_path / "event7"
    os.mkfifo(path)
    real = fcntl.ioctl

    def ioctl(descriptor: int, request: int, argument: int) -> object:
        if request == 0x40044590:
            return 0
        return real(descriptor, request, argument)

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    return path


def events(text: str) -> bytes:
    """As the kernel reports the keys of a US keyboard: down, up, and a report after each."""
    keys = {character: code for code, character in input_device._PLAIN.items() if code not in (55,)}
    shifted = {upper: lower for lower, upper in input_device._SHIFTED.items()}
    event = struct.Struct("@llHHi")
    out = b""
    for character in text:
        shift = character in shifted
        code = keys[shifted.get(character, character)]
        presses = [(42, 1)] * shift + [(code, 1), (code, 2), (code, 0)] + [(42, 0)] * shift
        for key, value in presses:
            out += event.pack(1, 2, 1, key, value) + event.pack(1, 2, 0, 0, 0)
    return out


def test_a_grabbed_scanner_types_to_nobody_else(
    keyboard: Path, watching: Callable[..., Watched]
) -> None:
    watched = watching(lambda: InputDevice(keyboard))
    assert watched.is_present()
    with keyboard.open("wb", buffering=0) as far:
        far.write(events("A37859+B\n"))
        assert watched.code() == "A37859+B"
        far.write(events("A-1 $%:/.\t"))
        assert watched.code() == "A-1 $%:/."
    # The far end is closed: the scanner was unplugged.
    assert not watched.is_present()


def test_keys_that_the_kernel_lost_make_no_other_number(
    keyboard: Path, watching: Callable[..., Watched]
) -> None:
    watched = watching(lambda: InputDevice(keyboard))
    assert watched.is_present()
    dropped = struct.Struct("@llHHi").pack(1, 2, 0, 3, 0)
    with keyboard.open("wb", buffering=0) as far:
        far.write(events("28") + dropped + events("34\n") + events("4912\n"))
        assert watched.code() == "4912"


def test_a_device_that_cannot_be_grabbed_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "event7"
    os.mkfifo(path)
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(OSError, match="ioctl"):
        InputDevice(path)
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_an_unplugged_scanner_is_opened_again_and_nobody_spins(
    tmp_path: Path, watching: Callable[..., Watched]
) -> None:
    link = tmp_path / "scanner"
    watched = watching(lambda: SerialScanner(link, baud=9600))
    assert not watched.is_present()
    for number in (b"111", b"222"):
        far, near = pty.openpty()
        link.symlink_to(os.ttyname(near))
        assert watched.is_present()
        os.close(near)
        os.write(far, number + b"\r")
        assert watched.code() == number.decode()
        link.unlink()
        os.close(far)
        assert not watched.is_present()
    before = watched.opened
    time.sleep(10 * AGAIN_SECONDS)
    assert watched.opened - before <= 11


def test_a_watch_that_waits_ends_at_once(port: tuple[int, Path]) -> None:
    _, name = port
    watched = Watched(lambda: SerialScanner(name, baud=9600))
    assert watched.is_present()
    begun = time.monotonic()
    watched.watch.stop()
    assert time.monotonic() - begun < 1
    assert "scanner" not in {thread.name for thread in threading.enumerate()}
