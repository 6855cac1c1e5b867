"""The network with one end of patience for a whole exchange: connecting, TLS, asking, and the reply.

httpx bounds each single read and write, and never their sum: a server that drips a header byte by
byte would hold a round for days, and with it the lock that every round needs.
"""

from __future__ import annotations

import math
import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

DEADLINE = "mykey_deadline"
"""Extension of a request: the moment of `time.monotonic` at which its exchange is given up."""

KEEPALIVE_SECONDS = 5.0
"""How long a connection that nobody uses is kept; httpx's own choice."""


class BoundedTransport(httpx.HTTPTransport):
    """HTTP over the network; what is still under way at the request's `DEADLINE` times out.

    Any thread may ask, and reads its reply itself. Looking up the host's name is bounded by the
    system's resolver alone.
    """

    def __init__(self, verify: ssl.SSLContext | bool) -> None:
        context = httpx.create_ssl_context(verify=verify, trust_env=False)
        super().__init__(verify=context, trust_env=False)
        self._deadline = _Deadline()
        # httpx passes no network to its pool; everything else stays as it has it.
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            keepalive_expiry=KEEPALIVE_SECONDS,
            network_backend=_Network(self._deadline),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """As `httpx.HTTPTransport`. Raises `httpx.TimeoutException` at the deadline, as the reply does."""
        self._deadline.at = request.extensions.get(DEADLINE, math.inf)
        return super().handle_request(request)


class _Deadline(threading.local):
    """Of the exchange that this thread is in."""

    at: float = math.inf

    def cap(self, timeout: float | None) -> float | None:
        """A wait that ends with the exchange."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the exchange took too long")
        return timeout if left == math.inf else min(left, timeout or left)


class _Network(httpcore.NetworkBackend):
    def __init__(self, deadline: _Deadline) -> None:
        self._inner = httpcore.SyncBackend()
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._inner.connect_tcp(
            host, port, self._deadline.cap(timeout), local_address, socket_options
        )
        return _Stream(stream, self._deadline)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.cap(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """By itself: what is underneath waits anew for each part that the other side takes."""
        socket = self._inner.get_extra_info("socket")
        rest = memoryview(buffer)
        try:
            while rest:
                socket.settimeout(self._deadline.cap(timeout))
                rest = rest[socket.send(rest) :]
        except TimeoutError as error:
            raise httpcore.WriteTimeout(type(error).__name__) from error
        except OSError as error:
            raise httpcore.WriteError(type(error).__name__) from error

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._inner.start_tls(ssl_context, server_hostname, self._deadline.cap(timeout))
        return _Stream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401  # httpcore's own type
        return self._inner.get_extra_info(info)
