"""The scanner's test: what is shown of a code, what is not, and the setting that follows."""

from __future__ import annotations

from textual import events

from mykey_tui.flows.desk_events import Scanned
from tests.screens.conftest import Counter, Start
from tests.screens.fakes import Fakes

CODE = "28021-B77"


GAP_SECONDS = 0.04


async def scans(counter: Counter, text: str) -> None:
    """As a scanner types: the times are the keys' own, so a busy machine does not change them."""
    typed = [("minus" if c == "-" else c.lower(), c) for c in text] + [("enter", "\r")]
    for place, (key, character) in enumerate(typed):
        event = events.Key(key, character)
        event.time = place * GAP_SECONDS
        counter.app.post_message(event)
    await counter.pilot.pause()


async def test_three_scans_find_the_gap_and_s_writes_it(start: Start) -> None:
    fakes = Fakes()
    async with start(fakes) as counter:
        await counter.press("f12", "b")
        await counter.shows("バーコードを読み取ってください")
        await counter.press("s")
        await counter.shows("先にバーコードを3回読み取ってください")
        for number in (1, 2, 3):
            await scans(counter, CODE)
            await counter.shows(
                f"{number}回目", "9文字", "最長の間隔 40ミリ秒", "99999-A99", "終わり Enter"
            )
        assert CODE not in counter.text
        await counter.shows("ミリ秒が合います")
        await counter.press("s")
        await counter.until(lambda: len(fakes.technician.gaps) == 1)
        gap_ms = fakes.technician.gaps[0]
        await counter.shows(f"間隔を {gap_ms}ミリ秒にしました")
        assert gap_ms == 60
        assert counter.app._gap_seconds == gap_ms / 1000


async def test_a_scanner_of_its_own_port_needs_no_gap(start: Start) -> None:
    async with start() as counter:
        await counter.press("f12", "b")
        await counter.happens(Scanned(CODE))
        await counter.shows("専用の接続", "99999-A99", "スキャナーは正しくつながっています")
        assert CODE not in counter.text


async def test_the_scans_are_forgotten_with_r_and_with_the_screen(start: Start) -> None:
    async with start() as counter:
        await counter.press("f12", "b")
        await counter.happens(Scanned(CODE))
        await counter.shows("1回目")
        await counter.press("r")
        await counter.until(lambda: "1回目" not in counter.text)
        await counter.happens(Scanned(CODE))
        await counter.press("escape", "b")
        await counter.shows("バーコードを読み取ってください")
        assert "1回目" not in counter.text
