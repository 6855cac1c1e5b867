"""How far this user gets with the socket of the card reading service."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

from mykey_tui.diagnostics.facts import Reach

CONNECT_SECONDS = 0.5
"""A socket of this machine answers at once, or its queue is full: then somebody does listen."""


def reach_of(path: Path) -> tuple[Reach, str]:
    """Connect and hang up; with DENIED, the octal mode of the file or folder that keeps us out.

    Connecting starts a service that waits to be needed; the next question needs it anyway.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
            probe.settimeout(CONNECT_SECONDS)
            probe.connect(os.fspath(path))
    except PermissionError:
        return Reach.DENIED, _mode_in_the_way(path)
    except TimeoutError:
        return Reach.OPEN, ""
    except (FileNotFoundError, NotADirectoryError):
        return Reach.MISSING, ""
    except OSError as error:
        return (Reach.OPEN if error.errno == errno.EAGAIN else Reach.REFUSED), ""
    return Reach.OPEN, ""


def _mode_in_the_way(path: Path) -> str:
    for place in (path.parent, path):
        try:
            mode = place.stat().st_mode
        except OSError:
            continue
        needed = os.X_OK if stat.S_ISDIR(mode) else os.W_OK
        if not os.access(place, needed, effective_ids=True):
            return f"{stat.S_IMODE(mode):04o}"
    return "?"
