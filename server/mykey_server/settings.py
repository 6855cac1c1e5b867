"""What the server is told at its start: one frozen value, read once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DEFAULT_DATABASE = "mykey-server.db"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the server's file lies, and what it believes.

    `anchors` is the folder of CA certificates for providers of profile `jpki`; without it `serve`
    does not start for them. `public_url` is the address that counters type when something (a TLS
    proxy) stands before this process: their signatures cover that address, not the one seen here.
    """

    database: Path
    anchors: Path | None = None
    public_url: str | None = None
    tls: Path | None = None
    """The folder that `tls make` made; without it `serve` speaks plain HTTP."""
