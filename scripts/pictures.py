#!/usr/bin/env python3
"""Make the documents' pictures from the running program: `docs/pictures/*.png`.

The app runs without a terminal, is walked to each screen with the tests' small fakes, exports an
SVG, and rsvg-convert draws it with a font that has kana and kanji (packages librsvg2-bin and
fonts-noto-cjk). The pictures show what the program draws, so they are made again, never touched up.
"""

from __future__ import annotations

import asyncio
import html
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.cells import cell_len

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.screens.test_pictures_of_screens import SCREENS, counter, walked  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
FONT = "Noto Sans Mono CJK JP"
ZOOM = "1.0"
CONVERT_SECONDS = 60
CELL_WIDTH, CELL_HEIGHT, BASELINE = 12.2, 24.4, 18.5
"""Of Rich's SVG, in pixels."""
DOWN = 2.5
"""The larger letters stand in the middle of their row again."""
_ARMS = {
    "─": "lr", "│": "ud", "╭": "rd", "╮": "ld", "╰": "ru", "╯": "lu",
    "━": "lr", "┃": "ud", "┏": "rd", "┓": "ld", "┗": "ru", "┛": "lu", "┣": "udr", "┫": "udl",
    "╸": "l", "╺": "r", "╹": "u", "╻": "d",
}  # fmt: skip
_HEAVY = frozenset("━┃┏┓┗┛┣┫╸╺╹╻")
_TEXT = re.compile(r'<text( class="[^"]*-r\d+") x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>')
MADE = {
    "reception-waiting-ja": ("ja", "waiting"),
    "reception-found-ja": ("ja", "found"),
    "reception-not-linked-ja": ("ja", "not-linked"),
    "reception-suspended-ja": ("ja", "suspended"),
    "link-step-two-ja": ("ja", "link-step-two"),
    "link-queued-ja": ("ja", "link-queued"),
    "queue-ja": ("ja", "queue"),
    "conflict-ja": ("ja", "conflict"),
    "old-rows-ja": ("ja", "old-rows"),
    "server-trouble-ja": ("ja", "server-trouble"),
    "card-ja": ("ja", "card"),
    "pin-ja": ("ja", "pin"),
    "pin-locked-en": ("en", "pin-locked"),
    "tray-ja": ("ja", "tray"),
    "doctor-ja": ("ja", "doctor"),
    "doctor-en": ("en", "doctor"),
    "doctor-console": ("console", "doctor-long"),
    "taps-ja": ("ja", "taps"),
    "scan-ja": ("ja", "scan"),
    "readers-ja": ("ja", "live"),
    "reception-found-en": ("en", "found"),
    "reception-found-console": ("console", "found"),
}


async def svg(face: str, screen: str) -> str:
    """The screen as SVG, ready for the converter."""
    app = counter(face, screen)
    async with app.run_test(size=(80, 24)) as pilot:
        await walked(SCREENS[screen])(pilot)
        return for_converter(app.export_screenshot(title="mykey"))


def for_converter(drawing: str) -> str:
    """Rich's SVG with a font that has kana and kanji, every word at its own cell.

    Rich counts on a font 0.61 em wide and on `textLength`; the converter knows neither `textLength`
    nor leading blanks. At a size of two cells, kanji are two cells wide and Latin letters one. The
    font draws lines two cells wide as well, so lines are drawn here.
    """
    drawing = re.sub(r"@font-face\s*\{.*?\}", "", drawing, flags=re.DOTALL)
    drawing = drawing.replace("Fira Code", FONT)
    drawing = drawing.replace("font-size: 20px", f"font-size: {2 * CELL_WIDTH}px")
    return _TEXT.sub(_words_apart, drawing)


def _words_apart(match: re.Match[str]) -> str:
    style, left, baseline = match[1], float(match[2]), float(match[3])
    content = html.unescape(match[4]).replace("\xa0", " ")
    pieces: list[str] = []
    for word in re.finditer(f"[{''.join(_ARMS)}]|[^\\s{''.join(_ARMS)}]+", content):
        x = left + cell_len(content[: word.start()]) * CELL_WIDTH
        if word[0] in _ARMS:
            pieces.extend(_line(word[0], style, x, baseline - BASELINE))
        else:
            y = baseline + DOWN
            pieces.append(f'<text{style} x="{x:.1f}" y="{y:.1f}">{html.escape(word[0])}</text>')
    return "".join(pieces)


def _line(sign: str, style: str, x: float, y: float) -> Iterator[str]:
    """A line sign as rectangles from the middle of its cell to the sides it reaches."""
    thick = 3.0 if sign in _HEAVY else 1.4
    middle, centre = x + CELL_WIDTH / 2, y + CELL_HEIGHT / 2
    for arm in _ARMS[sign]:
        left = x if arm == "l" else middle - thick / 2
        right = x + CELL_WIDTH if arm == "r" else middle + thick / 2
        top = y if arm == "u" else centre - thick / 2
        bottom = y + CELL_HEIGHT if arm == "d" else centre + thick / 2
        yield (
            f'<rect{style} x="{left:.1f}" y="{top:.1f}"'
            f' width="{right - left:.1f}" height="{bottom - top:.1f}"/>'
        )


def main() -> int:
    """Make all pictures; 1 where the converter is missing."""
    converter = shutil.which("rsvg-convert")
    if converter is None:
        sys.stderr.write("rsvg-convert is missing: apt-get install librsvg2-bin fonts-noto-cjk\n")
        return 1
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, (face, screen) in MADE.items():
            source = Path(folder) / "screen.svg"
            source.write_text(asyncio.run(svg(face, screen)), encoding="utf-8")
            target = PICTURES / f"{name}.png"
            subprocess.run(  # our own arguments
                [converter, "--zoom", ZOOM, "-o", str(target), str(source)],
                check=True,
                timeout=CONVERT_SECONDS,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
