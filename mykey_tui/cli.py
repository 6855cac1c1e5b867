"""`mykey`: the counter's screen and its commands. `--help` of each says what it does.

Exit codes: 0 done; 1 refused, with a code and a text; 2 wrong usage; 3 could not (reader, server,
store), with a failure code. Light on purpose: a command's module is imported when it is given.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import sys
from collections.abc import Sequence

WAIT_SECONDS = 60.0
WAIT_SECONDS_MAX = 3600.0
"""A command that waits longer for a card was forgotten."""

TAPS_MAX = 500
"""Of the 100-taps test; as `flows.soak.TAPS` has it."""

_INTERRUPTED = 130
"""What shells report for Ctrl-C."""
_SCREENS = frozenset({"run", "demo"})
"""They import most after the first paint, and then look for garbage again by themselves."""
_OPTIONAL_MODULES = frozenset({"textual", "rich", "smartcard", "httpx"})
"""They come with the extra `counter`; a server's installation does without them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. No traceback reaches a person."""
    arguments = _parsed(argv)
    if arguments.version:
        arguments.module = "version"
    # Imports keep what they make: looking for garbage meanwhile costs a tenth of the start.
    gc.disable()
    try:
        command = importlib.import_module(f"mykey_tui.commands.{arguments.module}")
        if arguments.module not in _SCREENS:
            gc.enable()
        return int(command.run(arguments))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in _OPTIONAL_MODULES:
            raise
        from mykey_tui.commands.failing import say_missing_extra  # noqa: PLC0415  # only then

        return say_missing_extra(arguments)
    except Exception as error:  # noqa: BLE001  # the outermost frame: what ends here is a bug
        from mykey_tui.commands.failing import say_failure  # noqa: PLC0415  # only then

        return say_failure(error, arguments)
    finally:
        gc.enable()


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """What was asked. Opening the screen needs no list of commands, and is done sooner without."""
    alone = _root(_common(), add_help=False, exit_on_error=False)
    try:
        arguments, others = alone.parse_known_args(argv)
    except argparse.ArgumentError:
        return _parser().parse_args(argv)
    return _parser().parse_args(argv) if others else arguments


def _root(common: argparse.ArgumentParser, **options: bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mykey",
        description="The counter's screen, and its commands.",
        parents=[common],
        allow_abbrev=False,
        **options,  # type: ignore[arg-type]  # add_help and exit_on_error alone
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument("--reader", metavar="READER", default=argparse.SUPPRESS)
    parser.set_defaults(module="run")
    return parser


def _parser() -> argparse.ArgumentParser:
    common = _common()
    parser = _root(common)
    commands = parser.add_subparsers(metavar="COMMAND")
    reading = _reading()
    for add in (_add_screens, _add_visits, _add_upkeep, _add_cards):
        add(commands, common, reading)
    return parser


def _common() -> argparse.ArgumentParser:
    """What every command takes, before or after its name."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--home", metavar="DIR", help="the counter's data (or MYKEY_HOME)")
    common.add_argument(
        "--language",
        choices=("ja", "en"),
        help="of the answers and the screen; else counter.json's, else LANG's (screen: Japanese)",
    )
    common.add_argument("--json", action="store_true", help="print one JSON object")
    return common


def _reading() -> argparse.ArgumentParser:
    """What a command takes that reads a card."""
    reading = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    reading.add_argument(
        "--reader", metavar="READER", help="pcsc, pcsc:NAME or emulator:PATH (a card file)"
    )
    reading.add_argument(
        "--wait",
        type=_seconds,
        default=WAIT_SECONDS,
        metavar="S",
        help=f"seconds to wait for a card ({WAIT_SECONDS:g})",
    )
    return reading


_Commands = argparse._SubParsersAction  # the type of what add_subparsers returns


def _add(
    commands: _Commands[argparse.ArgumentParser],
    name: str,
    help_text: str,
    *parents: argparse.ArgumentParser,
    module: str | None = None,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=help_text, description=help_text, parents=list(parents), allow_abbrev=False
    )
    parser.set_defaults(module=module or name)
    return parser


def _add_screens(
    commands: _Commands[argparse.ArgumentParser],
    common: argparse.ArgumentParser,
    reading: argparse.ArgumentParser,
) -> None:
    run = _add(commands, "run", "open the counter's screen (also with no command)", common)
    run.add_argument("--reader", metavar="READER", default=argparse.SUPPRESS)
    _add(commands, "demo", "everything on this machine: server, two providers, cards", common)


def _add_visits(
    commands: _Commands[argparse.ArgumentParser],
    common: argparse.ArgumentParser,
    reading: argparse.ArgumentParser,
) -> None:
    lookup = _add(commands, "lookup", "wait for a card and hand over", common, reading)
    lookup.add_argument("--no-handover", action="store_true", help="give nothing to the till")
    lookup.add_argument(
        "--accept-stale", action="store_true", help="confirm old rows (L-OLD), as a clerk does"
    )
    lookup.add_argument(
        "--online", action="store_true", help="ask the server first; without a line as ever"
    )
    link = _add(commands, "link", "link a service ID to the card", common, reading)
    link.add_argument("--service-id", required=True, metavar="SID")
    unlink = _add(commands, "unlink", "take the card's link away", common, reading)
    for asking in (lookup, link, unlink):
        asking.add_argument(
            "--pin-stdin", action="store_true", help="take the PIN from standard input, one line"
        )
        asking.add_argument(
            "--last-try", action="store_true", help="send the PIN although one try is left"
        )


def _add_upkeep(
    commands: _Commands[argparse.ArgumentParser],
    common: argparse.ArgumentParser,
    reading: argparse.ArgumentParser,
) -> None:
    enrol = _add(commands, "enrol", "enrol this counter with a one-time code", common)
    enrol.add_argument("--server", required=True, metavar="URL")
    enrol.add_argument("--code", required=True, metavar="CODE")
    enrol.add_argument(
        "--profile",
        choices=("simulated", "jpki"),
        help="which cards; refused if not the provider's",
    )
    enrol.add_argument("--name", default="", metavar="NAME", help="what people call this counter")
    trust = enrol.add_mutually_exclusive_group()
    trust.add_argument("--ca", metavar="FILE", help="trust this CA alone (the server's ca.pem)")
    trust.add_argument("--pin", metavar="PIN", help="trust the server's CA with this fingerprint")
    enrol.add_argument(
        "--insecure-http", action="store_true", help="allow http:// to another machine"
    )
    _add(commands, "sync", "reconcile with the server, once", common)
    bundle = _add(commands, "bundle", "reconcile by a file on a stick, without a line", common)
    ways = bundle.add_subparsers(metavar="ACTION", required=True)
    for name, help_text in (
        ("export", "write what waits, for the server"),
        ("import", "take the server's reply in"),
    ):
        carried = _add(ways, name, help_text, common, module="bundle")
        carried.set_defaults(action=name)
        carried.add_argument("file", metavar="FILE")
    leave = _add(commands, "leave", "sign out, so that the home can be enrolled anew", common)
    leave.add_argument("--yes", action="store_true", help="do not ask")
    leave.add_argument("--wipe", action="store_true", help="destroy keys and rows, keep nothing")
    leave.add_argument(
        "--lose-unsent",
        type=_unsent,
        metavar="NUMBER",
        help="leave although so many registrations are unsent (unknown: the store does not open)",
    )
    status = _add(commands, "status", "line, rows, queue, reader, versions", common)
    status.add_argument("--reader", metavar="READER", default=argparse.SUPPRESS)
    doctor = _add(commands, "doctor", "what is wrong, layer by layer, and what to do", common)
    doctor.add_argument("--reader", metavar="READER", default=argparse.SUPPRESS)
    outbox = _add(commands, "outbox", "what waits, and what needs a person", common)
    actions = outbox.add_subparsers(metavar="ACTION", required=True)
    for name, help_text in (
        ("list", "what waits, oldest first"),
        ("retry", "put parked mutations back in line"),
        ("resolve", "decide a mutation that was refused"),
    ):
        action = _add(actions, name, help_text, common, module="outbox")
        action.set_defaults(action=name)
        if name != "list":
            action.add_argument("mid", nargs="?", type=int, metavar="NUMBER")
        if name == "resolve":
            action.add_argument("--yes", action="store_true", help="do not ask")
            way = action.add_mutually_exclusive_group()
            way.add_argument("--keep", action="store_true", help="keep the server's row (default)")
            way.add_argument("--replace", action="store_true", help="replace the server's row")


def _add_cards(
    commands: _Commands[argparse.ArgumentParser],
    common: argparse.ArgumentParser,
    reading: argparse.ArgumentParser,
) -> None:
    card = _add(commands, "card", "look at a card; make and lay sample cards", common)
    actions = card.add_subparsers(metavar="ACTION", required=True)
    show = _add(actions, "show", "what the certificate says", common, reading, module="card_show")
    show.add_argument("--export", metavar="FILE", help="write it to a file as well")
    soak = _add(commands, "soak", "lay a card 100 times: how surely, how fast", common, reading)
    soak.add_argument("--taps", type=_taps, default=100, metavar="N", help="how many (100)")
    for traced in (show, soak):
        traced.add_argument("--trace", action="store_true", help="tell the commands on stderr")
    make = _add(actions, "make", "make a sample card (SIMULATED)", common, module="card_sample")
    make.set_defaults(action="make")
    make.add_argument("--cn", help="23 characters: 14 and 9")
    make.add_argument("--out", metavar="FILE")
    make.add_argument("--pin", default="1234")
    make.add_argument("--fault", metavar="NAME[:K=V,...]", help="what is wrong with it; list: all")
    place = _add(actions, "place", "lay a sample card down", common, module="card_sample")
    place.set_defaults(action="place")
    place.add_argument("file", metavar="FILE")
    place.add_argument("--vpcd", metavar="HOST:PORT", help="hold it on a vpcd slot until Ctrl-C")
    remove = _add(actions, "remove", "take the sample card away", common, module="card_sample")
    remove.set_defaults(action="remove")


def _unsent(text: str) -> str:
    if text != "unknown" and not (text.isascii() and text.isdecimal() and len(text) < 9):
        raise argparse.ArgumentTypeError("a number, or the word unknown")
    return text


def _taps(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= TAPS_MAX):
        raise argparse.ArgumentTypeError(f"from 1 to {TAPS_MAX}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("not a number of seconds") from error
    if not 0 <= seconds <= WAIT_SECONDS_MAX:
        raise argparse.ArgumentTypeError(f"from 0 to {WAIT_SECONDS_MAX:g} seconds")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
