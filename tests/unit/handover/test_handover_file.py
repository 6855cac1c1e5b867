"""Hand-over by file, against a real file system and a reader that looks all the time."""

import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import HandOverError
from mykey_tui.domain.ids import ServiceId
from mykey_tui.handover.file_drop import (
    APPENDED_BYTES_MAX,
    UNCOLLECTED_FILES_MAX,
    DropMode,
    Encoding,
    FileDrop,
    LineEnd,
)

MEMBER = ServiceId("2802121234")


def one_per_tap(path: Path, line_end: LineEnd = LineEnd.LF) -> FileDrop:
    return FileDrop(path, mode=DropMode.ONE_PER_TAP, line_end=line_end)


def append(path: Path, encoding: Encoding = Encoding.UTF_8) -> FileDrop:
    return FileDrop(path, mode=DropMode.APPEND, encoding=encoding, line_end=LineEnd.CRLF)


def refused(action: Callable[[], None]) -> HandOverError:
    with pytest.raises(HandOverError) as caught:
        action()
    assert caught.value.code is Code.HANDOVER_FILE
    assert MEMBER.text not in repr(caught.value)
    return caught.value


def test_each_tap_becomes_one_file_with_one_line(tmp_path: Path) -> None:
    one_per_tap(tmp_path).send(MEMBER)
    one_per_tap(tmp_path).send(ServiceId("1111358665"))

    files = list(tmp_path.iterdir())
    assert sorted(file.read_bytes() for file in files) == [b"1111358665\n", b"2802121234\n"]
    assert {file.suffix for file in files} == {".txt"}


def test_a_file_name_tells_neither_the_member_nor_the_order(tmp_path: Path) -> None:
    arrived: list[Path] = []
    for number in range(20):
        before = set(tmp_path.iterdir())
        one_per_tap(tmp_path).send(ServiceId(f"{number:010d}"))
        arrived.extend(set(tmp_path.iterdir()) - before)

    assert arrived != sorted(arrived)
    for number, path in enumerate(arrived):
        assert f"{number:010d}" not in path.name


def test_a_watching_reader_never_sees_a_half_line(tmp_path: Path) -> None:
    torn, stop = [], threading.Event()

    def watch() -> None:
        while not stop.is_set():
            for path in tmp_path.glob("*.txt"):
                content = path.read_bytes()
                if content != b"2802121234\r\n":
                    torn.append(content)
                path.unlink()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for _ in range(200):
            one_per_tap(tmp_path, LineEnd.CRLF).send(MEMBER)
    finally:
        stop.set()
        watcher.join(5)
    assert torn == []


def test_lines_are_appended_in_the_order_of_the_taps(tmp_path: Path) -> None:
    adapter = append(tmp_path / "till.txt")
    for text in ("ABCDEFGHI", "2802121234"):
        adapter.send(ServiceId(text))

    assert (tmp_path / "till.txt").read_bytes() == b"ABCDEFGHI\r\n2802121234\r\n"


def test_two_counters_may_append_to_one_file(tmp_path: Path) -> None:
    path = tmp_path / "till.txt"

    def send(prefix: str) -> None:
        for number in range(50):
            append(path).send(ServiceId(f"{prefix}{number:04d}"))

    threads = [threading.Thread(target=send, args=(prefix,)) for prefix in "AB"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    lines = path.read_bytes().splitlines(keepends=True)
    wanted = [f"{prefix}{number:04d}\r\n".encode() for prefix in "AB" for number in range(50)]
    assert sorted(lines) == wanted


def test_a_line_cut_by_a_power_failure_does_not_grow_into_another_number(tmp_path: Path) -> None:
    path = tmp_path / "till.txt"
    path.write_bytes(b"ABCDEFGHI\r\n28021")

    append(path).send(ServiceId("1111358665"))

    assert path.read_bytes().splitlines() == [b"ABCDEFGHI", b"28021", b"1111358665"]


@pytest.mark.parametrize("encoding", Encoding)
def test_both_encodings_write_what_the_till_reads(encoding: Encoding, tmp_path: Path) -> None:
    append(tmp_path / "till.txt", encoding).send(MEMBER)
    assert (tmp_path / "till.txt").read_text(encoding.value) == "2802121234\n"


def test_a_missing_folder_is_a_failure_with_a_code(tmp_path: Path) -> None:
    refused(lambda: one_per_tap(tmp_path / "nowhere").send(MEMBER))
    refused(lambda: append(tmp_path / "nowhere" / "till.txt").send(MEMBER))


def test_a_folder_that_takes_no_files_is_a_failure_with_a_code() -> None:
    # Nobody may make a file there, not even root.
    error = refused(lambda: one_per_tap(Path("/sys/kernel")).send(MEMBER))
    assert str(error) in {"EACCES", "EPERM", "EROFS"}


@pytest.mark.parametrize("mode", DropMode)
def test_a_full_disk_leaves_nothing_of_the_line(
    mode: DropMode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path if mode is DropMode.ONE_PER_TAP else tmp_path / "till.txt"
    adapter = FileDrop(path, mode=mode)
    adapter.send(ServiceId("1111358665"))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    whole_write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: whole_write(fd, data[:4]))

    error = refused(lambda: adapter.send(MEMBER))

    assert errno.errorcode[errno.ENOSPC] in str(error)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_disk_that_is_really_full_says_so() -> None:
    device = Path("/dev/full")
    if not device.exists():
        pytest.skip("no /dev/full here")
    refused(lambda: append(device).send(MEMBER))


def test_a_link_or_a_pipe_in_place_of_the_file_is_refused_at_once(tmp_path: Path) -> None:
    secret = tmp_path / "counter.db"
    secret.write_bytes(b"ours\n")
    (tmp_path / "link.txt").symlink_to(secret)
    os.mkfifo(tmp_path / "pipe.txt")

    refused(lambda: append(tmp_path / "link.txt").send(MEMBER))
    refused(lambda: append(tmp_path / "pipe.txt").send(MEMBER))
    assert secret.read_bytes() == b"ours\n"


def test_files_that_nobody_collects_do_not_become_a_history(tmp_path: Path) -> None:
    for number in range(UNCOLLECTED_FILES_MAX):
        (tmp_path / f"mykey-{number:016x}.txt").touch()

    refused(lambda: one_per_tap(tmp_path).send(MEMBER))
    assert len(list(tmp_path.iterdir())) == UNCOLLECTED_FILES_MAX


def test_lines_that_nobody_collects_do_not_become_a_history(tmp_path: Path) -> None:
    path = tmp_path / "till.txt"
    path.write_bytes(b"x" * (APPENDED_BYTES_MAX - 1) + b"\n")

    refused(lambda: append(path).send(MEMBER))
    assert path.stat().st_size == APPENDED_BYTES_MAX


def test_what_a_power_failure_left_half_written_is_taken_away(tmp_path: Path) -> None:
    old, young = tmp_path / ".mykey-aa.part", tmp_path / ".mykey-bb.part"
    for part in (old, young):
        part.write_bytes(b"28021")
    os.utime(old, (0, 0))

    one_per_tap(tmp_path).send(MEMBER)

    assert not old.exists()
    assert young.exists()


def test_a_till_that_holds_its_file_does_not_hold_the_counter(tmp_path: Path) -> None:
    path = tmp_path / "till.txt"
    with path.open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        begun = time.monotonic()
        refused(lambda: append(path).send(MEMBER))
    assert time.monotonic() - begun < 5
    assert path.read_bytes() == b""


def test_nobody_else_may_read_the_drop(tmp_path: Path) -> None:
    one_per_tap(tmp_path).send(MEMBER)
    append(tmp_path / "till.txt").send(MEMBER)
    assert {path.stat().st_mode & 0o007 for path in tmp_path.iterdir()} == {0}


def test_the_test_value_goes_the_same_way_and_is_marked(tmp_path: Path) -> None:
    one_per_tap(tmp_path).send_test()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"TEST-0000\n"]
