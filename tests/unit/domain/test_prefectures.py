"""The prefecture of a municipality code, and nothing for what is no such code."""

from __future__ import annotations

import pytest

from mykey_tui.domain.prefectures import prefecture_of


@pytest.mark.parametrize(
    ("code", "japanese", "english"),
    [
        ("01100", "北海道", "Hokkaido"),
        ("07202", "福島県", "Fukushima"),
        ("13221", "東京都", "Tokyo"),
        ("14100", "神奈川県", "Kanagawa"),
        ("27100", "大阪府", "Osaka"),
        ("40130", "福岡県", "Fukuoka"),
        ("47201", "沖縄県", "Okinawa"),
    ],
)
def test_the_first_two_digits_name_the_prefecture(code: str, japanese: str, english: str) -> None:
    prefecture = prefecture_of(code)
    assert prefecture is not None
    assert (prefecture.japanese, prefecture.english) == (japanese, english)


def test_there_are_forty_seven_and_no_name_twice() -> None:
    all_of_them = [prefecture_of(f"{number:02d}000") for number in range(100)]
    named = [prefecture for prefecture in all_of_them if prefecture is not None]
    assert len(named) == 47
    assert len({prefecture.japanese for prefecture in named}) == 47
    assert len({prefecture.english for prefecture in named}) == 47


@pytest.mark.parametrize(
    "text",
    [
        "",
        "07",
        "0720",
        "072020",
        "00201",
        "48201",
        "99999",
        "7 202",
        "０７２０２",
        "-7202",
        "07²02",
    ],
)
def test_what_is_no_code_has_no_prefecture(text: str) -> None:
    assert prefecture_of(text) is None
