"""What `counter.json` may say, and what a mistyped name in it comes to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mykey_tui.domain.assurance import PinPolicy
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.handover.settings import HandOverSettings
from mykey_tui.settings import Settings, load_settings


def settings_of(home: Path, values: object) -> Settings:
    (home / "counter.json").write_text(json.dumps(values))
    return load_settings(home=str(home), reader=None, environment={})


@pytest.mark.parametrize(
    ("values", "name", "meant"),
    [
        ({"scaner": {"kind": "serial", "device": "/dev/ttyS0"}}, "scaner", "scanner"),
        ({"pim": {"policy": "always"}}, "pim", "pin"),
        ({"Language": "en"}, "Language", "language"),
        ({"pin": {"polcy": "always"}}, "pin.polcy", "policy"),
        ({"pin": {"policy": "always", "key pad": "/dev/x"}}, "pin.key pad", "keypad"),
        ({"scanner": {"kind": "serial", "device": "/dev/ttyS0", "bauds": 9600}}, "bauds", "baud"),
        ({"colour": "green"}, "colour", "counter, handover, language, pin, point"),
    ],
)
def test_a_mistyped_name_in_the_settings_was_passed_over_in_silence(
    tmp_path: Path, values: object, name: str, meant: str
) -> None:
    with pytest.raises(StoreError) as caught:
        settings_of(tmp_path, values)
    assert caught.value.code is Code.STORE_SETTINGS
    said = str(caught.value)
    assert f"{name}: no such setting; write " in said
    assert meant in said


def test_a_mistyped_name_of_the_hand_over_is_named_too() -> None:
    with pytest.raises(ValueError, match="pth: no such setting; write path"):
        HandOverSettings.from_json({"kind": "file", "pth": "/srv/till"})


def test_a_hostile_name_is_shown_as_text_and_short(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        settings_of(tmp_path, {"\x1b[2J" + "x" * 5000: 1})
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_what_the_enrolment_writes_and_notes_are_passed_over(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        {
            "_why": "the till's program is replaced in March",
            "counter": "2号レジ",
            "provider": "A-α1-0001",
            "server": "https://sync.example",
            "pin": {"_since": "2026-11", "policy": "on-link"},
            "_scanner": {"kind": "of a newer program"},
        },
    )
    assert settings.pin.policy is PinPolicy.ON_LINK


@pytest.mark.parametrize("section", ["pin", "scanner", "handover"])
@pytest.mark.parametrize("written", [False, 0, "", []])
def test_a_section_that_is_no_object_is_not_taken_for_none(
    tmp_path: Path, section: str, written: object
) -> None:
    with pytest.raises(StoreError, match=section):
        settings_of(tmp_path, {section: written})
    assert settings_of(tmp_path, {section: None}).pin.policy is PinPolicy.NEVER
