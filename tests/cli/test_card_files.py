"""Files that a person names: nothing is replaced by surprise, and nothing half-written stays."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mykey_tui.commands import outside
from mykey_tui.simulated.cards import make_card

PAPER = "1C2410DF79DGEL07202002B"


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "sample.json"
    make_card(PAPER, at=datetime.now(UTC)).save(path)
    return path


def target(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "target"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "symlink":
        (tmp_path / "mine").write_text("mine")
        path.symlink_to(tmp_path / "mine")
    elif kind == "folder":
        path.mkdir()
    else:
        return Path("/dev/null")
    return path


@pytest.mark.parametrize("kind", ["fifo", "symlink", "folder", "device"])
def test_a_target_that_is_no_plain_file_is_refused_and_left_alone(
    said: Any, tmp_path: Path, card: Path, kind: str
) -> None:
    path = target(tmp_path, kind)
    before = sorted(tmp_path.iterdir()), path.lstat().st_ino
    where = ("--home", tmp_path / "home")
    show = ("card", "show", "--reader", f"emulator:{card}", "--export", path)
    for command in (show, ("card", "make", "--cn", PAPER, "--out", path)):
        assert said(*command, *where).exit_code == 2
    assert (sorted(tmp_path.iterdir()), path.lstat().st_ino) == before


def test_an_export_into_a_folder_that_is_not_there_names_the_folder(
    said: Any, tmp_path: Path, card: Path
) -> None:
    answer = said(
        "card", "show", "--reader", f"emulator:{card}", "--export", tmp_path / "lost" / "x.txt",
        "--home", tmp_path,
    )  # fmt: skip
    assert answer.exit_code == 2
    assert "lost" in answer.err


@pytest.mark.parametrize(("number", "code"), [(28, "K-FULL"), (30, "K-ACCESS")])
def test_a_disk_that_takes_nothing_is_a_failure_with_a_code_and_leaves_no_half_file(
    said: Any, tmp_path: Path, monkeypatch: Any, number: int, code: str
) -> None:
    def refuses(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    (tmp_path / "out").mkdir()
    monkeypatch.setattr(os, "fsync", refuses)
    answer = said(
        "card", "make", "--cn", PAPER, "--out", tmp_path / "out" / "c.json", "--json",
        "--home", tmp_path,
    )  # fmt: skip
    assert (answer.exit_code, answer.json["code"]) == (3, code)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_written_file_replaces_a_plain_one_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("older")
    outside.write_outside(path, b"newer", option="--out")
    assert path.read_bytes() == b"newer"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_sample_card_with_a_broken_key_is_not_said_to_lie_there(
    said: Any, tmp_path: Path, card: Path
) -> None:
    values = json.loads(card.read_text())
    values["auth_key"] = "no key"
    card.write_text(json.dumps(values))
    answer = said("card", "place", card, "--home", tmp_path / "home")
    assert (answer.exit_code, answer.out) == (2, "")
    assert not (tmp_path / "home" / "reader" / "card.json").exists()


def test_a_card_for_a_slot_that_nobody_offers_waits_and_is_held_only_when_it_is(
    commands: Any, tmp_path: Path, card: Path
) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        process = commands.start_mykey(
            tmp_path, "card", "place", card, "--vpcd", f"127.0.0.1:{port}"
        )
        lines: list[str] = []
        reading = threading.Thread(target=lambda: lines.extend(iter(process.stderr.readline, "")))
        reading.start()
        until(lambda: len(lines) == 1)
        time.sleep(0.7)
        assert [line.split()[0] for line in lines] == ["Waiting"]
        listening.listen()
        accepted, _ = listening.accept()
        until(lambda: len(lines) == 2)
        assert lines[1].startswith("Holding")
        process.terminate()
        process.wait(10)
        accepted.close()
    reading.join(5)
    process.stdout.close()
    process.stderr.close()
    assert process.returncode == 0


def until(holds: Any) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
