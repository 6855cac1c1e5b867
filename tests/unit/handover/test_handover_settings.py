from pathlib import Path

import pytest

from mykey_tui.handover import HandOverSettings, from_settings
from mykey_tui.handover.command import RunCommand
from mykey_tui.handover.file_drop import DropMode, Encoding, FileDrop, LineEnd
from mykey_tui.handover.settings import HandOverKind

FILE = {
    "kind": "file",
    "path": "/srv/till/in.txt",
    "mode": "append",
    "encoding": "cp932",
    "line_end": "crlf",
}


def test_nothing_is_handed_over_until_it_is_set_up() -> None:
    assert from_settings(HandOverSettings.from_json({})) is None


def test_a_file_drop_is_made_as_it_was_set() -> None:
    settings = HandOverSettings.from_json(FILE)

    assert settings == HandOverSettings(
        kind=HandOverKind.FILE,
        path=Path("/srv/till/in.txt"),
        mode=DropMode.APPEND,
        encoding=Encoding.CP932,
        line_end=LineEnd.CRLF,
    )
    assert isinstance(from_settings(settings), FileDrop)


def test_a_command_is_made_as_it_was_set(tmp_path: Path) -> None:
    data = {"kind": "command", "argv": ["tee", str(tmp_path / "got")], "timeout_seconds": 5}
    adapter = from_settings(HandOverSettings.from_json(data))

    assert isinstance(adapter, RunCommand)
    adapter.send_test()
    assert (tmp_path / "got").read_bytes() == b"TEST-0000\n"


@pytest.mark.parametrize("data", [{}, FILE, {"kind": "command", "argv": ["till", "--in"]}])
def test_settings_survive_their_own_json(data: dict[str, object]) -> None:
    settings = HandOverSettings.from_json(data)
    assert HandOverSettings.from_json(settings.to_json()) == settings


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "carrier-pigeon"},
        {"kind": "file"},
        {"kind": "file", "path": "in.txt"},
        {"kind": "file", "path": "/a\0b"},
        {"kind": "file", "path": 7},
        {**FILE, "mode": "sometimes"},
        {**FILE, "encoding": "utf-7"},
        {**FILE, "line_end": "\n"},
        {"kind": "command"},
        {"kind": "command", "argv": "rm -rf"},
        {"kind": "command", "argv": ["a", 1]},
        {"kind": "command", "argv": ["x"] * 100},
        {"kind": "command", "argv": ["x"], "timeout_seconds": 0},
        {"kind": "command", "argv": ["x"], "timeout_seconds": 31},
        {"kind": "command", "argv": ["x"], "timeout_seconds": "5"},
        {"kind": "command", "argv": ["x"], "timeout_seconds": True},
        {"kind": "off", "shell": "yes"},
        {"kind": ["off"]},
    ],
)
def test_a_wrong_setting_is_found_when_it_is_read(data: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        HandOverSettings.from_json(data)
