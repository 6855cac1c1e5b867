"""A member number in digits three rows high, of line glyphs that every console font with 512 has."""

from __future__ import annotations

from rich.cells import cell_len

from mykey_tui.screens.layout import TEXT_WIDTH
from mykey_tui.screens.profile import Render, RenderProfile

_GLYPHS = {
    "0": ("┏━┓", "┃ ┃", "┗━┛"),
    "1": (" ╻ ", " ┃ ", " ╹ "),
    "2": ("╺━┓", "┏━┛", "┗━╸"),
    "3": ("╺━┓", "╺━┫", "╺━┛"),
    "4": ("╻ ╻", "┗━┫", "  ╹"),
    "5": ("┏━╸", "┗━┓", "╺━┛"),
    "6": ("┏━╸", "┣━┓", "┗━┛"),
    "7": ("╺━┓", "  ┃", "  ╹"),
    "8": ("┏━┓", "┣━┫", "┗━┛"),
    "9": ("┏━┓", "┗━┫", "╺━┛"),
    "-": ("   ", "╺━╸", "   "),
}


def big(text: str, profile: RenderProfile) -> tuple[str, str, str]:
    """Three rows: large digits where all of them can be drawn and fit, else spaced text.

    Letters are never drawn large: in three rows a B and an 8 look alike.
    """
    drawable = profile.render is Render.RICH and all(character in _GLYPHS for character in text)
    if drawable and 0 < 4 * len(text) - 1 <= TEXT_WIDTH:
        glyphs = [_GLYPHS[character] for character in text]
        return (
            " ".join(glyph[0] for glyph in glyphs),
            " ".join(glyph[1] for glyph in glyphs),
            " ".join(glyph[2] for glyph in glyphs),
        )
    spaced = " ".join(text)
    return ("", spaced if cell_len(spaced) <= TEXT_WIDTH else text, "")
