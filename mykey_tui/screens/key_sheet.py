"""The printed key sheet, from the same registry as the footer and the help."""

from __future__ import annotations

from mykey_tui.i18n.catalog import Catalog, Language
from mykey_tui.screens import actions


def key_sheet() -> str:
    """All keys in both languages, as Markdown."""
    japanese, english = Catalog(Language.JAPANESE), Catalog(Language.ENGLISH)
    lines = [
        "# キー一覧 / Keys",
        "",
        "Made by `scripts/key_sheet.py` from the program's own registry; a test holds it current.",
        "",
        "| キー / key | または / or | 名前 | 説明 | name | what it does |",
        "|---|---|---|---|---|---|",
    ]
    for action in actions.ALL:
        cells = (
            action.shown,
            action.other,
            japanese.text(action.label),
            japanese.text(action.help),
            english.text(action.label),
            english.text(action.help),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
