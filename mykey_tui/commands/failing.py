"""How a command that broke off says so: a code, a sentence, no traceback."""

from __future__ import annotations

import argparse
import logging
import sys

from mykey_tui.commands.logs import log_to
from mykey_tui.commands.output import Exit, Output, language_of
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import MyKeyError
from mykey_tui.flows.outcomes import Stopped
from mykey_tui.flows.stopping import describe_bug, stopped_by
from mykey_tui.settings import SettingsError, load_settings

_log = logging.getLogger(__name__)


def say_missing_extra(arguments: argparse.Namespace) -> int:
    """A server's installation was asked for the counter."""
    return _output(arguments).stopped(Stopped(Code.ENROL_EXTRA_MISSING), result="failed")


def say_failure(error: Exception, arguments: argparse.Namespace) -> int:
    """A failure that the command did not expect to meet. What is a bug is logged, without words."""
    if isinstance(error, SettingsError):
        print(f"mykey: {error}", file=sys.stderr)  # noqa: T201  # usage errors go there, as argparse's do
        return Exit.USAGE
    stopped = stopped_by(error) if isinstance(error, MyKeyError) else Stopped(Code.BUG)
    if stopped.code is Code.BUG:
        _log_bug(error, arguments)
    return _output(arguments).stopped(stopped, result="failed")


def _log_bug(error: Exception, arguments: argparse.Namespace) -> None:
    home = load_settings(home=getattr(arguments, "home", None), reader=None).home
    with log_to(home):
        _log.error("A command met a bug: %s", describe_bug(error))


def _output(arguments: argparse.Namespace) -> Output:
    return Output(as_json=getattr(arguments, "json", False), language=language_of(None))
