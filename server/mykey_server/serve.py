"""`mykey-server serve`: the application on granian, in this process, with no log of requests."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import signal
import socket
import sys
from datetime import UTC, datetime, timedelta

from granian.constants import Interfaces
from granian.server.embed import Server

from mykey_server.app import create_app
from mykey_server.core import Core
from mykey_server.database import reading
from mykey_server.profiles import JPKI, SIMULATED
from mykey_server.services.site import all_providers
from mykey_server.settings import Settings
from mykey_server.tls import RENEW_BEFORE, TlsFolder, report
from mykey_server.tls_names import TlsError
from mykey_tui.domain.errors import AnchorsError

READY_TRIES = 200
READY_PAUSE_SECONDS = 0.025
"""granian says nothing when it listens, so we knock; five seconds in all."""
STOP_SECONDS_MAX = 3.0
"""A request takes milliseconds; who is still connected then is cut off."""

logger = logging.getLogger("mykey_server")


def serve(settings: Settings, *, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT. Prints one JSON line, `{"url": ...}`, when ready.

    `port` 0 takes a free one.

    Raises:
        OSError: the address is taken.
        TlsError: the TLS folder cannot be used, or its certificate has ended.
        DatabaseError, AnchorsError: the file or the anchors cannot be used, or there are no anchors
            for a provider of real cards.
    """
    certificate = None if settings.tls is None else _usable(TlsFolder(settings.tls))
    port = _reserve(host, port)
    app = create_app(settings)
    core: Core = app.state.core
    try:
        refuse_without_anchors(core)
        asyncio.run(_run(app, core, host, port, certificate))
    finally:
        core.close()


def refuse_without_anchors(core: Core) -> None:
    """Do not open for real cards with nothing to judge them by. Raises `AnchorsError`.

    All their links would be held, and nobody would know before the queues are long.
    """
    with reading(core.engine) as connection:
        real = [p.provider_id for p in all_providers(connection) if p.profile == JPKI]
    if real and not core.cards.can_judge(JPKI):
        raise AnchorsError(
            "--anchors",
            "real cards (profile jpki) count at " + ", ".join(real) + ", and there is no usable CA"
            " certificate; give the folder that holds the JPKI ones",
        )


def _usable(folder: TlsFolder) -> TlsFolder:
    """Say in time that the certificate ends. Raises `TlsError` where there is none, or it has ended."""
    until = report(folder).server_until
    left = until - datetime.now(UTC)
    if left <= timedelta():
        raise TlsError("tls-ended", f"server.pem ended on {until.date()}: mykey-server tls renew")
    if left < RENEW_BEFORE:
        print(  # noqa: T201
            f"TLS: server.pem ends on {until.date()}: mykey-server tls renew",
            file=sys.stderr,
            flush=True,
        )
    return folder


async def _run(
    app: object, core: Core, host: str, port: int, certificate: TlsFolder | None
) -> None:
    server = Server(
        app,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        websockets=False,
        log_enabled=False,  # No line for any request: who came when is history.
        ssl_cert=None if certificate is None else certificate.chain,
        ssl_key=None if certificate is None else certificate.key,
    )
    serving = asyncio.create_task(server.serve())
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await _until_listening(host, port, serving)
    _leave_the_program_alone()
    _say_ready(core, host, port, scheme="http" if certificate is None else "https")
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
    server.stop()  # type: ignore[no-untyped-call]
    done, _ = await asyncio.wait({serving}, timeout=STOP_SECONDS_MAX)
    if serving in done:
        serving.result()
    stopped.cancel()


def _leave_the_program_alone() -> None:
    """Keep what was loaded for good out of the garbage collector's sight.

    A page of rows has objects enough to start full collections; each looked at the whole program
    again, which took longer than making the page.
    """
    gc.collect()
    gc.freeze()


def _reserve(host: str, port: int) -> int:
    """Find a free port, or make sure that the given one is free, before anything else is done."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return int(probe.getsockname()[1])


async def _until_listening(host: str, port: int, serving: asyncio.Task[None]) -> None:
    for _ in range(READY_TRIES):
        if serving.done():
            serving.result()
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(READY_PAUSE_SECONDS)
            continue
        writer.close()
        return
    raise OSError(f"not listening on {host} port {port}")


def _say_ready(core: Core, host: str, port: int, *, scheme: str) -> None:
    with reading(core.engine) as connection:
        simulated = [p.scope for p in all_providers(connection) if p.profile == SIMULATED]
    shown = f"[{host}]" if ":" in host else host
    print(  # noqa: T201 - the ready line is this command's output
        json.dumps({"url": f"{scheme}://{shown}:{port}", "simulated": simulated}), flush=True
    )
    if simulated:
        print(  # noqa: T201
            "SIMULATED: test cards count at " + ", ".join(simulated), file=sys.stderr, flush=True
        )
