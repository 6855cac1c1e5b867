"""What every command needs first: its settings, its language, where to answer."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from mykey_tui.commands.output import Output, language_of, say_aside
from mykey_tui.domain.text import safe
from mykey_tui.settings import ReaderKind, Settings, SettingsError, load_settings

PATH_LENGTH_MAX = 4096
"""As Linux has it."""


@dataclass(frozen=True, slots=True)
class Context:
    """A command's surroundings."""

    settings: Settings
    output: Output

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Context:
        """Read them from the arguments. Raises `SettingsError`."""
        settings = settings_asked(arguments)
        as_json = getattr(arguments, "json", False)
        return cls(settings, Output(as_json=as_json, language=language_of(settings.language)))

    def ask_for_card(self) -> None:
        """Tell whoever waits where the card has to be laid; for a card file, which file that is."""
        self.output.tell("cli.lay-card")
        reader = self.settings.reader
        if reader.kind is ReaderKind.EMULATOR and not self.output.as_json:
            say_aside(f"  {safe(str(reader.path), PATH_LENGTH_MAX)}")


def settings_asked(arguments: argparse.Namespace) -> Settings:
    """The settings, with what the command line says on top. Raises as `load_settings`."""
    return load_settings(
        home=getattr(arguments, "home", None),
        reader=getattr(arguments, "reader", None),
        language=getattr(arguments, "language", None),
    )


def outside_path(text: str) -> Path:
    """A path that a person wrote. Raises `SettingsError` where its user does not exist."""
    try:
        return Path(text).expanduser().absolute()
    except (RuntimeError, OSError) as error:
        raise SettingsError("no such user or working directory") from error
