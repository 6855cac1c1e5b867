"""The counter's screen, in a process where everything makes noise while it is up.

Arguments: `alone` or `open` (without the guard, to show that the noise is one), then the program's.
"""

import ctypes
import os
import sys
import threading
import time
from contextlib import nullcontext

from mykey_tui import cli
from mykey_tui.commands import screen_alone

NOISE_SECONDS = 12.0


class Dying:
    """As pyscard's connection does when the service has died."""

    def __del__(self) -> None:
        raise RuntimeError("NOISE-DEL")


def noise() -> None:
    library = ctypes.CDLL(None)
    end = time.monotonic() + NOISE_SECONDS
    while time.monotonic() < end:
        time.sleep(0.2)
        os.write(2, b"NOISE-FD2\n")
        os.write(1, b"NOISE-FD1\n")
        library.perror(b"NOISE-LIBC")
        print("NOISE-PRINT", file=sys.stderr)  # noqa: T201  # the noise itself
        Dying()
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()


def fail() -> None:
    raise RuntimeError("NOISE-THREAD")


def main() -> int:
    if sys.argv[1] == "open":
        screen_alone.screen_alone = nullcontext  # type: ignore[assignment]  # teeth: no guard
    threading.Thread(target=noise, daemon=True).start()
    return cli.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
