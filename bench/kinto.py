"""The named peer: Kinto on PostgreSQL to SQLite by kinto-http, the same rows, in the same run.

Kinto lives in an environment of its own, made on first use from a hash-pinned list.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from bench.postgres import cluster
from bench.sync import DELTA, ROWS
from bench.sync import once as measure_ours

ENVIRONMENT = Path(".benchmarks") / "kinto"
LOCK = Path("requirements") / "kinto.lock"
START_SECONDS_MAX = 30.0
RUNS = 3

_SETTINGS = """
[app:main]
use = egg:kinto
kinto.storage_backend = kinto.core.storage.postgresql
kinto.storage_url = {dsn}
kinto.cache_backend = kinto.core.cache.memory
kinto.permission_backend = kinto.core.permission.memory
kinto.paginate_by = 10000
kinto.userid_hmac_secret = bench
multiauth.policies = basicauth
multiauth.policy.basicauth.use = kinto.core.authentication.BasicAuthAuthenticationPolicy
kinto.bucket_create_principals = system.Authenticated

[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = {port}

[loggers]
keys = root
[handlers]
keys = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
[formatters]
keys =
[logger_root]
level = ERROR
handlers = console
"""


def python() -> Path:
    """The interpreter of Kinto's environment."""
    program = ENVIRONMENT / "bin" / "python"
    if not program.exists():
        uv = str(Path(".tools") / "bin" / "uv")
        subprocess.run(
            [uv, "venv", "--quiet", "--python", sys.executable, str(ENVIRONMENT)], check=True
        )
        install = [
            uv,
            "pip",
            "sync",
            "--quiet",
            "--require-hashes",
            "--python",
            str(program),
            str(LOCK),
        ]
        subprocess.run(install, check=True)
    return program.absolute()


@contextmanager
def kinto(folder: Path, dsn: str) -> Iterator[str]:
    """A running Kinto; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = folder / "kinto.ini"
    settings.write_text(_SETTINGS.format(dsn=dsn, port=port))
    log = (folder / "kinto.log").open("wb")
    program = str(python().with_name("kinto"))
    subprocess.run([program, "migrate", "--ini", str(settings)], check=True, stdout=log, stderr=log)
    start = [program, "start", "--ini", str(settings), "--port", str(port)]
    process = subprocess.Popen(start, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        _until_answering(url)
        yield url
    finally:
        process.kill()
        process.wait(20)
        log.close()


def _until_answering(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            urlopen(f"{url}/v1/").close()  # noqa: S310  # our own server, on loopback
        except URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def measure_kinto() -> dict[str, Any]:
    """Kinto's figures: milliseconds of a first sync, a delta and a round with nothing new."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        with cluster(folder / "postgres") as dsn, kinto(folder, dsn) as url:
            client = Path(__file__).with_name("kinto_client.py")
            arguments = [url, str(folder / "client.db"), dsn, str(ROWS), str(DELTA)]
            done = subprocess.run(
                [python(), client, *arguments], check=True, stdout=subprocess.PIPE, env=os.environ
            )
            figures: dict[str, Any] = json.loads(done.stdout)
            return figures


def measure() -> dict[str, Any]:
    """Both in turns; the best of each, so that a busy moment of the machine hurts neither."""
    runs = [(measure_ours(), measure_kinto()) for _ in range(RUNS)]
    figures: dict[str, Any] = {"rows": ROWS, "delta_rows": DELTA, "runs": RUNS}
    for name in ("first_sync", "delta", "nothing_new"):
        ours = min(run[0][name]["ms"] for run in runs)
        peer = min(run[1][name]["ms"] for run in runs)
        figures[name] = {"ours_ms": ours, "kinto_ms": peer, "ratio": round(ours / peer, 2)}
    return figures
