"""`mykey-server tls …`, and what `terminal code` says of the folder: no database is needed."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mykey_server.tls import TlsFolder, TlsReport, make, renew, report


def run_tls(parsed: argparse.Namespace) -> dict[str, Any]:
    """Do `tls make`, `tls renew` or `tls show`. Raises `TlsError`, `OSError`."""
    folder, now = TlsFolder(parsed.dir), datetime.now(UTC)
    if parsed.action == "make":
        return _told(folder, make(folder, parsed.host, now=now))
    if parsed.action == "renew":
        return _told(folder, renew(folder, parsed.host, now=now))
    return _told(folder, report(folder))


def pin_of_folder(path: Path) -> str:
    """What to read out beside a code. Raises `TlsError`."""
    return report(TlsFolder(path)).pin


def _told(folder: TlsFolder, found: TlsReport) -> dict[str, Any]:
    return {
        "ca": str(folder.authority),
        "pin": found.pin,
        "hosts": list(found.hosts),
        "server_until": found.server_until.date().isoformat(),
        "ca_until": found.authority_until.date().isoformat(),
    }
