"""What trying out a scanner says of it, and what it keeps of a code."""

from __future__ import annotations

import pytest

from mykey_tui.flows.scan_test import Scan, gap_needed, is_too_slow, scan_of, sends_no_end


def scan(gap: int | None) -> Scan:
    return Scan(10, "9999999999", gap, "enter")


def test_a_scan_keeps_length_shape_and_the_longest_gap() -> None:
    seen = scan_of(
        "A37859+b", times=[1.0, 1.004, 1.008, 1.021, 1.025, 1.03, 1.033, 1.04], end="enter"
    )
    assert seen == Scan(8, "A99999+A", 13, "enter")
    assert scan_of("2802", times=[], end="") == Scan(4, "9999", None, "")
    assert len(scan_of("9" * 60, times=[], end="").shape) == 32


@pytest.mark.parametrize(
    ("gaps", "needed"),
    [
        ([4, 5, 4], 25),
        ([20, 21, 22], 35),
        ([40, 30, 31], 60),
        ([66, 10, 10], 100),
        ([67, 10, 10], None),
        ([4, 5], None),
        ([None, None, None], None),
        ([0, 0, 0], 25),
    ],
)
def test_the_gap_is_half_as_much_again_as_the_longest(
    gaps: list[int | None], needed: int | None
) -> None:
    assert gap_needed([scan(gap) for gap in gaps]) == needed


def test_a_keyboard_scanner_without_an_end_key_gets_no_gap() -> None:
    endless = Scan(10, "9999999999", 5, "")
    assert sends_no_end([scan(5), scan(5), endless])
    assert gap_needed([scan(5), scan(5), endless]) is None
    assert not is_too_slow([endless] * 3)
    assert not sends_no_end([endless, scan(5)])
    assert not sends_no_end([Scan(10, "9999999999", None, "")])


def test_only_a_keyboard_that_is_as_slow_as_a_typist_is_too_slow() -> None:
    assert is_too_slow([scan(90)] * 3)
    assert not is_too_slow([scan(90)] * 2)
    assert not is_too_slow([scan(20)] * 3)
    assert not is_too_slow([scan(None)] * 3)
