"""Hand-over to a program, with real programs."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import HandOverError
from mykey_tui.domain.ids import ServiceId
from mykey_tui.handover.command import TIMEOUT_SECONDS_MAX, RunCommand

MEMBER = ServiceId("2802121234")


def python(program: str, *arguments: str, timeout_seconds: float = 20) -> RunCommand:
    return RunCommand(
        [sys.executable, "-S", "-c", program, *arguments], timeout_seconds=timeout_seconds
    )


def code_of(adapter: RunCommand) -> Code:
    with pytest.raises(HandOverError) as caught:
        adapter.send(MEMBER)
    assert MEMBER.text not in repr(caught.value)
    return caught.value.code


COPY = "import sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read())"


def test_the_program_gets_the_service_id_and_a_newline_on_its_input(tmp_path: Path) -> None:
    python(COPY, str(tmp_path / "got")).send(MEMBER)
    assert (tmp_path / "got").read_bytes() == b"2802121234\n"


def test_the_test_value_goes_the_same_way_and_is_marked(tmp_path: Path) -> None:
    python(COPY, str(tmp_path / "got")).send_test()
    assert (tmp_path / "got").read_bytes() == b"TEST-0000\n"


def test_no_shell_ever_sees_the_arguments(tmp_path: Path) -> None:
    python(COPY, str(tmp_path / "a; touch b $(touch c)")).send(MEMBER)
    assert [path.name for path in tmp_path.iterdir()] == ["a; touch b $(touch c)"]


def test_another_exit_code_than_0_means_not_handed_over() -> None:
    assert code_of(python("raise SystemExit(3)")) is Code.HANDOVER_COMMAND


def test_a_program_that_dies_of_a_signal_has_not_taken_it() -> None:
    assert code_of(python("import os; os.kill(os.getpid(), 9)")) is Code.HANDOVER_COMMAND


@pytest.mark.parametrize("name", ["/nowhere/till", "/etc/passwd", "/"])
def test_a_program_that_cannot_be_started_is_a_failure_with_a_code(name: str) -> None:
    assert code_of(RunCommand([name], timeout_seconds=5)) is Code.HANDOVER_COMMAND


def test_a_program_that_never_reads_its_input_counts_by_its_exit_code() -> None:
    python("").send(MEMBER)


def test_a_program_that_takes_too_long_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    program = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        "open(sys.argv[1], 'w').write(f'{os.getpid()} {child.pid}')\n"
        "time.sleep(60)\n"
    )
    begun = time.monotonic()

    assert code_of(python(program, str(tmp_path / "pids"), timeout_seconds=2)) is (
        Code.HANDOVER_TIMEOUT
    )

    assert time.monotonic() - begun < 10
    for pid in map(int, (tmp_path / "pids").read_text().split()):
        assert wait_until_gone(pid)


def wait_until_gone(pid: int) -> bool:
    for _ in range(100):
        try:
            if b") Z " in Path(f"/proc/{pid}/stat").read_bytes():
                return True  # Dead; its new parent has not collected it yet.
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return False


def test_what_the_program_prints_reaches_neither_the_screen_nor_our_memory(
    capfd: pytest.CaptureFixture[str],
) -> None:
    flood = "import sys; [s.write('x' * 1_000_000) for s in (sys.stdout, sys.stderr)]"
    python(flood).send(MEMBER)
    assert capfd.readouterr() == ("", "")


def test_the_program_is_not_told_where_our_secrets_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYKEY_HOME", "/somewhere")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials")
    monkeypatch.setenv("LANG", "C.UTF-8")
    program = "import os, sys; open(sys.argv[1], 'w').write(' '.join(os.environ))"

    python(program, str(tmp_path / "names")).send(MEMBER)

    names = (tmp_path / "names").read_text().split()
    assert "LANG" in names
    assert not {"MYKEY_HOME", "CREDENTIALS_DIRECTORY"} & set(names)


@pytest.mark.parametrize("seconds", [0, -1, TIMEOUT_SECONDS_MAX + 1, float("nan")])
def test_nobody_waits_for_ever_at_a_counter(seconds: float) -> None:
    with pytest.raises(ValueError, match="at most"):
        RunCommand(["true"], timeout_seconds=seconds)
