"""`mykey enrol`: make this box a counter of one provider, with a one-time code."""

from __future__ import annotations

import argparse
import json
from contextlib import closing, suppress
from typing import Any
from urllib.parse import urlsplit

from mykey_tui.commands.context import Context
from mykey_tui.commands.output import Exit
from mykey_tui.composition.counter import open_counter, reconcile
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.errors import LineError, ServerError
from mykey_tui.flows.outcomes import Stopped
from mykey_tui.flows.stopping import stopped_by
from mykey_tui.settings import SettingsError
from mykey_tui.store.home import Home
from mykey_tui.store.identity import Identity
from mykey_tui.sync.enrol import OtherProfileError, enrol

JPKI = "jpki"


def run(arguments: argparse.Namespace) -> int:
    """Enrol, write down the settings that are no secret, fetch the rows. May be tried again."""
    context = Context.of(arguments)
    output = context.output
    home = Home(context.settings.home)
    _check_address(arguments.server)
    try:
        with closing(
            enrol(
                home,
                server_url=arguments.server,
                code=arguments.code,
                profile=arguments.profile,
                counter_name=arguments.name,
                clock=SystemClock(),
            )
        ) as store:
            identity = store.identity
    except (LineError, ServerError) as error:
        stopped = stopped_by(error)
        if isinstance(error, OtherProfileError):
            detail = f"{error}; the code is still good"
            stopped = Stopped(stopped.code, {"detail": detail})
        return output.stopped(stopped)
    _write_settings(home, identity)
    rows = _first_round(context)
    facts = {
        "result": "enrolled",
        "provider_id": identity.provider_id.text,
        "provider_name": identity.provider_name,
        "device_id": str(identity.device_id),
        "profile": identity.profile,
        "rows": rows,
    }
    lines = [output.catalog.text("cli.enrol.done", provider=identity.provider_name)]
    if identity.profile == JPKI:
        lines += [output.catalog.text("cli.enrol.law"), output.catalog.text("cli.enrol.anchors")]
    else:
        lines.append(output.catalog.text("cli.enrol.simulated"))
    output.answer(facts, lines)
    return Exit.DONE


def _check_address(text: str) -> None:
    """Before anything is made or asked. Raises `SettingsError`."""
    usage = "--server: write http://HOST:PORT or https://HOST"
    try:
        parts = urlsplit(text)
        host, _port = parts.hostname, parts.port  # Each refuses what is none.
    except ValueError as error:
        raise SettingsError(usage) from error
    if not host or parts.scheme not in ("http", "https") or any(map(str.isspace, text)):
        raise SettingsError(usage)


def _write_settings(home: Home, identity: Identity) -> None:
    """Keep what a set-up person wrote there before; add what they would look for."""
    written: dict[str, Any] = {}
    with suppress(FileNotFoundError):
        written = json.loads(home.settings.read_text("utf-8"))
    written |= {
        "counter": identity.counter_name,
        "provider": identity.provider_id.text,
        "server": identity.server_url,
        "profile": identity.profile,
    }
    written.setdefault("handover", {"kind": "off"})
    content = json.dumps(written, ensure_ascii=False, indent=1) + "\n"
    home.write_private(home.settings, content.encode())


def _first_round(context: Context) -> int | None:
    """The rows, so that the counter works alone from now on; None where the line broke off."""
    with suppress(LineError, ServerError), open_counter(context.settings) as counter:
        return reconcile(counter).rows
    return None
