"""The resident's keypad: input events in, digits into one object; over a named pipe, and for real."""

from __future__ import annotations

import errno
import fcntl
import os
import queue
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mykey_tui.composition.keypad import pin_ways
from mykey_tui.domain.assurance import PinPolicy
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ReaderError
from mykey_tui.evdev import EVENT, EVIOCGRAB
from mykey_tui.flows.pin_entry import PinEntry
from mykey_tui.flows.services import KeypadSign, PinWays
from mykey_tui.reader.keypad import Keypad
from mykey_tui.settings import PinSettings

KEY, SYN, MSC = 1, 0, 4
UINPUT = Path("/dev/uinput")
CODES = dict(zip("1234567890", range(2, 12), strict=True))
KEYPAD_CODES = dict(zip("1234567890", (79, 80, 81, 75, 76, 77, 71, 72, 73, 82), strict=True))
ENTER, ERASE, CANCEL = 96, 14, 1
SECONDS = 5.0


def event(code: int, value: int = 1, kind: int = KEY) -> bytes:
    return EVENT.pack(0, 0, kind, code, value)


def stroke(code: int) -> bytes:
    """A key as the kernel tells it: scan code, press, report, release, report."""
    return b"".join(
        (event(4, 458845, MSC), event(code), event(0, 0, SYN), event(code, 0), event(0, 0, SYN))
    )


class Told:
    """What the screen hears."""

    def __init__(self) -> None:
        self.entry = PinEntry()
        self.signs: queue.Queue[KeypadSign] = queue.Queue()

    def digit(self, digit: str) -> None:
        self.entry.press(digit)
        self.signs.put(KeypadSign.TYPED)

    def erase(self) -> None:
        self.entry.erase()
        self.signs.put(KeypadSign.TYPED)

    def enter(self) -> None:
        self.signs.put(KeypadSign.ENTER)

    def cancel(self) -> None:
        self.signs.put(KeypadSign.CANCEL)

    def gone(self) -> None:
        self.signs.put(KeypadSign.GONE)

    def until(self, sign: KeypadSign) -> None:
        while self.signs.get(timeout=SECONDS) is not sign:
            pass


class Pipe:
    """A named pipe where the device would be; it cannot be grabbed, so the grab is counted."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self.end = os.open(path, os.O_RDWR)
        self.grabs = 0

    def grab(self, device: int) -> None:
        self.grabs += 1

    def write(self, data: bytes) -> None:
        os.write(self.end, data)


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Pipe]:
    made = Pipe(tmp_path / "event7")
    yield made
    with suppress(OSError):  # a test has closed it
        os.close(made.end)


@pytest.fixture
def keypad(pipe: Pipe) -> Iterator[Keypad]:
    made = Keypad(pipe.path, grab=pipe.grab)
    yield made
    made.stop()


@pytest.mark.parametrize("codes", [CODES, KEYPAD_CODES], ids=["row", "keypad"])
def test_every_digit_key_is_its_digit(pipe: Pipe, keypad: Keypad, codes: dict[str, int]) -> None:
    for four in ("1234", "5678", "9012"):
        told = Told()
        keypad.start(told)
        pipe.write(b"".join(stroke(codes[digit]) for digit in four) + stroke(ENTER))
        told.until(KeypadSign.ENTER)
        assert told.entry.take() == four
        keypad.stop()


def test_a_held_key_is_one_digit_and_other_keys_are_none(pipe: Pipe, keypad: Keypad) -> None:
    told = Told()
    keypad.start(told)
    held = event(CODES["7"]) + event(CODES["7"], 2) * 40 + event(CODES["7"], 0)
    letters = b"".join(stroke(code) for code in (30, 57, 42, 0x1FF))
    pipe.write(held + letters + stroke(ENTER))
    told.until(KeypadSign.ENTER)
    assert told.entry.take() == "7"


def test_a_digit_is_put_right_and_the_entry_can_be_given_up(pipe: Pipe, keypad: Keypad) -> None:
    told = Told()
    keypad.start(told)
    pipe.write(stroke(CODES["1"]) + stroke(CODES["2"]) + stroke(ERASE) + stroke(CANCEL))
    told.until(KeypadSign.CANCEL)
    assert told.entry.take() == "1"


def test_what_was_pressed_before_anybody_was_asked_is_no_pin(pipe: Pipe, keypad: Keypad) -> None:
    pipe.write(b"".join(stroke(CODES[digit]) for digit in "9999"))
    told = Told()
    keypad.start(told)
    pipe.write(stroke(CODES["1"]) + stroke(ENTER))
    told.until(KeypadSign.ENTER)
    assert told.entry.take() == "1"


def test_it_is_grabbed_each_time_and_nothing_comes_after_the_end(
    pipe: Pipe, keypad: Keypad
) -> None:
    told = Told()
    for _ in range(2):
        keypad.start(told)
        keypad.stop()
        keypad.stop()
    assert pipe.grabs == 2
    pipe.write(stroke(CODES["1"]))
    time.sleep(0.2)
    assert told.signs.empty()
    assert told.entry.count == 0


@pytest.mark.parametrize("end", [lambda pipe: os.close(pipe.end), lambda pipe: pipe.write(b"torn")])
def test_a_device_that_goes_away_or_talks_nonsense_is_gone(
    pipe: Pipe, keypad: Keypad, end: Callable[[Pipe], None]
) -> None:
    told = Told()
    keypad.start(told)
    end(pipe)
    told.until(KeypadSign.GONE)


def test_no_device_a_forbidden_one_and_one_that_is_taken_are_one_failure(
    tmp_path: Path, pipe: Pipe
) -> None:
    def taken(device: int) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    for keypad in (
        Keypad(tmp_path / "event99"),
        Keypad(pipe.path, grab=taken),
        Keypad(plain),  # no input device: the kernel knows no grab for it
    ):
        with pytest.raises(ReaderError) as caught:
            keypad.start(Told())
        assert caught.value.code is Code.KEYPAD_NONE


def test_a_refused_device_is_not_left_open(pipe: Pipe) -> None:
    def taken(device: int) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(ReaderError):
        Keypad(pipe.path, grab=taken).start(Told())
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_settings_name_the_keypad_and_digits_reach_the_entry_alone(pipe: Pipe) -> None:
    assert pin_ways(PinSettings()).keypad is None
    ways = pin_ways(PinSettings(keypad=pipe.path, keyboard=True))
    assert ways.keyboard
    assert ways.keypad is not None
    with pytest.raises(ReaderError):  # a pipe cannot be grabbed
        ways.keypad.start(PinEntry(), lambda sign: None)


@pytest.mark.skipif(not UINPUT.exists(), reason="no /dev/uinput on this machine")
def test_a_real_device_is_ours_alone_while_it_is_grabbed() -> None:
    with Uinput() as device:
        other = os.open(device, os.O_RDONLY | os.O_NONBLOCK)
        told, keypad = Told(), Keypad(device)
        keypad.start(told)
        try:
            with pytest.raises(OSError, match="busy"):
                fcntl.ioctl(other, EVIOCGRAB, 1)
            Uinput.current.stroke(CODES["7"])
            told.until(KeypadSign.TYPED)
            with pytest.raises(BlockingIOError):
                os.read(other, EVENT.size)
        finally:
            keypad.stop()
            os.close(other)


class Uinput:
    """A keypad made by the kernel on request (linux/uinput.h)."""

    current: Uinput
    _UI_SET_EVBIT, _UI_SET_KEYBIT = 0x40045564, 0x40045565
    _UI_DEV_CREATE, _UI_DEV_DESTROY = 0x5501, 0x5502

    def __enter__(self) -> Path:
        before = set(Path("/dev/input").glob("event*"))
        self.device = os.open(UINPUT, os.O_WRONLY)
        fcntl.ioctl(self.device, self._UI_SET_EVBIT, KEY)
        for code in CODES.values():
            fcntl.ioctl(self.device, self._UI_SET_KEYBIT, code)
        os.write(self.device, struct.pack("@80sHHHHi", b"mykey test", 3, 1, 1, 1, 0) + bytes(1024))
        fcntl.ioctl(self.device, self._UI_DEV_CREATE)
        Uinput.current = self
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            new = set(Path("/dev/input").glob("event*")) - before
            if new:
                return new.pop()
            time.sleep(0.05)
        raise TimeoutError("the kernel made no device")

    def stroke(self, code: int) -> None:
        os.write(self.device, stroke(code))

    def __exit__(self, *_: object) -> None:
        fcntl.ioctl(self.device, self._UI_DEV_DESTROY)
        os.close(self.device)


def test_the_screens_learn_the_policy_and_not_only_what_a_pin_is_typed_on() -> None:
    settings = PinSettings(PinPolicy.ON_LINK, keyboard=True)
    assert pin_ways(settings) == PinWays(PinPolicy.ON_LINK, keyboard=True, keypad=None)
