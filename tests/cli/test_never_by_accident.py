"""A counter for real cards serves nobody from a file, whatever it is told and by whom."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mykey_tui.simulated.cards import make_card

PAPER = "1C2410DF79DGEL07202002B"
NOT_ONE_OF_US = (
    ("lookup",),
    ("link", "--service-id", "R000001"),
    ("unlink",),
    ("card", "show"),
    ("soak", "--taps", "1"),
)
"""Every command that reads a card."""


@pytest.fixture(scope="module")
def enrolled_for_real(
    real_site: Any, commands: Any, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    home: Path = tmp_path_factory.mktemp("never") / "real"
    real_site.operator("provider", "add", "N-α1-0001", "--name", "本番", "--profile", "jpki")
    code = real_site.code("N-α1-0001")
    answer = commands.mykey(home, "enrol", "--server", real_site.url, "--code", code)
    assert answer.exit_code == 0, answer.out + answer.err
    return home


@pytest.fixture
def real_home(enrolled_for_real: Path, tmp_path: Path) -> Path:
    """A copy for each test: what stands in its settings is the test's own."""
    home = tmp_path / "real"
    shutil.copytree(enrolled_for_real, home)
    return home


def write(home: Path, **settings: object) -> None:
    path = home / "counter.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "sample.json"
    make_card(PAPER, at=datetime.now(UTC)).save(path)
    return path


@pytest.mark.parametrize("command", NOT_ONE_OF_US, ids=" ".join)
def test_a_card_file_as_an_argument_is_refused(
    said: Any, real_home: Path, card: Path, command: tuple[str, ...]
) -> None:
    answer = said(*command, "--home", real_home, "--reader", f"emulator:{card}", "--json")
    assert (answer.exit_code, answer.json["code"]) == (3, "D-SIMULATED")


@pytest.mark.parametrize("command", NOT_ONE_OF_US, ids=" ".join)
def test_a_card_file_in_the_settings_is_refused(
    said: Any, real_home: Path, card: Path, command: tuple[str, ...]
) -> None:
    write(real_home, reader=f"emulator:{card}")
    answer = said(*command, "--home", real_home, "--json")
    assert (answer.exit_code, answer.json["code"]) == (3, "D-SIMULATED")


@pytest.mark.parametrize("command", NOT_ONE_OF_US[:3], ids=" ".join)
def test_settings_that_call_the_counter_simulated_change_nothing_of_what_it_is(
    said: Any, real_home: Path, card: Path, command: tuple[str, ...]
) -> None:
    write(real_home, reader=f"emulator:{card}", profile="simulated")
    answer = said(*command, "--home", real_home, "--json")
    assert (answer.exit_code, answer.json["code"]) == (3, "D-SIMULATED")


def test_settings_that_are_lost_change_nothing_of_what_it_is(
    said: Any, real_home: Path, card: Path
) -> None:
    (real_home / "counter.json").unlink()
    answer = said("lookup", "--home", real_home, "--reader", f"emulator:{card}", "--json")
    assert (answer.exit_code, answer.json["code"]) == (3, "D-SIMULATED")


def test_a_card_that_is_placed_in_it_lies_where_nobody_looks(
    said: Any, real_home: Path, card: Path
) -> None:
    placed = said("card", "place", card, "--home", real_home, "--json")
    assert placed.exit_code == 0
    answer = said("lookup", "--home", real_home, "--wait", "0.3", "--json")
    assert answer.exit_code == 3
    assert answer.json["service_id"] is None
    answer = said("lookup", "--home", real_home, "--reader", placed.json["reader"], "--json")
    assert answer.json["code"] == "D-SIMULATED"


@pytest.mark.parametrize(
    "name", ["MYKEY_READER", "MYKEY_PROFILE", "MYKEY_SIMULATED", "MYKEY_SIM", "MYKEY_DEMO"]
)
def test_no_variable_chooses_a_reader_or_a_profile(
    said: Any, real_home: Path, card: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    told = said("status", "--home", real_home, "--json").json
    for value in (f"emulator:{card}", "simulated", "1"):
        monkeypatch.setenv(name, value)
        answer = said("status", "--home", real_home, "--json").json
        assert (answer["profile"], answer["simulated"]) == ("jpki", told["simulated"])
        shown = said("card", "show", "--home", real_home, "--wait", "0.1", "--json")
        assert shown.exit_code == 3


def test_the_demo_does_not_open_its_home(
    real_home: Path, commands: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mykey_tui.commands.demo_folder import DemoFolder
    from mykey_tui.settings import SettingsError

    before = sorted(real_home.rglob("*"))
    with pytest.raises(SettingsError, match="neither an empty folder nor a demo"):
        DemoFolder(real_home).prepare()
    assert sorted(real_home.rglob("*")) == before


def test_the_doctor_says_it_as_well(said: Any, real_home: Path, card: Path) -> None:
    answer = said("doctor", "--home", real_home, "--reader", f"emulator:{card}", "--json")
    (reader,) = [found for found in answer.json["findings"] if found["layer"] == "reader"]
    assert reader["code"] == "D-SIMULATED"
