"""As a technician would: from a broken reader to the right sentence, and back to health.

The service, libpcsclite, the driver, the program and the terminal are real; only the machine's files
(USB, libccid) are a test's, because there is no reader on USB here.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pcscd.private_pcscd import PrivatePcscd, why_not
from tests.tmux.conftest import Terminals
from tests.unit.diagnostics.box import Box

pytestmark = [pytest.mark.tmux, pytest.mark.pcscd]
START_SECONDS = 60.0
EXAMINED_SECONDS = 15.0


@pytest.fixture
def pcscd(monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivatePcscd]:
    """A service that is stopped when the test begins."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    monkeypatch.setenv("PCSCLITE_CSOCK_NAME", os.environ["PCSCLITE_CSOCK_NAME"])  # and put back
    folder = Path(tempfile.mkdtemp(prefix="mykd-"))  # short, for a socket's name
    try:
        with PrivatePcscd(folder) as daemon:
            daemon.stop()
            yield daemon
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """The program, on a machine with a listed reader, libccid and pcscd installed."""
    box = Box(tmp_path / "root")
    box.usb("054c:0dc8", "RC-S300/S")
    box.libccid()
    box.pcscd()
    program = Path(__file__).with_name("doctor_counter.py")
    return [sys.executable, str(program), str(tmp_path / "home"), str(box.root)]


def test_a_stopped_service_is_found_by_its_sentence_and_mended(
    terminals: Terminals, pcscd: PrivatePcscd, command: list[str], tmp_path: Path
) -> None:
    terminal = terminals.start(command, PCSCLITE_CSOCK_NAME=str(pcscd.socket_path))
    terminal.shows("K-NONE", "読取機 停止（F12 診断）", seconds=START_SECONDS)
    terminal.press("F12")
    terminal.shows(
        "異常   D-PCSC-STOPPED",
        "カードの読み取りサービス（pcscd）が止まっています",
        "sudo systemctl enable --now pcscd.socket",
        seconds=EXAMINED_SECONDS,
    )
    terminal.type_slowly("e")
    terminal.shows("書き出しました（番号・氏名なし）")
    pcscd.start()
    terminal.type_slowly("r")
    terminal.shows("異常はありません", "Virtual PCD", seconds=EXAMINED_SECONDS)
    terminal.type_slowly("l")
    terminal.shows("Virtual PCD", "カードなし")
    terminal.leave_with_escape()
    terminal.shows("異常はありません")
    terminal.leave_with_escape()
    terminal.shows("K-NONE", "読取機 正常")
    sheet = tmp_path / "home" / "evidence.txt"
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    assert "daemon: fault  D-PCSC-STOPPED" in sheet.read_text()
    assert "SERIAL0451" not in sheet.read_text()


def test_the_same_on_a_linux_console_with_letters_alone(
    terminals: Terminals, pcscd: PrivatePcscd, command: list[str]
) -> None:
    terminal = terminals.start(command, term="linux", PCSCLITE_CSOCK_NAME=str(pcscd.socket_path))
    terminal.shows("K-NONE", "Reader stopped (F12)", seconds=START_SECONDS)
    terminal.type_slowly("x")
    text = terminal.shows(
        "FAULT   D-PCSC-STOPPED",
        "sudo systemctl enable --now pcscd.socket",
        seconds=EXAMINED_SECONDS,
    )
    assert text.isascii()
    pcscd.start()
    terminal.type_slowly("r")
    terminal.shows("No fault found", seconds=EXAMINED_SECONDS)
