"""`mykey unlink`: see `commands.link`."""

from mykey_tui.commands.link import run_unlink as run

__all__ = ["run"]
