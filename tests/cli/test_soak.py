"""`mykey soak` and `--trace`, as a technician runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mykey_tui.card.connection import ReaderChanged, ReaderEvent, ReaderHealth, ReaderState
from mykey_tui.cli import TAPS_MAX
from mykey_tui.flows.soak import ROW_HEAD, TAPS
from mykey_tui.reader.card_file import Fault, FaultName
from mykey_tui.simulated.cards import make_card

CN = "1C2410DF79DGEL07202002B"


def start(commands: Any, slot: Path, *options: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "mykey_tui.cli", *options, "--reader", f"emulator:{slot}"]
    return subprocess.Popen(
        words,
        env=commands.environment() | {"MYKEY_HOME": str(slot.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def lay(slot: Path, process: subprocess.Popen[str], fault: Fault | None = None) -> str:
    """Lay the card, wait for the line that tells of it, and lift it."""
    make_card(CN, at=datetime.now(UTC), fault=fault).save(slot)
    assert process.stderr is not None
    while "laid" not in (line := process.stderr.readline()):
        assert line, "the command ended"
    slot.unlink(missing_ok=True)
    time.sleep(0.5)
    return line


def test_taps_are_counted_and_the_row_is_printed(commands: Any, tmp_path: Path) -> None:
    slot = tmp_path / "card.json"
    process = start(commands, slot, "soak", "--taps", "3")
    assert "1 / 3 laid, 1 read" in lay(slot, process)
    assert "2 / 3 laid, 1 read" in lay(slot, process, Fault(FaultName.REMOVED_DURING_READ))
    assert "3 / 3 laid, 2 read" in lay(slot, process)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert ROW_HEAD in out
    assert "| Virtual reader SIMULATED | ? | 2/3 (66.7 %) |" in out
    assert CN[:14] not in out


def test_ctrl_c_gives_the_result_so_far(commands: Any, tmp_path: Path) -> None:
    slot = tmp_path / "card.json"
    process = start(commands, slot, "soak", "--taps", "100")
    lay(slot, process)
    os.kill(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "1/1 (100.0 %)" in out


def test_no_card_in_time_ends_it_with_what_there_is(commands: Any, tmp_path: Path) -> None:
    slot = tmp_path / "card.json"
    process = start(commands, slot, "soak", "--json", "--wait", "0.5")
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, json.loads(out)["code"]) == (3, "C-WAIT")
    make_card(CN, at=datetime.now(UTC)).save(slot)
    process = start(commands, slot, "soak", "--json", "--wait", "2")
    out, _ = process.communicate(timeout=30)
    facts = json.loads(out)
    assert process.returncode == 0
    assert (facts["result"], facts["laid"], facts["good"]) == ("ended", 1, 1), "one, left lying"
    assert facts["median_ms"] > 0


def test_a_trace_tells_the_commands_and_no_secret(commands: Any, tmp_path: Path) -> None:
    slot = tmp_path / "card.json"
    make_card(CN, at=datetime.now(UTC)).save(slot)
    process = start(commands, slot, "card", "show", "--trace", "--json")
    out, told = process.communicate(timeout=30)
    assert json.loads(out)["random_string"] == CN[:14]
    assert "> 00a4040c 0ad392f000260100000001" in told
    assert "< 256 bytes, 9000" in told
    assert CN.encode().hex() not in told


def test_wrong_numbers_of_taps_are_wrong_usage(commands: Any, tmp_path: Path) -> None:
    for number in ("0", "-1", "501", "x", "９", "9" * 1000):
        process = start(commands, tmp_path / "card.json", "soak", "--taps", number)
        process.communicate(timeout=30)
        assert process.returncode == 2
    assert TAPS[-1] == TAPS_MAX


class DeadReader:
    """Lists nothing, and then its service goes too; or a card comes after all."""

    simulated = False

    def __init__(self, *events: ReaderEvent) -> None:
        self.events = list(events)

    def wait(self, seconds: float) -> ReaderEvent | None:
        return self.events.pop(0) if self.events else None

    def interrupt(self) -> None:
        """Nobody waits."""

    def close(self) -> None:
        """Nothing is open."""

    def health(self) -> ReaderHealth:
        return ReaderHealth(alive=False)


def test_a_dead_reader_was_only_asked_for_a_card(
    said: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = (
        ReaderChanged(ReaderState.NO_READER, ""),
        ReaderChanged(ReaderState.NO_SERVICE, ""),
    )
    monkeypatch.setattr(
        "mykey_tui.commands.soak.make_reader_without_enrolment", lambda _: DeadReader(*events)
    )
    answer = said("soak", "--home", tmp_path, "--wait", "5")
    assert answer.exit_code == 3
    assert "D-READER-NONE" in answer.err
    assert "D-PCSC-STOPPED" in answer.out
    assert "mykey doctor" in answer.out
