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


def test_a_failure_is_told_in_the_counters_own_language(said: Any, tmp_path: Path) -> None:
    (tmp_path / "counter.json").write_text('{"language": "ja"}')
    answer = said("sync", "--home", tmp_path)
    assert "端末の登録がまだです" in answer.out


def test_the_version_is_json_where_json_is_wanted(said: Any) -> None:
    assert said("--version", "--json").json.keys() == {"mykey-tui"}
    assert said("--version").out.startswith("mykey-tui ")


def test_an_option_is_not_guessed_from_its_first_letters(said: Any, tmp_path: Path) -> None:
    assert said("--jso", "--hom", tmp_path, "status").exit_code == 2


@pytest.mark.parametrize("command", [("sync",), ("lookup",), ("outbox", "list"), ("unlink",)])
def test_every_refusal_and_failure_carries_a_code_and_a_text(
    said: Any, tmp_path: Path, command: Any
) -> None:
    answer = said(*command, "--home", tmp_path, "--json")
    assert answer.exit_code == 3
    assert answer.json["code"] == "K-NONE"
    assert answer.json["text"] == "There is no counter data on this box."


def test_a_lookup_at_a_counter_that_does_not_open_answers_with_all_its_keys(
    said: Any, tmp_path: Path
) -> None:
    answer = said("lookup", "--home", tmp_path, "--json").json
    assert answer["result"] == "unreadable"
    assert answer.keys() == {
        "result", "code", "text", "service_id", "assurance", "source", "ms",
    }  # fmt: skip
