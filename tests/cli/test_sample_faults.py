"""Cards with one thing wrong, made by the command: each is answered as the table in the documents says."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from mykey_tui.commands.card_thread import CardThread
from mykey_tui.domain.codes import Code
from mykey_tui.i18n.catalog import Catalog, Language
from mykey_tui.reader.card_file import CardFile
from mykey_tui.simulated.faults import SAMPLE_FAULTS, SampleFault

CN = "FAULTS0000000007202002B"
DOCUMENT = Path(__file__).parents[2] / "docs" / "cards.md"
QUICK = {"slow": ":seconds=0.01", "hang": ":at=3,seconds=0.01"}
"""The usual measures are for people."""
ASKING = [fault for fault in SAMPLE_FAULTS if fault.with_pin is not None]


@pytest.fixture(scope="module")
def home(_site: Any, commands: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A counter on which nobody is linked, and which asks for the PIN before it links."""
    folder: Path = tmp_path_factory.mktemp("faults") / "counter"
    if _site.server is None:
        _site.start()
    code = _site.code(commands.PROVIDERS[0][0])
    answer = commands.mykey(folder, "enrol", "--server", _site.url, "--code", code, "--json")
    assert answer.exit_code == 0, answer.out + answer.err
    written = json.loads((folder / "counter.json").read_text())
    (folder / "counter.json").write_text(json.dumps({**written, "pin": {"policy": "on-link"}}))
    yield folder


@pytest.fixture
def lay_faulty(said: Any, tmp_path: Path, home: Path) -> Any:
    """Make the card by the command and lay it on the counter's own reader, as in a training."""

    def lay(text: str) -> str:
        file = tmp_path / "card.json"
        made = said("card", "make", "--cn", CN, "--out", file, "--fault", text, "--json")
        assert made.exit_code == 0, made.err
        placed = said("card", "place", file, "--home", home, "--json")
        return str(placed.json["reader"])

    return lay


@pytest.mark.parametrize("fault", SAMPLE_FAULTS, ids=lambda fault: fault.name)
def test_the_counter_says_of_each_what_the_table_says(
    said: Any, home: Path, lay_faulty: Any, fault: SampleFault
) -> None:
    reader = lay_faulty(fault.name + QUICK.get(fault.name, ""))
    answer = said("lookup", "--home", home, "--reader", reader, "--json")
    assert answer.json["code"] == fault.lookup.value


@pytest.mark.parametrize("fault", ASKING, ids=lambda fault: fault.name)
def test_where_a_pin_is_asked_for_it_says_what_the_table_says(
    said: Any, home: Path, lay_faulty: Any, fault: SampleFault, monkeypatch: Any
) -> None:
    reader = lay_faulty(fault.name)
    monkeypatch.setattr(sys, "stdin", io.StringIO("1234\n"))
    answer = said(
        "link", "--service-id", "F000001", "--home", home, "--reader", reader, "--json",
        "--pin-stdin",
    )  # fmt: skip
    assert fault.with_pin is not None
    assert answer.json["code"] == fault.with_pin.value


def test_a_card_that_hands_out_single_bytes_is_given_up(
    said: Any, home: Path, lay_faulty: Any
) -> None:
    reader = lay_faulty("short-reads:count=1")
    answer = said("lookup", "--home", home, "--reader", reader, "--json")
    assert answer.json["code"] == "C-READ"


@pytest.mark.parametrize("text", ["slow:seconds=0.2", "hang:at=4,seconds=1"])
def test_a_card_that_needs_longer_than_a_reading_may_take_is_slow(
    said: Any, home: Path, lay_faulty: Any, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    reader = lay_faulty(text)
    usual = CardThread.run.__kwdefaults__ or {}
    monkeypatch.setattr(CardThread.run, "__kwdefaults__", {**usual, "deadline_seconds": 0.5})
    answer = said("lookup", "--home", home, "--reader", reader, "--json")
    assert answer.json["code"] == "C-SLOW"


@pytest.mark.parametrize("name", ["slow", "locked", "phone", "copied", "next-generation"])
def test_the_pin_is_the_one_that_was_asked_for(said: Any, tmp_path: Path, name: str) -> None:
    file = tmp_path / "card.json"
    make = ("card", "make", "--cn", CN, "--out", file, "--fault", name, "--pin")
    assert said(*make, "735").exit_code == 2
    assert said(*make, "7351").exit_code == 0
    assert CardFile.load(file).pins[0x0018].value == "7351"


def test_a_card_taken_away_at_the_first_command_is_taken_away(
    said: Any, home: Path, lay_faulty: Any
) -> None:
    reader = lay_faulty("removed-during-read:at=1")
    answer = said("lookup", "--home", home, "--reader", reader, "--json")
    assert answer.json["code"] == "C-REMOVED"


def test_the_documents_have_the_same_table() -> None:
    rows = re.findall(
        r"^\| `([a-z-]+)[^`]*` \| ([A-Z-]+) \| ([A-Z-]*) ?\|", DOCUMENT.read_text(), re.M
    )
    assert rows == [
        (fault.name, fault.lookup.value, fault.with_pin.value if fault.with_pin else "")
        for fault in SAMPLE_FAULTS
    ]


@pytest.mark.parametrize("language", Language)
def test_the_list_names_every_fault_in_both_languages(said: Any, language: Language) -> None:
    listed = said("card", "make", "--fault", "list", "--json").json["faults"]
    assert [row["name"] for row in listed] == [fault.name for fault in SAMPLE_FAULTS]
    catalog = Catalog(language)
    for fault in SAMPLE_FAULTS:
        key = f"cli.card.fault.{fault.name}"
        assert catalog.text(key) not in ("", key)
        # Behind 44 columns of names and codes, on a screen of 80.
        assert cell_len(catalog.text(key)) <= 36


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("explode", "one of slow, hang"),
        ("mute:at=3", "mute takes nothing"),
        ("slow:at=3", "slow takes seconds"),
        ("slow:seconds=long", "seconds: a number"),
        ("slow:seconds=nan", "seconds is not a number from"),
        ("slow:seconds=-1", "seconds is not a number from"),
        ("removed-during-read:at=0", "at is not a number from"),
        ("ending:days=nan", "days: 0 to"),
        ("ending:days=1e400", "days: 0 to"),
    ],
)
def test_a_fault_that_cannot_be_had_is_wrong_usage(
    said: Any, tmp_path: Path, text: str, says: str
) -> None:
    answer = said("card", "make", "--cn", CN, "--out", tmp_path / "card.json", "--fault", text)
    assert (answer.exit_code, answer.out) == (2, "")
    assert says in answer.err
    assert not (tmp_path / "card.json").exists()


@pytest.mark.parametrize("missing", ["--cn", "--out"])
def test_a_card_needs_a_person_and_a_file(said: Any, tmp_path: Path, missing: str) -> None:
    given = {"--cn": CN, "--out": str(tmp_path / "card.json")}
    del given[missing]
    answer = said("card", "make", *(word for pair in given.items() for word in pair))
    assert answer.exit_code == 2
    assert "--cn and --out" in answer.err


def test_every_code_of_the_table_is_one_that_people_can_look_up() -> None:
    told = {fault.lookup for fault in SAMPLE_FAULTS} | {f.with_pin for f in ASKING}
    pages = (DOCUMENT.parent / "failure-codes.md").read_text()
    for code in told:
        assert isinstance(code, Code)
        assert f"### {code.value}\n" in pages
