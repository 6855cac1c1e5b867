"""The object that holds the digits: what it takes, what it shows, what becomes of it in a crash."""

from __future__ import annotations

import copy
import ctypes
import json
import os
import pickle
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mykey_tui.flows.pin_entry import PinEntry

PR_GET_DUMPABLE = 3
CRASH = """
import os, resource, sys
os.chdir(sys.argv[2])
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
if sys.argv[1] == "careful":
    from mykey_tui.flows.pin_entry import PinEntry
    entry = PinEntry()
    for digit in "7351":
        entry.press(digit)
os.abort()
"""


def typed(digits: str) -> PinEntry:
    entry = PinEntry()
    for digit in digits:
        entry.press(digit)
    return entry


def test_four_digits_are_taken_and_a_fifth_makes_it_no_pin() -> None:
    entry = PinEntry()
    assert [entry.press(digit) for digit in "7351"] == [True] * 4
    complete = [entry.complete, entry.press("9"), entry.complete]
    assert complete == [True, False, False]
    assert entry.count == 4


def test_digits_too_many_can_be_taken_back_one_by_one() -> None:
    entry = typed("735199")
    complete = []
    for _ in range(2):
        entry.erase()
        complete.append(entry.complete)
    assert complete == [False, True]
    assert entry.take() == "7351"


@pytest.mark.parametrize("how", ["wipe", "take", "moved"])
def test_what_was_too_long_is_forgotten_with_the_digits(how: str) -> None:
    entry = typed("4912345678904")
    getattr(entry, how)()
    for digit in "7351":
        entry.press(digit)
    assert entry.complete


def test_what_is_handed_over_too_long_is_no_pin_there_either() -> None:
    assert not typed("735199").moved().complete


def test_a_sealed_entry_takes_nothing_ever_after() -> None:
    entry = typed("73")
    entry.seal()
    assert [entry.press(digit) for digit in "73519"] == [False] * 5
    assert entry.count == 0
    assert not entry.complete


@pytest.mark.parametrize("key", ["", "a", "12", "１", "٤", " ", "\n", "enter"])
def test_nothing_but_one_ascii_digit_is_taken(key: str) -> None:
    entry = PinEntry()
    assert not entry.press(key)
    assert entry.count == 0


@pytest.mark.parametrize("code", ["A7351", "73B51", "7351C"])
def test_four_digits_among_letters_are_no_pin(code: str) -> None:
    entry = PinEntry()
    for key in code:
        if not entry.press(key):
            entry.spoil()
    assert (entry.count, entry.complete) == (4, False)
    entry.erase()
    assert entry.complete, "the key that was wrong is taken back"
    entry.spoil()
    entry.wipe()
    for key in "7351":
        entry.press(key)
    assert entry.complete


def test_a_digit_can_be_put_right() -> None:
    entry = typed("73")
    entry.erase()
    entry.press("9")
    assert entry.take() == "79"
    entry.erase()
    assert entry.count == 0


def test_the_digits_are_given_once() -> None:
    entry = typed("7351")
    assert entry.take() == "7351"
    assert entry.take() == ""
    assert entry.count == 0


class Watched(bytearray):
    """Remembers what it held when it was let go."""

    let_go = b"?"

    def clear(self) -> None:
        self.let_go = bytes(self)
        super().clear()


@pytest.mark.parametrize("how", ["wipe", "take", "seal"])
def test_the_bytes_are_overwritten_before_they_are_let_go(how: str) -> None:
    entry = typed("7351")
    watched = entry._digits = Watched(entry._digits)
    getattr(entry, how)()
    assert watched.let_go == bytes(4)
    assert entry.count == 0


def test_what_is_handed_over_is_what_was_there_at_that_moment() -> None:
    entry = typed("7351")
    given = entry.moved()
    entry.erase()
    entry.press("9")
    assert given.take() == "7351"
    assert entry.take() == "9"


def test_it_has_nothing_to_print_to_pickle_or_to_copy() -> None:
    entry = typed("7351")
    shown = [repr(entry), str(entry), f"{entry}", f"{[entry]!r}"]
    assert all("7" not in text for text in shown)
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            attempt(entry)
    with pytest.raises(TypeError):
        json.dumps(entry)


def crash(how: str, folder: Path) -> int:
    """The status of a process that aborts with the PIN in memory, as `waitpid` gives it."""
    program = [sys.executable, "-c", CRASH, how, str(folder)]
    return os.waitpid(os.posix_spawn(sys.executable, program, os.environ), 0)[1]


def test_a_process_with_a_pin_in_it_leaves_no_core(tmp_path: Path) -> None:
    careless = crash("careless", tmp_path)
    assert os.WTERMSIG(careless) == signal.SIGABRT
    if not os.WCOREDUMP(careless):
        pytest.skip("this machine makes no cores at all, so there is nothing to keep one from")
    careful = crash("careful", tmp_path)
    assert os.WTERMSIG(careful) == signal.SIGABRT
    assert not os.WCOREDUMP(careful)


def test_from_the_first_entry_on_the_process_is_not_dumpable() -> None:
    code = (
        "import ctypes, resource\n"
        "from mykey_tui.flows.pin_entry import PinEntry\n"
        "PinEntry()\n"
        f"print(ctypes.CDLL(None).prctl({PR_GET_DUMPABLE}, 0, 0, 0, 0),"
        " resource.getrlimit(resource.RLIMIT_CORE)[0])\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["0", "0"]


def test_a_system_that_refuses_it_takes_no_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        def prctl(self, *_: int) -> int:
            ctypes.set_errno(1)
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Refusing())
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    with pytest.raises(OSError, match="not permitted"):
        PinEntry()
