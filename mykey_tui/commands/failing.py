"""How a command that broke off says so: a code, a sentence, no traceback."""

from __future__ import annotations

import argparse
import errno
import logging
import os
from pathlib import Path

from mykey_tui.commands.logs import log_to
from mykey_tui.commands.output import AnswerLostError, Exit, Output, language_of, say_aside
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import MyKeyError
from mykey_tui.domain.text import safe
from mykey_tui.flows.outcomes import Stopped
from mykey_tui.flows.stopping import describe_bug, stopped_by
from mykey_tui.settings import SettingsError, home_directory, load_settings

DETAIL_LENGTH_MAX = 300
"""A path and a reason."""
_CORRECTED_BY_HAND = frozenset({Code.STORE_SETTINGS, Code.STORE_ACCESS})

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
    return _say(stopped_of(error, arguments), arguments)


def stopped_of(error: Exception, arguments: argparse.Namespace) -> Stopped:
    """The failure's code; X-BUG for what nobody should meet, which is logged, without words."""
    stopped = _stopped(error, arguments)
    if stopped.code is Code.BUG:
        _log_bug(error, arguments)
    return stopped


def _stopped(error: Exception, arguments: argparse.Namespace) -> Stopped:
    if isinstance(error, OSError):
        return _stopped_by_the_disk(error, _home(arguments))
    if not isinstance(error, MyKeyError):
        return Stopped(Code.BUG)
    return stopped_in_detail(error)


def stopped_in_detail(error: MyKeyError) -> Stopped:
    """The outcome of `error`, with what it says where a person has to correct something."""
    stopped = stopped_by(error)
    if stopped.code in _CORRECTED_BY_HAND:
        return Stopped(stopped.code, {"detail": safe(str(error), DETAIL_LENGTH_MAX)})
    return stopped


def _stopped_by_the_disk(error: OSError, home: Path | None) -> Stopped:
    """A disk that is full, or a home that is not as it has to be; every other one is a bug."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Stopped(Code.STORE_FULL)
    place = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
    if home is None or place is None:
        return Stopped(Code.BUG)
    if place == home or home in place.parents or place in home.parents:
        detail = safe(f"{place}: {error.strerror}", DETAIL_LENGTH_MAX)
        return Stopped(Code.STORE_ACCESS, {"detail": detail})
    return Stopped(Code.BUG)


def _home(arguments: argparse.Namespace) -> Path | None:
    try:
        return home_directory(getattr(arguments, "home", None), os.environ)
    except SettingsError:
        return None


def _log_bug(error: Exception, arguments: argparse.Namespace) -> None:
    home = _home(arguments)
    if home is None:
        return
    with log_to(home):
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
    """What was asked for, else the counter's language, where its settings can still be read."""
    asked: str | None = getattr(arguments, "language", None)
    if asked is not None:
        return asked
    try:
        return load_settings(home=getattr(arguments, "home", None), reader=None).language
    except MyKeyError:
        return None
