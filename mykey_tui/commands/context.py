"""What every command needs first: its settings, its language, where to answer."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from mykey_tui.commands.output import Output, language_of
from mykey_tui.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class Context:
    """A command's surroundings."""

    settings: Settings
    output: Output

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Context:
        """Read them from the arguments. Raises `SettingsError`."""
        settings = load_settings(
            home=getattr(arguments, "home", None), reader=getattr(arguments, "reader", None)
        )
        as_json = getattr(arguments, "json", False)
        return cls(settings, Output(as_json=as_json, language=language_of(settings.language)))


def outside_path(text: str) -> Path:
    """A path that a person wrote."""
    return Path(text).expanduser().absolute()
