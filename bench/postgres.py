"""A PostgreSQL of a measurement's own: an empty cluster in a folder, on a socket alone."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "nobody"
"""PostgreSQL refuses to run as root."""
_FOLDER = Path("/usr/lib/postgresql")


def is_installed() -> bool:
    """Whether a measurement that can do without may have it too."""
    return any(_FOLDER.glob("*/bin/initdb"))


def binaries() -> Path:
    """The folder of `initdb` and `pg_ctl`, of the newest version that is installed."""
    found = sorted(_FOLDER.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if not found:
        sys.exit("This measurement needs PostgreSQL: apt-get install postgresql")
    return found[-1].parent


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """A running cluster; gives its DSN. `folder` must be reachable by everybody."""
    as_user = ["setpriv", f"--reuid={USER}", "--clear-groups"] if os.getuid() == 0 else []
    name = USER if as_user else pwd.getpwuid(os.getuid()).pw_name
    folder.mkdir(mode=0o755)
    if as_user:
        shutil.chown(folder, USER)
    data, commands = folder / "data", binaries()

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [*as_user, str(commands / program), *arguments],
            check=True, stdout=subprocess.DEVNULL, cwd=folder,
        )  # fmt: skip

    run("initdb", "-D", str(data), "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
    options = f"-c listen_addresses= -k {folder}"
    run("pg_ctl", "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        yield f"postgresql://{name}@/postgres?host={folder}"
    finally:
        run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
