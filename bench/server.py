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
    with serving_as(database) as (url, _):
        yield url


@contextmanager
def serving_as(database: Path | str, *arguments: str) -> Iterator[tuple[str, int]]:
    """A server with these options: its URL and its process id."""
    process = subprocess.Popen(
        _server(database, "serve", "--listen", "127.0.0.1:0", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=_environment(),
    )
    try:
        if process.stdout is None:
            raise RuntimeError("no standard output")
        yield json.loads(process.stdout.readline())["url"], process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def processor_seconds(pid: int) -> tuple[float, float]:
    """What a process has used so far, and what its children have."""
    own, others = 0.0, 0.0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # What stands behind the name: state, parent, … (man 5 proc_pid_stat).
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # It ended meanwhile.
            continue
        used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        if path.parent.name == str(pid):
            own = used
        elif fields[1] == str(pid):
            others += used
    return own, others
