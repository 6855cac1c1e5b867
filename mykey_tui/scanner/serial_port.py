"""A scanner on a serial port, or one that is set to USB-COM (CDC-ACM), which looks the same."""

from __future__ import annotations

import fcntl
import os
import termios
import tty
from pathlib import Path

from mykey_tui.scanner_settings import BAUDS

_READ_BYTES = 1024
_SPEEDS = {baud: getattr(termios, f"B{baud}") for baud in BAUDS}
_INPUT_SPEED, _OUTPUT_SPEED, _CONTROL = 4, 5, 2


class SerialScanner:
    """See `ScannerDevice`. Eight bits, no parity, one stop bit; nobody else may read the port.

    `baud` is one of `BAUDS`; USB-COM ignores it.
    """

    def __init__(self, path: Path, *, baud: int) -> None:
        """Open the port. Raises `OSError` where there is none, or it is not ours to read."""
        flags = os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
        self._descriptor = os.open(path, flags)
        try:
            self._set_up(baud)
        except (OSError, termios.error) as error:
            os.close(self._descriptor)
            raise OSError(*error.args) from error

    def fileno(self) -> int:
        """See `ScannerDevice`."""
        return self._descriptor

    def read(self) -> str:
        """See `ScannerDevice`. Bytes that are no ASCII come as characters that spoil their code."""
        try:
            content = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return ""
        if not content:
            raise OSError("the port was closed")
        return content.decode("latin-1")

    def close(self) -> None:
        """See `ScannerDevice`."""
        os.close(self._descriptor)

    def _set_up(self, baud: int) -> None:
        fcntl.ioctl(self._descriptor, termios.TIOCEXCL)
        tty.setraw(self._descriptor, termios.TCSANOW)
        attributes = termios.tcgetattr(self._descriptor)
        attributes[_CONTROL] |= termios.CLOCAL | termios.CREAD
        attributes[_INPUT_SPEED] = attributes[_OUTPUT_SPEED] = _SPEEDS[baud]
        termios.tcsetattr(self._descriptor, termios.TCSANOW, attributes)
