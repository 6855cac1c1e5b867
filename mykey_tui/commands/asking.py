"""A question that only a person may answer."""

from __future__ import annotations

import sys

from mykey_tui.commands.output import Output
from mykey_tui.settings import SettingsError


def said_yes(output: Output, question: str, *, command: str) -> bool:
    """Ask, and wait for `y` or `yes`. Raises `SettingsError` where nobody can be asked."""
    if output.as_json or not sys.stdin.isatty():
        raise SettingsError(f"{command}: nobody can be asked here; say --yes")
    return input(question + " ").strip().lower() in ("y", "yes")
