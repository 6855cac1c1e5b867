"""What every scanner driver looks like to the thread that watches it."""

from __future__ import annotations

from typing import Protocol


class ScannerDevice(Protocol):
    """An open scanner. Used by one thread."""

    def fileno(self) -> int:
        """For `select`: readable when something was scanned, or the device is gone."""
        ...

    def read(self) -> str:
        """What came since the last call, never blocking; an end of a code is a newline.

        Raises:
            OSError: the device is gone.
        """
        ...

    def close(self) -> None:
        """Let go of the device."""
        ...
