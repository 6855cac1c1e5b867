"""What `counter.json` may say of a scanner."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.scanner_settings import ScannerKind, ScannerSettings
from mykey_tui.settings import load_settings


def test_without_a_word_the_scanner_is_a_keyboard() -> None:
    settings = ScannerSettings.parse({})
    assert (settings.kind, settings.gap_seconds, settings.device) == (
        ScannerKind.KEYBOARD,
        0.035,
        None,
    )


def test_a_port_a_device_and_a_gap_are_read() -> None:
    port = ScannerSettings.parse({"kind": "serial", "device": "/dev/ttyACM0", "baud": 115200})
    assert (port.device, port.baud) == (Path("/dev/ttyACM0"), 115200)
    device = ScannerSettings.parse({"kind": "input", "device": "/dev/input/by-id/usb-scanner"})
    assert device.kind is ScannerKind.INPUT
    assert ScannerSettings.parse({"kind": "keyboard", "gap_ms": 60}).gap_seconds == 0.06


@pytest.mark.parametrize(
    "written",
    [
        "serial",
        {"kind": "bluetooth"},
        {"kind": "serial"},
        {"kind": "serial", "device": "ttyS0"},
        {"kind": "serial", "device": 7},
        {"kind": "serial", "device": "/dev/ttyS0", "baud": 12345},
        {"kind": "input", "device": "/dev/input/event0", "baud": 9600},
        {"kind": "keyboard", "gap_ms": 5},
        {"kind": "keyboard", "gap_ms": True},
        {"kind": "keyboard", "gap_ms": "35"},
        {"kind": "keyboard", "device": "/dev/ttyS0"},
        {"gap": 35},
    ],
)
def test_what_cannot_be_meant_is_named(written: object, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="scanner"):
        ScannerSettings.parse(written)
    (tmp_path / "counter.json").write_text(json.dumps({"scanner": written}))
    with pytest.raises(StoreError) as caught:
        load_settings(home=str(tmp_path), reader=None, environment={})
    assert caught.value.code is Code.STORE_SETTINGS
