"""`mykey enrol`: make this box a counter of one provider, with a one-time code."""

from __future__ import annotations

import argparse
from contextlib import closing, suppress
from datetime import UTC, datetime
from enum import Enum, unique
from ipaddress import ip_address
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mykey_tui.commands.context import Context, outside_path
from mykey_tui.commands.output import Exit
from mykey_tui.commands.progress import progress_told
from mykey_tui.composition.counter import open_counter, reconcile
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import LineError, MalformedIdError, ServerError
from mykey_tui.domain.fingerprint import parse_pin, words_of
from mykey_tui.domain.text import safe
from mykey_tui.flows.outcomes import Stopped
from mykey_tui.flows.stopping import stopped_by
from mykey_tui.settings import SettingsError
from mykey_tui.store.home import Home
from mykey_tui.store.home_settings import update_settings
from mykey_tui.store.identity import Identity
from mykey_tui.sync.enrol import OtherProfileError, enrol
from mykey_tui.sync.tls import fetch_authority, read_ca_file

JPKI = "jpki"
ADDRESS_LENGTH_MAX = 200
_NOT_GOING_ON = frozenset({Code.LINE_DOWN, Code.SERVER_BROKEN, Code.SERVER_BUSY, Code.SERVER_NEWER})
"""What an enrolled counter works on with, and a new one cannot."""


def run(arguments: argparse.Namespace) -> int:
    """Enrol, write down the settings that are no secret, fetch the rows. May be tried again."""
    context = Context.of(arguments)
    output = context.output
    home = Home(context.settings.home)
    _check_address(arguments.server, plain_allowed=arguments.insecure_http)
    try:
        server_ca = _authority(arguments)
        with closing(
            enrol(
                home,
                server_url=arguments.server,
                code=arguments.code,
                profile=arguments.profile,
                counter_name=arguments.name,
                clock=SystemClock(),
                server_ca=server_ca,
            )
        ) as store:
            identity = store.identity
    except (LineError, ServerError) as error:
        stopped = stopped_by(error)
        if isinstance(error, OtherProfileError):
            detail = f"{error}; the code is still good"
            stopped = Stopped(stopped.code, {"detail": detail})
        if stopped.code is Code.SERVER_TLS_TIME:
            today = datetime.now(UTC).date().isoformat()
            stopped = Stopped(stopped.code, {"detail": f"this box's date: {today}"})
        if stopped.code in _NOT_GOING_ON:
            stopped = Stopped(stopped.code, {"detail": safe(arguments.server, ADDRESS_LENGTH_MAX)})
            then = output.catalog.text(f"cli.enrol.next.{stopped.code.value}")
            return output.stopped(stopped, next_step=then)
        return output.stopped(stopped)
    _write_settings(home, identity)
    rows = _first_round(context)
    words, line = words_of(_public_key(identity)), _line_of(identity)
    facts = {
        "result": "enrolled",
        "provider_id": identity.provider_id.text,
        "provider_name": identity.provider_name,
        "device_id": str(identity.device_id),
        "profile": identity.profile,
        "words": words,
        "line": line.value,
        "rows": rows,
    }
    lines = [
        output.catalog.text("cli.enrol.done", provider=identity.provider_name),
        output.catalog.text("cli.enrol.words", words=words),
        output.catalog.text(f"cli.enrol.line.{line.value}"),
    ]
    if identity.profile == JPKI:
        lines += [output.catalog.text("cli.enrol.law"), output.catalog.text("cli.enrol.anchors")]
    else:
        lines.append(output.catalog.text("cli.enrol.simulated"))
    output.answer(facts, lines)
    return Exit.DONE


@unique
class LineTrust(Enum):
    """How the server proves itself on the line, from now on."""

    OWN_CA = "own-ca"
    PUBLIC_CA = "public-ca"
    PLAIN = "plain"
    """Not at all: to this machine itself, or because a person wrote `--insecure-http`."""


def _line_of(identity: Identity) -> LineTrust:
    if identity.server_url.startswith("http:"):
        return LineTrust.PLAIN
    return LineTrust.PUBLIC_CA if identity.server_ca is None else LineTrust.OWN_CA


def _public_key(identity: Identity) -> bytes:
    key = Ed25519PrivateKey.from_private_bytes(identity.device_key)
    return key.public_key().public_bytes_raw()


def _authority(arguments: argparse.Namespace) -> bytes | None:
    """The CA that was named, or the one that the server shows for a pin; None for the public ones.

    Raises:
        SettingsError: no such file, no pin, or no TLS to check it on.
        LineError, ServerError: as `fetch_authority`.
    """
    if arguments.ca is None and arguments.pin is None:
        return None
    if not arguments.server.lower().startswith("https:"):
        raise SettingsError("--ca and --pin prove a server on https:// alone")
    try:
        if arguments.ca is not None:
            return read_ca_file(outside_path(arguments.ca))
        pin = parse_pin(arguments.pin)
    except (ValueError, MalformedIdError) as error:
        raise SettingsError(f"--ca or --pin: {error}") from error
    return fetch_authority(arguments.server, pin)


def _check_address(text: str, *, plain_allowed: bool) -> None:
    """Before anything is made or asked. Raises `SettingsError`.

    Plain HTTP shows the provider's key to everybody on the way: only to this machine itself, or
    where a person has written the word for it.
    """
    usage = "--server: write http://HOST:PORT or https://HOST"
    try:
        parts = urlsplit(text)
        host, _port = parts.hostname, parts.port  # Each refuses what is none.
    except ValueError as error:
        raise SettingsError(usage) from error
    if not host or parts.scheme not in ("http", "https") or any(map(str.isspace, text)):
        raise SettingsError(usage)
    if parts.scheme == "http" and not plain_allowed and not _is_this_machine(host):
        raise SettingsError("--server: use https://, or add --insecure-http if you must")


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _write_settings(home: Home, identity: Identity) -> None:
    """Add to the settings what a set-up person would look for there."""
    values: dict[str, object] = {
        "counter": identity.counter_name,
        "provider": identity.provider_id.text,
        "server": identity.server_url,
        "profile": identity.profile,
    }
    if not home.settings.exists():
        values["handover"] = {"kind": "off"}
    update_settings(home, values)


def _first_round(context: Context) -> int | None:
    """The rows, so that the counter works alone from now on; None where the line broke off."""
    with (
        suppress(LineError, ServerError),
        open_counter(context.settings) as counter,
        progress_told(counter.store, context.output),
    ):
        return reconcile(counter).rows
    return None
