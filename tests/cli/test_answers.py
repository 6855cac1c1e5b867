"""What a command says when it cannot do it, or cannot even say it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mykey_tui.simulated.cards import make_card


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


def test_nobody_is_sent_to_a_command_that_is_not_there(said: Any) -> None:
    root = Path(__file__).parents[2]
    texts = [*root.glob("mykey_tui/i18n/*/LC_MESSAGES/mykey.po"), root / "docs/failure-codes.md"]
    named = {
        name
        for path in [*texts, *root.glob("README*.md")]
        for name in re.findall(r"\bmykey ([a-z]+)", path.read_text("utf-8"))
    }
    assert named
    missing = [name for name in sorted(named) if said(name, "--help").exit_code != 0]
    assert missing == []


def test_a_queue_number_that_is_not_there_has_a_code_and_a_text(said: Any, enrolled: Any) -> None:
    home = enrolled()
    for action in (("retry", "99"), ("resolve", "99", "--yes")):
        answer = said("outbox", *action, "--home", home, "--json")
        assert (answer.exit_code, answer.json["result"]) == (1, "refused")
        assert answer.json["code"] == "S-NUMBER"
        assert answer.json["text"]


UNUSABLE: dict[str, tuple[str, Any]] = {
    "a-file": ("K-ACCESS", lambda home: home.write_text("a file")),
    "not-json": ("K-SET", lambda home: settings_are(home, "{")),
    "bad-language": ("K-SET", lambda home: settings_are(home, '{"language": "fr"}')),
    "mistyped": ("K-SET", lambda home: settings_are(home, '{"scaner": {}}')),
    "bad-reader": ("K-SET", lambda home: settings_are(home, '{"reader": "usb"}')),
    "lost-folder": ("K-SET", lambda home: settings_are(home, '{"reader": "emulator:/no/c.json"}')),
}


def settings_are(home: Path, text: str) -> None:
    home.mkdir()
    (home / "counter.json").write_text(text)


@pytest.mark.parametrize("case", UNUSABLE)
@pytest.mark.parametrize(
    "command",
    [("sync",), ("status",), ("enrol", "--server", "http://127.0.0.1:9", "--code", "0000000000")],
)
def test_a_home_or_settings_that_cannot_be_used_are_a_failure_with_a_code(
    said: Any, tmp_path: Path, case: str, command: Any
) -> None:
    code, make = UNUSABLE[case]
    home = tmp_path / "home"
    make(home)
    answer = said(*command, "--home", home, "--json")
    assert (answer.exit_code, answer.json["result"]) == (3, "failed")
    assert answer.json["code"] == code
    assert answer.err == ""
    assert answer.json["detail"]


def test_a_hand_over_section_that_cannot_be_used_is_a_failure_with_a_code(
    said: Any, enrolled: Any
) -> None:
    home = enrolled()
    (home / "counter.json").write_text('{"handover": {"kind": "telepathy"}}')
    answer = said("sync", "--home", home, "--json")
    assert (answer.exit_code, answer.json["code"]) == (3, "K-SET")
    assert "handover" in answer.json["detail"]


def test_the_demo_in_a_place_that_is_a_file_is_no_bug(
    said: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("mykey_tui.commands.demo.require_terminal", lambda: None)
    (tmp_path / "file").write_text("mine")
    answer = said("demo", "--home", tmp_path / "file", "--json")
    assert (answer.exit_code, answer.json["code"]) == (3, "K-ACCESS")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "accounts.xls").write_text("mine")
    answer = said("demo", "--home", tmp_path / "folder", "--json")
    assert (answer.exit_code, answer.out) == (2, "")


def test_a_demo_whose_server_does_not_start_says_so_with_a_code(
    said: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("mykey_tui.commands.demo.require_terminal", lambda: None)
    monkeypatch.setattr("mykey_tui.commands.demo_server._SERVE", ("-c", "pass"))
    answer = said("demo", "--home", tmp_path / "demo", "--json")
    assert (answer.exit_code, answer.json["code"]) == (3, "N-SERVER")
    assert answer.json["detail"] == "serve"


@pytest.mark.parametrize("port", ["²", "0", "65536", "١٢", "-1"])
def test_a_port_in_other_digits_is_wrong_usage(said: Any, tmp_path: Path, port: str) -> None:
    file = tmp_path / "c.json"
    make_card("1C2410DF79DGEL07202002B", at=datetime.now(UTC)).save(file)
    answer = said("card", "place", file, "--vpcd", f"127.0.0.1:{port}", "--home", tmp_path)
    assert answer.exit_code == 2
    assert "X-BUG" not in answer.err


@pytest.mark.parametrize(
    "address", ["", "not a url", "ftp://x", "http://", "127.0.0.1:1", "http://[::"]
)
def test_an_address_that_is_none_is_wrong_usage(said: Any, tmp_path: Path, address: str) -> None:
    answer = said("enrol", "--server", address, "--code", "0000000000", "--home", tmp_path / "h")
    assert (answer.exit_code, answer.out) == (2, "")
    assert "--server" in answer.err
    assert not (tmp_path / "h").exists()


def test_a_mistyped_card_file_is_reported_before_anybody_waits(said: Any, tmp_path: Path) -> None:
    begun = time.monotonic()
    reader = f"emulator:{tmp_path / 'missing' / 'card.json'}"
    answer = said("card", "show", "--reader", reader, "--home", tmp_path)
    assert answer.exit_code == 2
    assert "missing" in answer.err
    assert time.monotonic() - begun < 5


def test_the_prompt_names_the_file_that_is_waited_for(said: Any, tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    answer = said("card", "show", "--reader", f"emulator:{path}", "--wait", "0", "--home", tmp_path)
    assert str(path) in answer.err


JAPANESE = "端末の登録がまだです"


@pytest.mark.parametrize(
    ("written", "locale", "options", "is_japanese"),
    [
        ("{}", "C.UTF-8", (), False),
        ("{}", "ja_JP.UTF-8", (), True),
        ("{}", "C.UTF-8", ("--language", "ja"), True),
        ('{"language": "ja"}', "C.UTF-8", (), True),
        ('{"language": "ja"}', "ja_JP.UTF-8", ("--language", "en"), False),
        ('{"language": "en"}', "ja_JP.UTF-8", (), False),
    ],
)
@pytest.mark.parametrize("before", [True, False])
def test_the_language_of_a_command_could_only_be_set_in_the_file(
    said: Any, tmp_path: Path, monkeypatch: Any, written: str, locale: str,
    options: tuple[str, ...], is_japanese: bool, before: bool,
) -> None:  # fmt: skip
    monkeypatch.setenv("LANG", locale)
    for name in ("LC_ALL", "LC_MESSAGES", "TERM"):
        monkeypatch.delenv(name, raising=False)
    settings_are(tmp_path / "home", written)
    words = (*options, "sync") if before else ("sync", *options)
    answer = said(*words, "--home", tmp_path / "home")
    assert (answer.exit_code, "K-NONE" in answer.out) == (3, True)
    assert (JAPANESE in answer.out) is is_japanese


def test_the_language_that_was_asked_for_is_kept_where_the_settings_are_broken(
    said: Any, tmp_path: Path
) -> None:
    settings_are(tmp_path / "home", "{")
    answer = said("status", "--home", tmp_path / "home", "--language", "ja")
    assert "設定を使えません   K-SET" in answer.out


def test_another_language_is_wrong_usage(said: Any, tmp_path: Path) -> None:
    for words in (("--language", "fr"), ("sync", "--language", "fr"), ("--language",)):
        answer = said(*words, "--home", tmp_path)
        assert (answer.exit_code, answer.out) == (2, "")


def test_the_help_tells_of_the_language(said: Any) -> None:
    for words in (("--help",), ("lookup", "--help")):
        assert "--language {ja,en}" in said(*words).out
