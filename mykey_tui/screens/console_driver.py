"""Textual's Linux driver without the questions that an old console answers with rubbish."""

from __future__ import annotations

from textual.drivers.linux_driver import LinuxDriver


class ConsoleDriver(LinuxDriver):
    """Asks the terminal nothing at the start."""

    def _request_terminal_sync_mode_support(self) -> None:
        """Synchronised output is not asked for."""

    def _query_in_band_window_resize(self) -> None:
        """A console's size comes by signal."""
