"""A server that drips: each byte comes in time, and all of them never. Real sockets, real TLS."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from mykey_server.tls import TlsFolder, make
from mykey_tui.domain.errors import LineError
from mykey_tui.sync import exchange
from mykey_tui.sync.exchange import LineBrokeError, LineCutError, make_http_client

GIVEN_SECONDS = 0.5
PAUSE_SECONDS = 0.05
PIECES_MAX = 200
"""Ten seconds: who is not bounded sees the line cut then, and fails the test."""
LARGE = b"x" * (16 * 1024 * 1024)
"""More than the kernels of both sides take before anybody reads."""

Act = Callable[[socket.socket], None]


class Dripping:
    """Takes one connection after another; `act` once, then a little again and again."""

    def __init__(self, first: bytes, again: Act, tls: ssl.SSLContext | None) -> None:
        self._first = first
        self._again = again
        self._tls = tls
        self._done = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}/"

    def __enter__(self) -> Dripping:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        with suppress(OSError), ExitStack() as stack:
            stream = stack.enter_context(self._listener.accept()[0])
            if self._tls is not None:
                stream = stack.enter_context(self._tls.wrap_socket(stream, server_side=True))
            stream.recv(1024)
            stream.sendall(self._first)
            for _ in range(PIECES_MAX):
                if self._done.wait(PAUSE_SECONDS):
                    return
                self._again(stream)


def sends(piece: bytes) -> Act:
    return lambda stream: stream.sendall(piece)


@pytest.fixture(params=["plain", "tls"])
def trust(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[ssl.SSLContext | None, ssl.SSLContext | bool]]:
    """What the server shows, and what the counter believes."""
    if request.param == "plain":
        yield None, False
        return
    folder = TlsFolder(tmp_path / "tls")
    make(folder, ["127.0.0.1"], now=datetime.now(UTC))
    shown, believed = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    shown.load_cert_chain(folder.chain, folder.key)
    believed.load_verify_locations(folder.authority)
    yield shown, believed


@pytest.mark.parametrize(
    ("first", "again", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nX-A: ", sends(b"a"), b""),
        (b"", sends(b"HTTP/1.1 100 Continue\r\n\r\n"), b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", sends(b"a"), b""),
        (b"", lambda stream: stream.recv(1024), LARGE),
    ],
    ids=["headers", "interim replies", "body", "taking the request"],
)
def test_an_exchange_ends_in_time_though_every_byte_of_it_moves(
    monkeypatch: pytest.MonkeyPatch,
    trust: tuple[ssl.SSLContext | None, ssl.SSLContext | bool],
    first: bytes,
    again: Act,
    body: bytes,
) -> None:
    monkeypatch.setattr(exchange, "EXCHANGE_SECONDS", GIVEN_SECONDS)
    shown, believed = trust
    with Dripping(first, again, shown) as server, make_http_client(None, believed) as http:
        request = http.build_request("POST", server.url, content=body)
        begun = time.monotonic()
        with pytest.raises(LineBrokeError) as caught:
            exchange.exchange(http, request)
        took = time.monotonic() - begun
    assert not isinstance(caught.value, LineCutError)  # it would be sent again at once
    assert GIVEN_SECONDS <= took < GIVEN_SECONDS + 3


def test_a_handshake_that_never_comes_ends_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exchange, "EXCHANGE_SECONDS", GIVEN_SECONDS)
    with Dripping(b"", sends(b""), None) as server, make_http_client(None, True) as http:
        url = server.url.replace("http:", "https:")
        begun = time.monotonic()
        with pytest.raises(LineError):
            exchange.exchange(http, http.build_request("GET", url))
        assert time.monotonic() - begun < GIVEN_SECONDS + 2


def test_the_next_exchange_of_the_same_client_has_its_own_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exchange, "EXCHANGE_SECONDS", GIVEN_SECONDS)
    with make_http_client(None, False) as http:
        slow = Dripping(b"HTTP/1.1 200 OK\r\nX-A: ", sends(b"a"), None)
        with slow, pytest.raises(LineBrokeError):
            exchange.exchange(http, http.build_request("GET", slow.url))
        whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
        with Dripping(whole, sends(b""), None) as sound:
            reply = exchange.exchange(http, http.build_request("GET", sound.url))
    assert (reply.status, reply.body) == (200, b"hi")


def test_a_request_without_a_deadline_is_bounded_by_each_wait_alone() -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    with Dripping(whole, sends(b""), None) as sound, make_http_client(None, False) as http:
        assert http.get(sound.url, timeout=httpx.Timeout(2.0)).content == b"hi"
