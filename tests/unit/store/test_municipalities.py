"""Names of municipalities from a list that a site laid into the home, whatever that list is."""

from __future__ import annotations

from pathlib import Path

import pytest

from mykey_tui.store.municipalities import municipality_name

LIST = """団体コード,都道府県名（漢字）,市区町村名（漢字）,都道府県名（カナ）,市区町村名（カナ）
011002,北海道,札幌市,ﾎﾂｶｲﾄﾞｳ,ｻﾂﾎﾟﾛｼ
070009,福島県,,ﾌｸｼﾏｹﾝ,
072028,福島県,会津若松市,ﾌｸｼﾏｹﾝ,ｱｲﾂﾞﾜｶﾏﾂｼ
13221,東京都,清瀬市,ﾄｳｷﾖｳﾄ,ｷﾖｾｼ
"""


def laid(home: Path, content: bytes) -> Path:
    (home / "municipalities.csv").write_bytes(content)
    return home


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_the_ministrys_list_is_read_as_spreadsheets_save_it(tmp_path: Path, encoding: str) -> None:
    home = laid(tmp_path, LIST.replace("\n", "\r\n").encode(encoding))
    assert municipality_name(home, "07202") == "会津若松市"
    assert municipality_name(home, "01100") == "札幌市"
    assert municipality_name(home, "13221") == "清瀬市"


def test_what_the_list_does_not_know_has_no_name(tmp_path: Path) -> None:
    home = laid(tmp_path, LIST.encode())
    for code in ("07000", "99999", "", "0720", "072028"):
        assert municipality_name(home, code) == ""


def test_without_a_list_nobody_has_a_name(tmp_path: Path) -> None:
    assert municipality_name(tmp_path, "07202") == ""
    (tmp_path / "municipalities.csv").mkdir()
    assert municipality_name(tmp_path, "07202") == ""


def test_a_code_whose_check_digit_is_wrong_is_a_typing_error(tmp_path: Path) -> None:
    assert municipality_name(laid(tmp_path, b"072029,x,Wrong\n"), "07202") == ""


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff" * 1000,
        b'"' * 1000,
        b"07202,x," + b"y" * 500_000,
        b"a" * 2_000_000,
        b"07202,,\n",
    ],
    ids=["empty", "noise", "quotes", "long name", "too long", "no name"],
)
def test_a_list_that_is_none_names_nobody_and_breaks_nothing(
    tmp_path: Path, content: bytes
) -> None:
    assert len(municipality_name(laid(tmp_path, content), "07202")) <= 32


def test_nothing_of_a_name_acts_on_a_terminal(tmp_path: Path) -> None:
    home = laid(tmp_path, "07202,x,\x1b[2J市\n".encode())
    assert "\x1b" not in municipality_name(home, "07202")
