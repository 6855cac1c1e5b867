"""Events of the kernel's form from a pipe, and what is none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mykey_tui.evdev import EV_KEY, EVENT, PRESSED, InputEvent, open_grabbed, read_events

KEY = EVENT.pack(1, 2, EV_KEY, 30, PRESSED)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe2(os.O_NONBLOCK)
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            assert end == ends[1], "only the writer's end is closed by a test"


def test_events_are_read_without_their_time_and_never_waited_for(pipe: tuple[int, int]) -> None:
    device, kernel = pipe
    assert read_events(device) == []
    os.write(kernel, KEY * 65)
    assert read_events(device) == [InputEvent(EV_KEY, 30, PRESSED)] * 64
    assert len(read_events(device)) == 1


def test_half_an_event_and_the_end_are_a_device_that_is_gone(pipe: tuple[int, int]) -> None:
    device, kernel = pipe
    os.write(kernel, KEY[:-1])
    with pytest.raises(OSError, match="closed"):
        read_events(device)
    os.close(kernel)
    with pytest.raises(OSError, match="closed"):
        read_events(device)


def test_a_device_that_another_program_has_is_closed_again(tmp_path: Path) -> None:
    path = tmp_path / "event0"
    path.write_bytes(b"")
    taken: list[int] = []

    def refuse(device: int) -> None:
        taken.append(device)
        raise OSError(16, "Device or resource busy")

    with pytest.raises(OSError, match="busy"):
        open_grabbed(path, refuse)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(taken[0])
