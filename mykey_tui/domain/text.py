"""Text from outside, made safe to show: at the door and again at the screen.

Textual and Rich pass escape sequences, bidirectional marks and control characters through to the
terminal, so every string that did not come from our own catalogue goes through `safe`.
"""

from __future__ import annotations

import unicodedata

_REPLACEMENT = "␦"
_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cn", "Zl", "Zp"})
_COMBINING = frozenset({"Mn", "Me"})
_COMBINING_RUN_MAX = 2


def safe(text: str, limit: int = 128) -> str:
    """Return `text` with nothing in it that a terminal could act on, at most `limit` characters.

    Control, format, private and unassigned characters become U+2426, lone surrogates a question
    mark, long runs of combining marks are cut. `…` ends a text that was really cut. Never looks
    at more than 4 x `limit` characters of input.
    """
    kept: list[str] = []
    combining = 0
    for character in text[: 4 * limit]:
        category = unicodedata.category(character)
        if category in _COMBINING:
            combining += 1
            if combining > _COMBINING_RUN_MAX:
                continue
        else:
            combining = 0
        if category in _DROPPED_CATEGORIES:
            kept.append(_REPLACEMENT)
        elif category == "Cs":
            kept.append("?")
        else:
            kept.append(character)
        if len(kept) > limit:
            return "".join(kept[: limit - 1]) + "…"
    if len(text) > 4 * limit:
        return "".join(kept[: limit - 1]) + "…"
    return "".join(kept)
