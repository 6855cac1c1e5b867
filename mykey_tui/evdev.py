"""Input devices of Linux (evdev): opened, taken for ourselves, and read as events.

For a keypad and a scanner that nobody else shall hear: grabbed (EVIOCGRAB), their keys reach no
other program and no field that has the focus.

The kernel's interface is one struct and one ioctl, so no library is needed: the `evdev` package
would have to be compiled on every counter.

Source: Linux, include/uapi/linux/input.h and input-event-codes.h.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

EVENT = struct.Struct("@llHHi")
"""struct input_event: seconds, microseconds, type, code, value, in the machine's own sizes."""
EVIOCGRAB = 0x40044590
"""_IOW('E', 0x90, int)."""
EV_SYN, EV_KEY = 0x00, 0x01
SYN_DROPPED = 3
"""The kernel's buffer ran over: events are missing."""
PRESSED = 1
"""0 is released, 2 is the repetition of a key that is held."""
_EVENTS_AT_ONCE = 64


class InputEvent(NamedTuple):
    """One event without its time."""

    kind: int
    code: int
    value: int


def grab(device: int) -> None:
    """Take the device for ourselves until it is closed. Raises `OSError`: another has it."""
    fcntl.ioctl(device, EVIOCGRAB, 1)


def open_grabbed(path: Path, grab: Callable[[int], None] = grab) -> int:
    """Open the device for reading and grab it; returns its descriptor, which never blocks.

    Raises:
        OSError: not there, not ours to read, or grabbed by another program.
    """
    device = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        grab(device)
    except OSError:
        os.close(device)
        raise
    return device


def read_events(device: int) -> list[InputEvent]:
    """The events that wait, at most 64; none where none do. Never blocks.

    Raises:
        OSError: the device is gone, or sends what is no event.
    """
    try:
        content = os.read(device, EVENT.size * _EVENTS_AT_ONCE)
    except BlockingIOError:
        return []
    if not content or len(content) % EVENT.size:
        raise OSError("the device was closed")
    return [InputEvent(*fields[2:]) for fields in EVENT.iter_unpack(content)]
