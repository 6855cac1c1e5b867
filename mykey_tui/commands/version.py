"""`mykey --version`."""

from __future__ import annotations

import argparse
from importlib.metadata import version

from mykey_tui.commands.output import Exit, Output, language_of

_DISTRIBUTION = "mykey-tui"


def run(arguments: argparse.Namespace) -> int:
    """Which version is installed; needs no home and no settings."""
    output = Output(
        as_json=getattr(arguments, "json", False),
        language=language_of(getattr(arguments, "language", None)),
    )
    installed = version(_DISTRIBUTION)
    output.answer({_DISTRIBUTION: installed}, [f"{_DISTRIBUTION} {installed}"])
    return Exit.DONE
