import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mykey_tui.reader.card_file import (
    FILE_SIZE_MAX,
    CardFile,
    CardFileError,
    CardKind,
    CardPin,
    Fault,
    FaultName,
)

CARD = CardFile(
    kind=CardKind.JPKI,
    name="見本カード",
    atr=bytes.fromhex("3B888001000005E0B381A1007F"),
    files={0x000A: b"\x30\x03abc", 0x0008: b"\x8f\x8f\x00"},
    auth_key=None,
    pins={0x0018: CardPin("1234", 3)},
    uid=None,
    fault=Fault(FaultName.SLOW, seconds=0.02),
)


def changed(**fields: object) -> bytes:
    return json.dumps({**json.loads(CARD.encode()), **fields}).encode()


def test_a_card_file_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    CARD.save(path)
    assert CardFile.load(path) == CARD
    assert [entry.name for entry in tmp_path.iterdir()] == ["card.json"]


def test_a_card_file_is_for_its_owner_only(tmp_path: Path) -> None:
    CARD.save(tmp_path / "card.json")
    assert (tmp_path / "card.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", FaultName)
def test_a_fault_needs_its_name_only(name: FaultName) -> None:
    card = CardFile.parse(changed(fault={"name": name.value}))
    assert card.fault == Fault(name)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 20_000,
        b" " * (FILE_SIZE_MAX + 1),
        changed(format=2),
        changed(kind="bank"),
        changed(kind=[]),
        changed(name=5),
        changed(atr="3B8"),
        changed(atr="00" * 34),
        changed(files=[]),
        changed(files={"A": "00"}),
        changed(files={"000A": "00" * 0x8000}),
        changed(files={f"{n:04X}": "" for n in range(40)}),
        changed(pins={"0018": {"value": "1234"}}),
        changed(pins={"0018": {"value": "1234", "tries": True}}),
        changed(pins={"0018": {"value": "1234", "tries": 99}}),
        changed(pins={"0018": {"value": "１２３４", "tries": 3}}),
        changed(fault={"name": "explode"}),
        changed(fault={"name": "slow", "seconds": -1}),
        changed(fault={"name": "slow", "seconds": float("nan")}),
        changed(fault="slow"),
        changed(simulated="no"),
        changed(uid="00" * 11),
    ],
)
def test_a_file_that_is_no_card_file_is_refused(content: bytes) -> None:
    with pytest.raises(CardFileError):
        CardFile.parse(content)


def test_a_missing_card_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CardFileError):
        CardFile.load(tmp_path / "none.json")


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["kind", "atr", "files", "pins", "uid", "fault"]), JSON))
def test_any_json_is_a_card_file_or_refused(fields: dict[str, Any]) -> None:
    with suppress(CardFileError):
        CardFile.parse(changed(**fields))


def test_printing_a_card_shows_nothing_of_it() -> None:
    assert repr(CARD) == "<CardFile jpki>"
    assert "1234" not in repr(CARD.pins[0x0018])
