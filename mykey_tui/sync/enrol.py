"""Making this box a counter: a one-time code for an identity, and the store that keeps it.

May be cut off at any moment and tried again with the same code: the device key is kept before the
server is asked, and the same request with the same key gets the same answer.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from secrets import token_bytes
from uuid import UUID

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import LineError, MalformedIdError, ServerError, StoreError
from mykey_tui.domain.ids import DeviceId, Incarnation, ProviderId
from mykey_tui.domain.service_id import ServiceIdFormat
from mykey_tui.domain.text import safe
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home, on_disk
from mykey_tui.store.identity import Identity
from mykey_tui.sync.exchange import accept_headers, exchange, make_http_client
from mykey_tui.sync.replies import read, read_problem, read_time
from mykey_tui.sync.tls import trust_of
from mykey_tui.wire.messages import MSGPACK, EnrolReply, EnrolRequest, to_msgpack
from mykey_tui.wire.problems import ProblemType

INCARNATION_LENGTH = 16
DEVICE_KEY_LENGTH = 32
NAME_LENGTH_MAX = 64
CODE_LENGTH_MIN, CODE_LENGTH_MAX = 10, 16
"""With and without the hyphens and blanks that a person may type."""

PROFILES = frozenset({"simulated", "jpki"})

LOCK_WAIT_SECONDS = 15.0
"""How long an enrolment waits for another one of the same home; that one is bounded by time-outs."""

_CODES = {
    ProblemType.CODE_REFUSED.type_name: Code.ENROL_CODE,
    ProblemType.TOO_MANY_TRIES.type_name: Code.ENROL_TRIES,
}


class OtherProfileError(ServerError):
    """The provider's cards are of another kind than the one that was asked for."""

    def __init__(self, asked: str, theirs: str) -> None:
        super().__init__(Code.SERVER_DENIED, f"the provider uses profile {theirs}, not {asked}")
        self.asked = asked
        self.theirs = theirs


def enrol(
    home: Home,
    *,
    server_url: str,
    code: str,
    profile: str | None,
    counter_name: str,
    clock: SystemClock,
    server_ca: bytes | None = None,
    transport: httpx.BaseTransport | None = None,
) -> CounterStore:
    """Enrol this home and return its new store.

    `profile` None takes what the server's provider uses. Another one is refused: the counter would
    accept cards that the server never does. The code may then be used again from this home.

    The server is believed by `server_ca` alone (a CA certificate, DER; see also
    `sync.tls.fetch_authority`), or where there is none by the public CAs. It is kept, and no later
    request believes another.

    Raises:
        StoreError: ENROL_ALREADY when the home has a store, also one that another program has just
            made; STORE_FULL; STORE_BUSY when another enrolment of this home runs for too long.
        ServerError: ENROL_CODE (also for text that is no code), ENROL_TRIES, or SERVER_BROKEN;
            `OtherProfileError` for another profile than the provider's; SERVER_TLS and
            its kind for a server that is not proven.
        LineError: not reached, or no such address.
    """
    if home.database.exists():
        raise StoreError(Code.ENROL_ALREADY)
    code = code.strip().upper()
    if not CODE_LENGTH_MIN <= len(code) <= CODE_LENGTH_MAX:
        raise ServerError(Code.ENROL_CODE)
    home.prepare()
    url = server_url.rstrip("/")
    name = safe(counter_name.strip(), limit=NAME_LENGTH_MAX) or "counter"
    # The lock of the rounds: who is enrolled begins with one, and two never work on one home.
    with home.syncing(LOCK_WAIT_SECONDS):
        if home.database.exists():
            raise StoreError(Code.ENROL_ALREADY)
        device_key = _device_key(home)
        reply = _ask(url, code, name, device_key, transport, trust_of(server_ca))
        identity = _identity(
            reply, url=url, profile=profile, name=name, device_key=device_key, server_ca=server_ca
        )
        moment = read_time(reply.server_time)
        if moment is not None:
            clock.offset = moment - datetime.now(UTC)
        store = CounterStore.create(home, identity, clock=clock)
        store.save_clock_offset(clock.offset)
        with on_disk():
            home.pending_device_key.unlink(missing_ok=True)
    return store


def _ask(
    url: str,
    code: str,
    name: str,
    device_key: bytes,
    transport: httpx.BaseTransport | None,
    verify: ssl.SSLContext | bool,
) -> EnrolReply:
    public_key = Ed25519PrivateKey.from_private_bytes(device_key).public_key().public_bytes_raw()
    request = EnrolRequest(code=code, public_key=public_key, name=name)
    headers = {**accept_headers(), "Content-Type": MSGPACK}
    with make_http_client(transport, verify) as http:
        try:
            message = http.build_request(
                "POST", f"{url}/v1/enrol", content=to_msgpack(request), headers=headers
            )
        except httpx.InvalidURL as error:
            raise LineError("no address of a server") from error
        reply = exchange(http, message)
    if reply.status == 200:
        return read(reply, EnrolReply)
    problem = read_problem(reply)
    raise ServerError(
        _CODES.get(problem.type if problem else "", Code.SERVER_BROKEN), f"status {reply.status}"
    )


def _identity(
    reply: EnrolReply,
    *,
    url: str,
    profile: str | None,
    name: str,
    device_key: bytes,
    server_ca: bytes | None,
) -> Identity:
    try:
        provider = ProviderId.parse(reply.provider_id)
        if reply.profile not in PROFILES or reply.scope != provider.alias:
            raise ServerError(Code.SERVER_BROKEN, "an enrolment that makes no sense")
        if profile is not None and profile != reply.profile:
            raise OtherProfileError(profile, reply.profile)
        return Identity(
            device_id=DeviceId(UUID(reply.device_id)),
            incarnation=Incarnation(token_bytes(INCARNATION_LENGTH)),
            provider_id=provider,
            provider_name=safe(reply.provider_name),
            scope=reply.scope,
            provider_key=reply.provider_key,
            digest_key=reply.digest_key,
            seal_key=reply.seal_key,
            device_key=device_key,
            server_url=url,
            profile=reply.profile,
            counter_name=name,
            service_id_format=ServiceIdFormat.parse(reply.service_id_format),
            server_key=reply.server_key,
            server_ca=server_ca,
        )
    except (ValueError, MalformedIdError) as error:
        raise ServerError(Code.SERVER_BROKEN, "an enrolment that makes no sense") from error


def _device_key(home: Home) -> bytes:
    """The key of an enrolment that was cut off, or a new one; on disk before anybody is asked."""
    try:
        key = bytes.fromhex(home.pending_device_key.read_text("ascii").strip())
    except (FileNotFoundError, ValueError):
        key = b""
    except OSError as error:
        raise StoreError(Code.STORE_FULL, error.strerror or "") from error
    if len(key) != DEVICE_KEY_LENGTH:
        key = token_bytes(DEVICE_KEY_LENGTH)
        home.write_private(home.pending_device_key, key.hex().encode("ascii"))
    return key
