"""A PostgreSQL of the tests' own, from the machine's packages: a folder, a socket, no address.

PostgreSQL does not run as root, so a run as root gives the folder and the programs to `postgres`
or `nobody`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from mykey_server.settings import PostgresUrl

_PROGRAMS = Path("/usr/lib/postgresql")
_SECONDS_MAX = 60
ROLE = "mykey"
STANDBY = "standby"
"""By this name a standby counts as the synchronous one."""


class CannotRunError(Exception):
    """PostgreSQL cannot run here; the text says why, for the skip."""


class ProgramFailedError(Exception):
    """One of its programs failed, with the last lines of what it said."""


def programs() -> Path:
    """The folder of the newest server's programs. Raises `CannotRunError`."""
    found = [folder.parent for folder in _PROGRAMS.glob("*/bin/initdb")]
    if not found:
        raise CannotRunError("the package postgresql is not installed")
    return max(found, key=lambda folder: float(folder.parent.name))


def _lowered() -> list[str]:
    """What stands before a program so that it does not run as root. Raises `CannotRunError`."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        raise CannotRunError("this is root, and the program setpriv is not installed")
    user = _other_user()
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _other_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise CannotRunError("this is root, and there is no user postgres or nobody")


class Cluster:
    """One server process group, in `folder`, which must be short (it holds a socket) and empty."""

    def __init__(self, folder: Path) -> None:
        self._programs, self._lowered = programs(), _lowered()
        self.folder = folder
        self._data = folder / "data"
        self._options = f"-c listen_addresses='' -c unix_socket_directories={folder}"
        self._options += " -c max_connections=60 -c shared_buffers=64MB"
        self._options += " -c log_error_verbosity=terse"  # As docs/operations.md asks for.
        if self._lowered:
            user = _other_user()
            os.chown(folder, user.pw_uid, user.pw_gid)

    def create(self) -> None:
        """Make the cluster's files and start it. Raises `CannotRunError`."""
        try:
            self._run(
                "initdb", "--username", ROLE, "--auth=trust", "--encoding=UTF8", "--locale=C",
                "--no-instructions", "--no-sync", "--pgdata", str(self._data),
            )  # fmt: skip
            self.start()
        except ProgramFailedError as error:
            raise CannotRunError(str(error)) from error

    def copy(self, primary: Cluster) -> None:
        """Become a standby of a running cluster, and start."""
        self._run(
            "pg_basebackup", "--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream",
            "--pgdata", str(self._data),
            "--dbname", make_conninfo(host=str(primary.folder), user=ROLE, application_name=STANDBY),
        )  # fmt: skip
        self.start()

    def start(self) -> None:
        """Start and wait until it answers."""
        log = self.folder / "log"
        self._ctl("start", "--options", self._options, "--log", str(log))

    def stop(self, mode: str = "fast") -> None:
        """`immediate` is a crash: nothing is finished, nothing is written."""
        self._ctl("stop", "--mode", mode)

    def dump(self, name: str, file: str) -> None:
        """Write a database to a file in the folder."""
        self._run("pg_dump", "--format=custom", f"--file={file}", "--dbname", self.url(name).text)

    def load(self, file: Path, name: str) -> None:
        """Read a dump into a database that is there and empty."""
        self._run("pg_restore", "--no-owner", "--dbname", self.url(name).text, str(file))

    def promote(self) -> None:
        """Make a standby take writes."""
        self._ctl("promote")

    @property
    def running(self) -> bool:
        return (self._data / "postmaster.pid").exists()

    def url(self, name: str) -> PostgresUrl:
        """Where a database of this cluster is."""
        return PostgresUrl(f"postgresql:///{name}?host={self.folder}&user={ROLE}")

    def execute(self, statement: str, *names: str, database: str = "postgres") -> list[Any]:
        """Run one statement, with `names` as quoted identifiers in place of its braces."""
        query = sql.SQL(statement).format(*map(sql.Identifier, names))
        with psycopg.connect(self.url(database).text, autocommit=True) as connection:
            cursor = connection.execute(query)
            return [] if cursor.description is None else cursor.fetchall()

    def _ctl(self, action: str, *options: str) -> None:
        self._run("pg_ctl", action, "--pgdata", str(self._data), "--wait", "--silent", *options)

    def _run(self, program: str, *arguments: str) -> None:
        """Nothing of its output is kept open by the server that it leaves running."""
        with (self.folder / "run.log").open("ab") as log:
            done = subprocess.run(
                [*self._lowered, str(self._programs / program), *arguments],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                cwd=self.folder, timeout=_SECONDS_MAX, check=False,
            )  # fmt: skip
        if done.returncode:
            said = "\n".join(
                (self.folder / name).read_text(errors="replace")[-2000:]
                for name in ("run.log", "log")
                if (self.folder / name).exists()
            )
            raise ProgramFailedError(f"{program} {arguments[0]} failed: {said}")
