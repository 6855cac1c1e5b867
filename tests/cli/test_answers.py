"""What a command says when it cannot do it, or cannot even say it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def shell(commands: Any, line: str, home: Path, **environment: str) -> Any:
    """Run `mykey` behind a shell's redirection; `MYKEY` in the line stands for the program."""
    program = f"{sys.executable} -m mykey_tui.cli --home {home}"
    return subprocess.run(
        ["bash", "-c", line.replace("MYKEY", program)],
        capture_output=True,
        check=False,
        text=True,
        env=commands.environment() | environment,
        timeout=60,
    )


@pytest.mark.parametrize(
    "line",
    [
        "MYKEY outbox list --json >/dev/full",
        "set -o pipefail; MYKEY outbox list | head -c0",
        "MYKEY outbox list --json >&-",
    ],
)
def test_an_answer_that_nobody_can_receive_ends_with_3_and_no_traceback(
    commands: Any, tmp_path: Path, line: str
) -> None:
    done = shell(commands, line, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")


def test_japanese_on_an_ascii_stream_is_no_traceback_and_the_json_stays_json(
    commands: Any, tmp_path: Path
) -> None:
    ascii_only = {"PYTHONIOENCODING": "ascii", "LANG": "ja_JP.UTF-8"}
    done = shell(commands, "MYKEY outbox list", tmp_path, **ascii_only)
    assert (done.returncode, done.stderr) == (3, "")
    assert "K-NONE" in done.stdout
    done = shell(commands, "MYKEY outbox list --json", tmp_path, **ascii_only)
    assert json.loads(done.stdout)["code"] == "K-NONE"


def test_a_prompt_that_nobody_can_read_does_not_stop_the_command(
    commands: Any, tmp_path: Path
) -> None:
    line = "MYKEY card show --reader emulator:none.json --wait 0 2>/dev/full"
    done = shell(commands, line, tmp_path)
    assert done.returncode == 3
    assert "C-WAIT" in done.stdout
