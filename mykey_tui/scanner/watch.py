"""The thread that waits for a scanner, and opens it again when it was unplugged."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from contextlib import closing

from mykey_tui.scanner.codes import Codes
from mykey_tui.scanner.device import ScannerDevice

AGAIN_SECONDS = 2.0
"""Between two attempts to open a scanner that is not there."""
SILENCE_SECONDS = 0.2
"""A code whose end did not come by then is complete: the scanner is set up without one."""


class ScannerWatch:
    """Hands each code to `scanned`, and tells `present` when the scanner comes or goes.

    Both are called from a thread of this watch. Waiting costs nothing: it sleeps in the kernel
    until the scanner sends. After `stop` neither is called any more.
    """

    def __init__(
        self,
        open_device: Callable[[], ScannerDevice],
        *,
        scanned: Callable[[str], None],
        present: Callable[[bool], None],
        again_seconds: float = AGAIN_SECONDS,
    ) -> None:
        self._open_device = open_device
        self._scanned = scanned
        self._present = present
        self._again_seconds = again_seconds
        self._told: bool | None = None
        self._woken, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._run, name="scanner", daemon=True)

    def start(self) -> None:
        """Begin to watch. Once."""
        self._thread.start()

    def stop(self) -> None:
        """End the watch and let go of the device. Once, after `start`."""
        os.write(self._wake, b"\0")
        self._thread.join()
        os.close(self._wake)
        os.close(self._woken)

    def _run(self) -> None:
        stopped = False
        while not stopped:
            try:
                device = self._open_device()
            except OSError:
                self._tell(present=False)
                stopped = self._is_stopped(self._again_seconds)
                continue
            self._tell(present=True)
            with closing(device):
                stopped = self._read(device)
            if not stopped:  # Gone. A device that opens and breaks at once must not make us spin.
                self._tell(present=False)
                stopped = self._is_stopped(self._again_seconds)

    def _read(self, device: ScannerDevice) -> bool:
        """Until the device is gone (False), or the watch is stopped (True)."""
        codes = Codes()
        watched = [device.fileno(), self._woken]
        while True:
            silence = SILENCE_SECONDS if codes.is_open else None
            ready, _, _ = select.select(watched, [], [], silence)
            if self._woken in ready:
                return True
            try:
                complete = codes.feed(device.read()) if ready else codes.end()
            except OSError:
                return False
            for code in complete:
                self._scanned(code)

    def _is_stopped(self, seconds: float) -> bool:
        return bool(select.select([self._woken], [], [], seconds)[0])

    def _tell(self, *, present: bool) -> None:
        if present is not self._told:
            self._told = present
            self._present(present)
