"""The PIN on the command line: typed without echo, or one line of standard input on request."""

from __future__ import annotations

import argparse
import getpass
import sys

from mykey_tui.card.allow_list import PIN_LENGTH
from mykey_tui.card.connection import CardReader
from mykey_tui.card.jpki import TRIES_LEFT_MIN
from mykey_tui.card.pin_pad import ENTRY_SECONDS
from mykey_tui.commands.card_thread import CardThread
from mykey_tui.commands.context import Context
from mykey_tui.commands.output import Output
from mykey_tui.domain.codes import Code
from mykey_tui.flows.desk_events import READING_DEADLINE_SECONDS
from mykey_tui.flows.identify import CertificateJudge
from mykey_tui.flows.outcomes import IdentifiedCard, PinWanted, Stopped
from mykey_tui.flows.pin import ask_tries, authenticate
from mykey_tui.flows.pin_entry import PinEntry, PinGiven

_LINE_LENGTH_MAX = 64
"""Of standard input; a PIN has four digits and an end of line."""


def authenticated(
    context: Context,
    arguments: argparse.Namespace,
    thread: CardThread,
    reader: CardReader,
    judge: CertificateJudge,
    card: IdentifiedCard,
    purpose: bytes,
) -> IdentifiedCard | Stopped:
    """Say how many tries are left, take the PIN once, and let the card prove itself.

    C-PIN without a terminal or `--pin-stdin`; C-PINLAST without `--last-try`.
    """
    wanted = thread.run(lambda: ask_tries(reader, card))
    if isinstance(wanted, Stopped):
        return wanted
    given = _given(context.output, arguments, wanted)
    if isinstance(given, Stopped):
        return given
    seconds = READING_DEADLINE_SECONDS
    if given.entry is None:
        seconds += ENTRY_SECONDS * (PIN_LENGTH + 1)  # one wait for each key, and for OK
    return thread.run(
        lambda: authenticate(reader, judge, card, given, purpose), deadline_seconds=seconds
    )


def _given(output: Output, arguments: argparse.Namespace, wanted: PinWanted) -> PinGiven | Stopped:
    tries = wanted.tries_left
    if tries == 0:
        return Stopped(Code.PIN_BLOCKED, {"count": "0"})
    if (tries is None or tries < TRIES_LEFT_MIN) and not arguments.last_try:
        return Stopped(Code.PIN_LAST, {"count": "?" if tries is None else str(tries)})
    left = "pin.left.unknown" if tries is None else "pin.left"
    output.tell(left, count=0 if tries is None else tries)
    if wanted.on_reader:
        output.tell("pin.on.reader")
        return PinGiven(None, allow_last_try=arguments.last_try)
    entry = _typed(output, arguments)
    if not entry.complete:
        return Stopped(Code.PIN_NEEDED)
    return PinGiven(entry, allow_last_try=arguments.last_try)


def _typed(output: Output, arguments: argparse.Namespace) -> PinEntry:
    """Four digits, or an entry that is not complete: a fifth one makes it a wrong PIN, so none."""
    entry = PinEntry()
    if arguments.pin_stdin:
        text = sys.stdin.readline(_LINE_LENGTH_MAX).rstrip("\r\n")
    elif sys.stdin is not None and sys.stdin.isatty():
        text = getpass.getpass(output.catalog.text("cli.pin.prompt"))
    else:
        return entry
    if len(text) == PIN_LENGTH:
        for digit in text:
            entry.press(digit)
    return entry
