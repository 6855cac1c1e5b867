"""First paint, ready for a card, idle bytes, idle processor time, memory: the real program in a pty."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.server import operator, serving
from bench.terminal import Terminal

PAIRS = 15
IDLE_SECONDS = 30.0
STRANGER = "1C2410DF79DGEL" + "07202002B"
"""The concept paper's sample; nobody is linked in this run."""
FIRST_PAINT_MARK = "受付"
"""The head of the reception screen; its middle still says that it is getting ready."""
READY_MARK = "読取機 正常"
"""The reader is watched: a card that is laid now is read."""
ANSWER_MARK = "L-NONE"
MINIMAL = [sys.executable, str(Path(__file__).with_name("minimal_app.py"))]


def minimal_seconds() -> float:
    with Terminal(MINIMAL) as terminal:
        return terminal.seconds_until("minimal-ready")


def counter_seconds(argv: list[str]) -> tuple[float, float]:
    """Seconds to the first paint, and to being ready for a card."""
    with Terminal(argv) as terminal:
        return terminal.seconds_until(FIRST_PAINT_MARK), terminal.seconds_until(READY_MARK)


def answered_seconds(argv: list[str], card: Path) -> float:
    """Seconds to the answer for a card that lay on the reader before the program was started."""
    make = [argv[0], "card", "make", "--cn", STRANGER, "--out", str(card)]
    subprocess.run(make, check=True, capture_output=True)
    try:
        with Terminal(argv) as terminal:
            return terminal.seconds_until(ANSWER_MARK)
    finally:
        card.unlink()


def idle(argv: list[str]) -> dict[str, float]:
    """What the program costs while nobody comes."""
    with Terminal(argv) as terminal:
        terminal.seconds_until(READY_MARK)
        terminal.bytes_in(5.0)  # the first round of sync and the last late import
        before = terminal.cpu_seconds()
        written = terminal.bytes_in(IDLE_SECONDS)
        used = terminal.cpu_seconds() - before
        return {
            "idle_bytes_per_second": written / IDLE_SECONDS,
            "idle_cpu_percent": round(100 * used / IDLE_SECONDS, 2),
            "peak_memory_mb": round(terminal.peak_memory_mb(), 1),
        }


def measure() -> dict[str, Any]:
    """An enrolled counter with the line up and nobody at the counter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database, home = folder / "server.db", folder / "home"
        operator(database, "provider", "add", "A-α1-0001", "--name", "bench")
        with serving(database) as url:
            code = operator(database, "terminal", "code", "--provider", "A-α1-0001")["code"]
            mykey = str(Path(sys.executable).with_name("mykey"))
            subprocess.run(
                [mykey, "enrol", "--home", str(home), "--server", url, "--code", code, "--json"],
                check=True,
                capture_output=True,
            )
            card = folder / "card.json"
            return compare([mykey, "--home", str(home), "--reader", f"emulator:{card}"], card)


def compare(argv: list[str], card: Path) -> dict[str, Any]:
    """Measure `argv`, the counter's screen, beside the minimal program, in pairs."""
    counter_seconds(argv)  # warm the file cache for both
    minimal_seconds()
    floor, paint, ready, answered = [], [], [], []
    for _ in range(PAIRS):
        floor.append(minimal_seconds())
        first, second = counter_seconds(argv)
        paint.append(first)
        ready.append(second)
        answered.append(answered_seconds(argv, card))
    return {
        "pairs": PAIRS,
        "minimal_app_ms": _ms(floor),
        "first_paint_ms": _ms(paint),
        "ready_for_a_card_ms": _ms(ready),
        "card_that_lay_there_answered_ms": _ms(answered),
        "first_paint_ratio": _ratio(paint, floor),
        "ready_ratio": _ratio(ready, floor),
        "answered_ratio": _ratio(answered, floor),
        "targets": {
            "first_paint_ratio": 1.25,
            "ready_ratio": 2.5,
            "idle_bytes_per_second": 0,
            "idle_cpu_percent": 0.5,
            "peak_memory_mb": 110,
        },
        **idle(argv),
    }


def _ms(seconds: list[float]) -> float:
    return round(1000 * statistics.median(seconds), 1)


def _ratio(values: list[float], floor: list[float]) -> float:
    return round(statistics.median(v / f for v, f in zip(values, floor, strict=True)), 3)
