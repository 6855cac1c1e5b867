"""`mykey-server`: what an operator types. Every command prints one JSON value (`serve`: a line).

Exit 0 = done, 1 = refused, 2 = usage, 3 = could not.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from mykey_server.settings import DEFAULT_DATABASE, PostgresUrl, Settings, parse_database

DEFAULT_LISTEN = "127.0.0.1:8790"
DEFAULT_TLS = "mykey-server-tls"
_DATABASE_VARIABLE = "MYKEY_SERVER_DB"
_TLS_VARIABLE = "MYKEY_SERVER_TLS"


def main() -> None:
    """Entry point of `mykey-server`."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Parse, do, and return the exit code."""
    parser = _parser()
    parsed = parser.parse_args(arguments)
    if "db" not in parsed:
        try:
            parsed.db = _database(os.environ.get(_DATABASE_VARIABLE) or DEFAULT_DATABASE)
        except argparse.ArgumentTypeError as error:
            parser.error(f"{_DATABASE_VARIABLE}: {error}")
    # Imported after parsing: `--help` answers at once, and needs none of it.
    from mykey_server.commands import run_command  # noqa: PLC0415

    return run_command(parsed)


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--db",
        type=_database,
        default=argparse.SUPPRESS,
        metavar="URL",
        help="file, sqlite:///PATH or postgresql://USER@HOST/NAME "
        f"(default: ${_DATABASE_VARIABLE}, else {DEFAULT_DATABASE})",
    )
    parser = argparse.ArgumentParser(prog="mykey-server", parents=[common])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", parents=[common], help="run the sync server")
    serve.add_argument("--listen", type=_address, default=DEFAULT_LISTEN, metavar="HOST:PORT")
    serve.add_argument("--anchors", type=Path, help="folder of CA certificates for jpki providers")
    serve.add_argument("--public-url", help="the address that counters use, behind a proxy")
    _add_tls_folder(serve, "speak TLS with the files of this folder, made by `tls make`")
    serve.add_argument(
        "--proof-processes",
        type=int,
        choices=(0, 1),
        default=_proof_processes(),
        help="a process beside this one for the proofs of large pushes (default: 1 from 2 cores on)",
    )
    commands.add_parser("migrate", parents=[common], help="bring the schema to the newest step")
    commands.add_parser("check", parents=[common], help="check columns, digests, versions")
    _add_provider_commands(commands, common)
    epoch = commands.add_parser("epoch", help="the name of this server's history")
    epoch.add_subparsers(dest="action", required=True, metavar="ACTION").add_parser(
        "renew", parents=[common], help="after the disk or the file was put back to an older state"
    )
    _add_key_commands(commands, common)
    _add_terminal_commands(commands, common)
    _add_link_commands(commands, common)
    _add_history_commands(commands, common)
    _add_tls_commands(commands)
    _add_bundle_commands(commands, common)
    return parser


def _proof_processes() -> int:
    """One where this process may use a second core, too."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(1, cores - 1)


if TYPE_CHECKING:
    _Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]


def _add_provider_commands(commands: _Commands, common: argparse.ArgumentParser) -> None:
    provider = commands.add_parser("provider", help="service providers")
    actions = provider.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", parents=[common])
    add.add_argument("provider_id", metavar="PROVIDER_ID")
    add.add_argument("--name", required=True)
    add.add_argument(
        "--service-id-format",
        default="alnum:1-32",
        help="digits:10, alnum:1-32, digits:14+nw7+luhn, ... (docs/scanners.md)",
    )
    add.add_argument("--profile", choices=["simulated", "jpki"], default="simulated")
    actions.add_parser("list", parents=[common])
    staleness = actions.add_parser("set", parents=[common], help="how old rows may be")
    staleness.add_argument("provider_id", metavar="PROVIDER_ID")
    staleness.add_argument("--green-hours", type=_positive)
    staleness.add_argument("--refuse-hours", type=_positive)
    staleness.add_argument("--lookups", type=_positive)


def _add_history_commands(commands: _Commands, common: argparse.ArgumentParser) -> None:
    renew = commands.add_parser(
        "renew", parents=[common], help="carry links over to a new MyKey ID"
    )
    renew.add_argument("old_cn", metavar="OLD_CN", help="14 + 9 characters")
    renew.add_argument("new_cn", metavar="NEW_CN")
    for name in ("suspend-list", "resume-list"):
        listed = commands.add_parser(name, parents=[common], help="many MyKey IDs, one CN a line")
        listed.add_argument("file", type=Path, metavar="FILE")
    compact = commands.add_parser("compact", parents=[common], help="forget old tombstones, places")
    compact.add_argument("scope", metavar="SCOPE", help="a provider's alias, or S: and the alias")
    compact.add_argument("--below", type=_positive, required=True, metavar="SEQ")
    backup = commands.add_parser("backup", help="tell counters what is safe in a backup")
    actions = backup.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("begin", parents=[common], help="before a copy is made")
    confirm = actions.add_parser("confirm", parents=[common], help="the copy was checked")
    confirm.add_argument("name", metavar="NAME")
    make = actions.add_parser("make", parents=[common], help="SQLite: copy, check and confirm")
    make.add_argument("file", type=Path, metavar="FILE")


def _add_key_commands(commands: _Commands, common: argparse.ArgumentParser) -> None:
    keys = commands.add_parser("keys", help="the server's own keys: signature and seals")
    actions = keys.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", parents=[common], help="numbers, and who believes which")
    actions.add_parser("draw", parents=[common], help="the next pair; a backup comes after this")
    rotate = actions.add_parser("rotate", parents=[common], help="change to the drawn pair")
    drop = actions.add_parser("drop", parents=[common], help="destroy a former key of seals")
    drop.add_argument("number", type=_positive, metavar="NUMBER")
    for action, text in (
        (rotate, "although counters cannot follow yet"),
        (drop, "although something sealed to it may still come, and is lost"),
    ):
        action.add_argument("--anyway", action="store_true", help=text)


def _add_terminal_commands(commands: _Commands, common: argparse.ArgumentParser) -> None:
    terminal = commands.add_parser("terminal", help="enrolled counters")
    actions = terminal.add_subparsers(dest="action", required=True, metavar="ACTION")
    code = actions.add_parser("code", parents=[common], help="a one-time code for one counter")
    code.add_argument("--provider", required=True, metavar="PROVIDER_ID")
    code.add_argument("--site", metavar="PLACE", help="where the counter is to stand")
    code.add_argument("--minutes", type=_minutes, default=timedelta(minutes=15))
    _add_tls_folder(code, "say the pin of this folder's CA, too")
    actions.add_parser("list", parents=[common])
    for name, text in (
        ("revoke", "retire a counter for good"),
        ("release", "let a quarantined counter speak again"),
    ):
        action = actions.add_parser(name, parents=[common], help=text)
        action.add_argument("device_id", metavar="DEVICE_ID")


def _add_link_commands(commands: _Commands, common: argparse.ArgumentParser) -> None:
    link = commands.add_parser("link", help="the MyKey ID management table")
    actions = link.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", parents=[common])
    listing.add_argument("--provider", metavar="PROVIDER_ID")
    for name in ("suspend", "resume"):
        command = commands.add_parser(name, parents=[common], help=f"{name} a MyKey ID everywhere")
        command.add_argument("mykey_id", metavar="MYKEY_ID")
        command.add_argument("terminal_code", metavar="TERMINAL_CODE")


def _add_tls_commands(commands: _Commands) -> None:
    tls = commands.add_parser("tls", help="a private CA for the line to the counters")
    actions = tls.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, text in (
        ("make", "make the CA, once, and the first server certificate"),
        ("renew", "make a new server certificate under the same CA"),
        ("show", "the pin to read out, the hosts, the last days"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument(
            "--dir",
            type=Path,
            default=os.environ.get(_TLS_VARIABLE) or DEFAULT_TLS,
            metavar="DIR",
            help=f"where the files lie (default: ${_TLS_VARIABLE}, else {DEFAULT_TLS})",
        )
        if name != "show":
            action.add_argument(
                "--host",
                action="append",
                default=[],
                required=name == "make",
                metavar="NAME",
                help="a name or address that counters call; may be given again",
            )


def _add_bundle_commands(commands: _Commands, common: argparse.ArgumentParser) -> None:
    bundle = commands.add_parser("bundle", help="counters without a line: files on a stick")
    actions = bundle.add_subparsers(dest="action", required=True, metavar="ACTION")
    taking = actions.add_parser("import", parents=[common], help="take an export in, and answer it")
    taking.add_argument("file", type=Path, metavar="FILE", help="what `mykey bundle export` wrote")
    taking.add_argument(
        "--reply",
        type=Path,
        required=True,
        metavar="FILE",
        help="where the answer goes, for `mykey bundle import`",
    )
    taking.add_argument("--anchors", type=Path, help="as of `serve`")


def _add_tls_folder(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument(
        "--tls",
        type=Path,
        default=os.environ.get(_TLS_VARIABLE) or None,
        metavar="DIR",
        help=f"{text} (default: ${_TLS_VARIABLE})",
    )


def _database(text: str) -> Path | PostgresUrl:
    try:
        return parse_database(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _address(text: str) -> tuple[str, int]:
    host, separator, port = text.rpartition(":")
    if not separator or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise argparse.ArgumentTypeError("HOST:PORT, for example 127.0.0.1:8790")
    return host.strip("[]"), int(port)


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 15 or int(text) == 0:
        raise argparse.ArgumentTypeError("a number from 1 on")
    return int(text)


def _minutes(text: str) -> timedelta:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= 7 * 24 * 60:
        raise argparse.ArgumentTypeError("1 to 10080 minutes (7 days)")
    return timedelta(minutes=int(text))


def settings_of(parsed: argparse.Namespace) -> Settings:
    """The settings that the arguments say."""
    return Settings(
        database=parsed.db,
        anchors=getattr(parsed, "anchors", None),
        public_url=getattr(parsed, "public_url", None),
        tls=getattr(parsed, "tls", None),
        proof_processes=getattr(parsed, "proof_processes", 0),
    )
