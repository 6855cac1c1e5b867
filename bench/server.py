"""A real sync server on loopback for a measurement."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def _server(database: Path | str, *arguments: str) -> list[str]:
    """`database` is a file, or the URL of a database on PostgreSQL."""
    return [sys.executable, "-m", "mykey_server", "--db", str(database), *arguments]


def _environment() -> dict[str, str]:
    return dict(os.environ) | {"PYTHONPATH": "server"}


def operator(database: Path | str, *arguments: str) -> Any:  # noqa: ANN401  # whatever JSON it prints
    done = subprocess.run(
        _server(database, *arguments), check=True, capture_output=True, env=_environment()
    )
    return json.loads(done.stdout)


@contextmanager
def serving(database: Path | str) -> Iterator[str]:
    process = subprocess.Popen(
        _server(database, "serve", "--listen", "127.0.0.1:0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=_environment(),
    )
    try:
        if process.stdout is None:
            raise RuntimeError("no standard output")
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
