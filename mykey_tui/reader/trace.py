"""Wrappers round a connection: one that tells what passes, secrets masked, and one that counts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from mykey_tui.card.connection import CardConnection, CardReader
from mykey_tui.card.jpki import JpkiApplet
from mykey_tui.card.pin_pad import Controllable

_SELECT = 0xA4
_LE_BYTES = 1
_SHOWN_BYTES_MAX = 16
"""Enough for every application's name; what is longer is cut."""


def describe(command: bytes) -> str:
    """A command for people: the header, and of the body what cannot be anybody's secret.

    That is the name in a SELECT and a length that is asked for. Everything else is only counted:
    a PIN, a hash to be signed, a key of a storage card, a number of a card in a pass-through.
    """
    header, body = command[:4].hex(), command[4:]
    if not body:
        return header
    if len(body) == _LE_BYTES:
        return f"{header} {body.hex()}"
    if command[:1] == b"\x00" and command[1] == _SELECT:
        cut = "..." if len(body) > _SHOWN_BYTES_MAX else ""
        return f"{header} {body[:_SHOWN_BYTES_MAX].hex()}{cut}"
    return f"{header} ** ({len(body)} bytes)"


class Traced:
    """A `CardConnection` that tells each command and how it was answered.

    Of an answer only length and status word are told: its data is a person's certificate.
    """

    def __init__(self, connection: CardConnection, log: Callable[[str], None]) -> None:
        self._connection = connection
        self._log = log

    @property
    def atr(self) -> bytes:
        """The inner connection's."""
        return self._connection.atr

    def transmit(self, command: bytes) -> bytes:
        """Pass the command on; see `CardConnection.transmit`."""
        self._log(f"> {describe(command)}")
        response = self._connection.transmit(command)
        self._log(f"< {max(len(response) - 2, 0)} bytes, {response[-2:].hex()}")
        return response


class TracedWithKeys(Traced):
    """The same over a driver whose readers may have keys of their own; see `card.pin_pad`."""

    def __init__(
        self, connection: CardConnection, keys: Controllable, log: Callable[[str], None]
    ) -> None:
        super().__init__(connection, log)
        self._keys = keys

    def control(self, code: int, data: bytes) -> bytes:
        """Pass the message on; see `Controllable.control`. Its data and the answer's are not told."""
        self._log(f"> control {code:08x} ({len(data)} bytes)")
        response = self._keys.control(code, data)
        self._log(f"< {len(response)} bytes")
        return response


def traced(connection: CardConnection, log: Callable[[str], None]) -> Traced:
    """A connection that tells what passes and can do no less than the one inside."""
    if isinstance(connection, Controllable):
        return TracedWithKeys(connection, connection, log)
    return Traced(connection, log)


class CountingConnection:
    """A `CardConnection` that counts what passes; for the benchmark."""

    def __init__(self, connection: CardConnection) -> None:
        self._connection = connection
        self.apdus = 0

    @property
    def atr(self) -> bytes:
        """The inner connection's."""
        return self._connection.atr

    def transmit(self, command: bytes) -> bytes:
        """Count and pass on; see `CardConnection.transmit`."""
        self.apdus += 1
        return self._connection.transmit(command)


@dataclass(frozen=True, slots=True)
class TimedRead:
    """How one reading of the certificate went."""

    certificate_bytes: int
    apdus: int
    milliseconds: float
    """From the first command to the last byte of the certificate."""
    session_milliseconds: float
    """The same with connecting, the transaction and letting go."""


def timed_read(reader: CardReader) -> TimedRead:
    """Read the certificate of the card that lies on `reader`, and measure.

    Raises:
        ReaderError, CardError: as `CardReader.session` and `JpkiApplet` do.
    """
    begun = time.perf_counter()
    with reader.session() as connection:
        counting = CountingConnection(connection)
        connected = time.perf_counter()
        applet = JpkiApplet(counting)
        applet.select()
        certificate = applet.read_auth_certificate()
        read = time.perf_counter()
    ended = time.perf_counter()
    return TimedRead(
        certificate_bytes=len(certificate),
        apdus=counting.apdus,
        milliseconds=(read - connected) * 1000,
        session_milliseconds=(ended - begun) * 1000,
    )
