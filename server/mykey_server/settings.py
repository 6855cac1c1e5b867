"""What the server is told at its start: one frozen value, read once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_DATABASE = "mykey-server.db"


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """Where a PostgreSQL database is, as libpq reads it; never printed, it may hold a password."""

    text: str = field(repr=False)


def parse_database(text: str) -> Path | PostgresUrl:
    """Read a file's path, `sqlite:///PATH` or `postgresql://…`. Raises `ValueError`."""
    if "://" not in text:
        return Path(text)
    if text.startswith(("postgresql://", "postgres://")):
        return PostgresUrl(text)
    scheme, _, path = text.partition(":///")
    if scheme != "sqlite" or not path:
        raise ValueError("a file, sqlite:///PATH or postgresql://USER@HOST/NAME")
    return Path(path)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the server's tables are, and what it believes.

    `anchors` is the folder of CA certificates for providers of profile `jpki`; without it `serve`
    does not start for them. `public_url` is the address that counters type when something (a TLS
    proxy) stands before this process: their signatures cover that address, not the one seen here.
    """

    database: Path | PostgresUrl
    anchors: Path | None = None
    public_url: str | None = None
    tls: Path | None = None
    """The folder that `tls make` made; without it `serve` speaks plain HTTP."""
    proof_processes: int = 0
    """0 or 1: how many processes beside this one open seals of large pushes."""
