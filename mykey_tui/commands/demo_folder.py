"""The demo's folder: the server's file, a home for each counter, what the till received."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from mykey_tui.commands.demo_server import DemoError
from mykey_tui.settings import SettingsError

_READY_FILE = "demo.json"
"""Written last: a folder without it is no demo that can be opened again."""


@dataclass(frozen=True, slots=True)
class DemoFolder:
    """Paths, and whether an earlier run has set everything up."""

    path: Path

    @property
    def database(self) -> Path:
        """The server's file."""
        return self.path / "server.db"

    @property
    def till(self) -> Path:
        """What the existing system received, one service ID a line."""
        return self.path / "till" / "received.txt"

    def home(self, alias: str) -> Path:
        """The counter of the provider with this alias."""
        return self.path / f"counter-{alias}"

    def prepare(self) -> None:
        """Make the folder, for this user only.

        Raises:
            SettingsError: it has foreign content.
            OSError: it cannot be made.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.is_ready and any(self.path.iterdir()):
            raise SettingsError("--home is neither an empty folder nor a demo")

    @property
    def is_ready(self) -> bool:
        """Whether everything is set up."""
        return (self.path / _READY_FILE).exists()

    def mark_ready(self, port: int) -> None:
        """Everything is set up; the counters expect the server at `port`."""
        (self.path / _READY_FILE).write_text(json.dumps({"port": port}) + "\n")

    def port(self) -> int:
        """Where the counters expect the server; 0, for any, in a new folder."""
        if not self.is_ready:
            return 0
        try:
            return int(json.loads((self.path / _READY_FILE).read_bytes())["port"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DemoError(_READY_FILE) from error
