"""Which counter is speaking: its signature, its row, its state. The provider follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.requests import Request
from starlette.types import Scope

from mykey_server.body import read_body
from mykey_server.core import Core
from mykey_server.database import reading
from mykey_server.problem import ProblemError
from mykey_server.services.terminals import Terminal, find_terminal, refuse_unless_active
from mykey_tui.wire.problems import ProblemType
from mykey_tui.wire.signature import SignatureError, verify

CARRIED = "mykey_server.carried"
"""In the scope of a request that came on a stick: the device id that signed the whole stick.

Only this process can set it: a request from the line brings headers, and no keys of the scope.
"""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A request whose sender is known."""

    terminal: Terminal
    body: bytes


async def listen(request: Request, core: Core) -> Spoken:
    """Read the body, verify the signature, look the counter up, count the request.

    Only who holds the key learns that the counter is retired or quarantined.

    Raises:
        ProblemError: unsigned, wrongly signed, clock out of range, too many requests, retired,
            quarantined; body too large or too slow.
    """
    body = await read_body(request)
    if CARRIED in request.scope:
        return _carried(request.scope[CARRIED], body, core)
    found: dict[str, Terminal] = {}

    def key_for(device_id: str) -> Ed25519PublicKey | None:
        with reading(core.engine) as connection:
            terminal = find_terminal(connection, device_id)
        if terminal is None:
            return None
        found[device_id] = terminal
        return terminal.public_key

    try:
        device_id = verify(
            method=request.method,
            url=target_url(request, core.settings.public_url),
            headers=_joined_headers(request),
            body=body,
            key_for=key_for,
            now=core.clock.now(),
        )
    except SignatureError as error:
        raise ProblemError(error.problem) from error
    terminal = found[device_id]
    core.buckets.take(device_id, core.clock.monotonic())
    refuse_unless_active(terminal, core.site, core.engine)
    return Spoken(terminal, body)


def _carried(device_id: str, body: bytes, core: Core) -> Spoken:
    """Asked on a stick whose signature was verified; the operator may have retired it since."""
    with reading(core.engine) as connection:
        terminal = find_terminal(connection, device_id)
    if terminal is None:
        raise ProblemError(ProblemType.SIGNATURE)
    refuse_unless_active(terminal, core.site, core.engine)
    return Spoken(terminal, body)


def target_url(request: Request, public_url: str | None) -> str:
    """The URL as the counter sent it: `@target-uri` covers scheme and host too."""
    return address_of(request.scope, request.headers.get("host", "").encode("latin-1"), public_url)


def address_of(scope: Scope, host: bytes, public_url: str | None) -> str:
    """The same of a bare ASGI scope; `host` is the header's value."""
    raw_path = scope.get("raw_path")
    path = raw_path.decode("latin-1") if raw_path else quote(scope["path"])
    query = scope["query_string"].decode("latin-1")
    base = public_url or f"{scope['scheme']}://{host.decode('latin-1')}"
    return base.rstrip("/") + path + (f"?{query}" if query else "")


def _joined_headers(request: Request) -> dict[str, str]:
    """One value per name; a header sent twice becomes a list, which the profile refuses."""
    joined: dict[str, str] = {}
    for name, value in request.headers.items():
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined
