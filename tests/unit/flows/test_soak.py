"""The 100-taps test: its figures, its row, and that a card laid once counts once."""

from __future__ import annotations

from typing import Any

import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.flows.desk_events import CardForgotten, LookedUp, ReaderIs, TapDone
from mykey_tui.flows.soak import ROW_HEAD, TAPS, ReaderInTest, Soak, Tap, row_to_paste
from mykey_tui.reader.card_file import Fault, FaultName
from mykey_tui.simulated.foreign import driving_licence


def soaked(taps: list[Tap], wanted: int = 100) -> Soak:
    soak = Soak(wanted)
    for tap in taps:
        soak.add(tap)
    return soak


def test_nothing_laid_yet_has_no_percentage_and_no_time() -> None:
    figures = Soak().figures
    assert (figures.laid, figures.success_percent, figures.median_ms, figures.p95_ms) == (
        0, None, None, None,
    )  # fmt: skip
    assert not figures.is_done


def test_success_median_p95_and_cards_lifted_early_are_told_apart() -> None:
    taps = [Tap(float(ms)) for ms in range(1, 96)]
    taps += [Tap(code=Code.CARD_REMOVED)] * 3 + [Tap(code=Code.CARD_MUTE)] * 2
    taps.reverse()
    figures = soaked(taps).figures
    assert (figures.laid, figures.good, figures.removed) == (100, 95, 3)
    assert figures.others == {Code.CARD_MUTE: 2}
    assert figures.success_percent == 95.0
    assert figures.median_ms == 48.0
    assert figures.p95_ms == 91.0, "the 91st of 95: nearest rank"
    assert figures.is_done


def test_the_p95_of_a_few_is_the_slowest_of_them() -> None:
    assert soaked([Tap(10.0), Tap(900.0), Tap(20.0)]).figures.p95_ms == 900.0


def test_it_can_be_left_at_any_tap_with_the_figures_so_far() -> None:
    figures = soaked([Tap(20.0), Tap(code=Code.CARD_REMOVED)]).figures
    assert (figures.laid, figures.good, figures.is_done) == (2, 1, False)
    assert "1/2 (50.0 %)" in row_to_paste(figures, ReaderInTest("R"))


def test_what_is_laid_after_the_last_tap_changes_nothing() -> None:
    soak = soaked([Tap(20.0)] * 10, wanted=10)
    before = soak.figures
    soak.add(Tap(code=Code.CARD_REMOVED))
    assert soak.figures == before


@pytest.mark.parametrize("wanted", [0, -1, TAPS[-1] + 1])
def test_a_number_of_taps_that_makes_no_sense_is_refused(wanted: int) -> None:
    with pytest.raises(ValueError, match="taps"):
        Soak(wanted)


def test_the_row_has_a_cell_for_each_column_whatever_a_reader_is_called() -> None:
    figures = soaked([Tap(212.4), Tap(code=Code.CARD_MUTE)]).figures
    reader = ReaderInTest(
        "Evil | reader\n| x", "072f:2200", ("pcscd 1.9.9", "mykey-tui 0.1.0"), "2026-11"
    )
    row = row_to_paste(figures, reader)
    assert row.count("|") == ROW_HEAD.count("|")
    assert "\n" not in row
    assert row.endswith(
        "| 072f:2200 | 1/2 (50.0 %) | 212 | 212 | 0 | C-MUTE 1 | pcscd 1.9.9, mykey-tui 0.1.0 | 2026-11 |"
    )


def test_a_row_of_which_nothing_is_known_says_so() -> None:
    assert row_to_paste(Soak().figures, ReaderInTest()) == (
        "| ? | ? | 0/0 | - | - | 0 | none | ? | ? |"
    )


def test_each_card_laid_is_timed_once_and_one_left_lying_counts_as_nothing(
    desk: Any, bench: Any, watcher: Any
) -> None:
    desk.start()
    watcher.until(ReaderIs)
    desk.expect_nothing()
    bench.lay()
    assert watcher.nothing_more()
    desk.expect_taps()
    assert watcher.nothing_more(), "the card that lies there already is no tap"
    bench.reader.remove()
    bench.lay()
    tap = watcher.until(TapDone).tap
    assert tap.code is None
    assert 0 < tap.milliseconds < 5000
    bench.clock.passed += 60
    desk.expect_taps()
    assert isinstance(watcher.until(CardForgotten, 10), CardForgotten)
    assert watcher.nothing_more(), "left lying for a minute, it is still one tap"


def test_a_card_lifted_too_early_and_a_foreign_card_are_counted_by_their_code(
    desk: Any, bench: Any, watcher: Any
) -> None:
    desk.start()
    desk.expect_taps()
    bench.lay(fault=Fault(FaultName.REMOVED_DURING_READ))
    assert watcher.until(TapDone).tap == Tap(code=Code.CARD_REMOVED)
    bench.reader.insert(driving_licence())
    assert watcher.until(TapDone).tap == Tap(code=Code.CARD_NOT_JPKI)


def test_a_tap_keeps_and_tells_nothing_of_the_card(desk: Any, bench: Any, watcher: Any) -> None:
    desk.start()
    desk.expect_taps()
    bench.lay()
    assert "1C2410DF79DGEL" not in repr(watcher.until(TapDone))
    assert bench.till.got == []
    bench.reader.remove()
    desk.expect_lookup()
    bench.lay()
    watcher.until(LookedUp)
