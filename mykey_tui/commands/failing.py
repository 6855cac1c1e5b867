"""How a command that broke off says so: a code, a sentence, no traceback."""

from __future__ import annotations

import argparse
import logging
import os

from mykey_tui.commands.logs import log_to
from mykey_tui.commands.output import AnswerLostError, Exit, Output, language_of, say_aside
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import MyKeyError
from mykey_tui.flows.outcomes import Stopped
from mykey_tui.flows.stopping import describe_bug, stopped_by
from mykey_tui.settings import SettingsError, home_directory, load_settings

_log = logging.getLogger(__name__)


def say_missing_extra(arguments: argparse.Namespace) -> int:
    """A server's installation was asked for the counter."""
    return _say(Stopped(Code.ENROL_EXTRA_MISSING), arguments)


def say_failure(error: Exception, arguments: argparse.Namespace) -> int:
    """A failure that the command did not expect to meet. What is a bug is logged, without words."""
    if isinstance(error, AnswerLostError):
        return Exit.COULD_NOT
    if isinstance(error, SettingsError):
        say_aside(f"mykey: {error}")  # usage errors go there, as argparse's do
        return Exit.USAGE
    stopped = stopped_by(error) if isinstance(error, MyKeyError) else Stopped(Code.BUG)
    if stopped.code is Code.BUG:
        _log_bug(error, arguments)
    return _say(stopped, arguments)


def _log_bug(error: Exception, arguments: argparse.Namespace) -> None:
    with log_to(home_directory(getattr(arguments, "home", None), os.environ)):
        _log.error("A command met a bug: %s", describe_bug(error))


def _say(stopped: Stopped, arguments: argparse.Namespace) -> int:
    output = Output(
        as_json=getattr(arguments, "json", False), language=language_of(_language(arguments))
    )
    try:
        return output.stopped(stopped)
    except AnswerLostError:
        return Exit.COULD_NOT


def _language(arguments: argparse.Namespace) -> str | None:
    """The counter's language, where its settings can still be read."""
    try:
        return load_settings(home=getattr(arguments, "home", None), reader=None).language
    except MyKeyError:
        return None
