"""When the program fails: words for the display, frames without values for the log."""

from __future__ import annotations

import traceback
from pathlib import Path

from rich.text import Text

from mykey_tui.domain.codes import Code
from mykey_tui.domain.text import safe
from mykey_tui.i18n.catalog import Catalog, Language

FRAMES_MAX = 30


def crash_report(error: BaseException) -> str:
    """Types and places of `error` and its causes. No message, no locals: they may name a person."""
    lines: list[str] = []
    seen: BaseException | None = error
    for _ in range(FRAMES_MAX):
        if seen is None:
            break
        frames = traceback.extract_tb(seen.__traceback__)[-FRAMES_MAX:]
        lines.append(f"{type(seen).__module__}.{type(seen).__qualname__}")
        lines.extend(f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
        seen = seen.__cause__ or seen.__context__
    return "\n".join(lines)


def crash_words(log_path: Path | None) -> Text:
    """What the display says, in both languages: it is not known who stands there."""
    lines: list[str] = []
    for language in (Language.JAPANESE, Language.ENGLISH):
        catalog = Catalog(language)
        text = catalog.code(Code.BUG)
        lines += [f"{text.title}   {Code.BUG.value}", text.say, text.next]
        if log_path is not None:
            lines.append(catalog.text("crash.log", path=safe(str(log_path), 60)))
        lines.append("")
    return Text("\n".join(lines))
