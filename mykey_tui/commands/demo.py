"""`mykey demo`: server, two providers, a tray of sample cards and the screen, on this machine."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from mykey_tui.commands.context import outside_path
from mykey_tui.commands.demo_folder import DemoFolder
from mykey_tui.commands.demo_server import DemoError, DemoServer
from mykey_tui.commands.output import Output, language_of
from mykey_tui.commands.screen import LateCounter, run_screen
from mykey_tui.commands.terminal import ended_politely, require_terminal
from mykey_tui.domain.codes import Code
from mykey_tui.flows.outcomes import Stopped

_SERVER_MODULES = ("fastapi", "granian", "alembic")


def run(arguments: argparse.Namespace) -> int:
    """Everything in one command; nothing stays behind unless `--home` is given."""
    require_terminal()
    output = Output(
        as_json=getattr(arguments, "json", False),
        language=language_of(getattr(arguments, "language", None)),
    )
    if any(find_spec(name) is None for name in _SERVER_MODULES):
        return output.stopped(Stopped(Code.ENROL_EXTRA_MISSING))
    home = getattr(arguments, "home", None)
    try:
        with ExitStack() as stack:
            stack.enter_context(ended_politely(lambda: False))
            folder = outside_path(home) if home else _passing_folder(stack)
            language = getattr(arguments, "language", None)
            exit_code = _run(DemoFolder(folder), output, stack, language)
    except DemoError as error:
        output.tell("cli.demo.broken", step=error.step)
        return output.stopped(Stopped(Code.SERVER_BROKEN, {"detail": error.step}))
    if home:
        output.tell("cli.demo.kept", path=str(folder))
    return exit_code


def _run(folder: DemoFolder, output: Output, stack: ExitStack, language: str | None) -> int:
    folder.prepare()
    output.tell("cli.demo.server")
    server = stack.enter_context(DemoServer(folder.database, port=folder.port()))
    # Imported while the server starts: both take a second.
    from mykey_tui.commands.demo_hands import DemoHands, LineSwitch  # noqa: PLC0415
    from mykey_tui.commands.demo_site import set_up, settings_of  # noqa: PLC0415
    from mykey_tui.composition.hands import Hands  # noqa: PLC0415
    from mykey_tui.reader.emulator import EmulatedReader  # noqa: PLC0415
    from mykey_tui.simulated.tray import SHOPS, sample_tray  # noqa: PLC0415
    from mykey_tui.sync.background import tcp_probe  # noqa: PLC0415

    tray = sample_tray(datetime.now(UTC))
    server.wait_until_ready()
    if not folder.is_ready:
        output.tell("cli.demo.cards")
        set_up(folder, server, tray)
        folder.mark_ready(urlsplit(server.url).port or 0)
    server.dismiss_operator()
    reader, line = EmulatedReader(), LineSwitch()
    reaches = tcp_probe(server.url)
    hands = Hands(
        reader=reader,
        transport=line,
        probe=lambda: not line.cut and reaches(),
        demo=lambda nudge: DemoHands(tray, reader, line, nudge),
    )
    kept = settings_of(folder, SHOPS)
    settings = replace(kept, language=language or kept.language)
    return run_screen(settings, LateCounter(settings, lambda: hands), simulated=True)


def _passing_folder(stack: ExitStack) -> Path:
    """A folder that goes with the demo."""
    path = tempfile.mkdtemp(prefix="mykey-demo-")
    stack.callback(shutil.rmtree, path, ignore_errors=True)
    return Path(path)
