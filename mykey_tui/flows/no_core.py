"""No memory image of this process on any disk, from the moment on that a PIN may be in it.

A limit of zero alone is not enough: a core that goes to a program (systemd-coredump, apport) is
made whatever the limit says (core(5)). A process that is not dumpable makes none at all, and
nobody of the same user can attach to it or read its memory. Swap is the operator's: docs/cards.md.
"""

from __future__ import annotations

import ctypes
import os
import resource

_PR_SET_DUMPABLE = 4
"""linux/prctl.h."""


def forbid_core_dumps() -> None:
    """Make this process unable to leave a core. Cheap, and may be called again.

    Raises:
        OSError: the system refuses it; no PIN may be taken then.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
