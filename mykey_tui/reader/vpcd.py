"""An emulated card held on a slot of `vpcd`, the virtual reader of pcscd (vsmartcard).

vpcd listens, the card is the client. Frames: two bytes of length, big-endian, and the payload. A
payload of one byte is a control: 00 power off, 01 power on, 02 reset (none is answered), 04 asks
for the answer to reset; every other payload is a command, answered with a frame. So the whole way
through the real pcscd is exercised with no hardware.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

from mykey_tui.reader.card_file import CardFile
from mykey_tui.reader.emulated_card import CardPulledError, EmulatedCard

DEFAULT_PORT = 0x8C7B
"""vpcd's first slot; the second has the next port."""
RETRY_SECONDS = 0.3
"""Between two attempts while nobody listens: pcscd may be starting again."""
CONNECT_TIMEOUT_SECONDS = 2.0
_POLL_SECONDS = 0.2
"""How soon a request to stop is seen while vpcd is silent."""
_SEND_TIMEOUT_SECONDS = 5.0
_POWER_OFF, _POWER_ON, _RESET, _GET_ATR = 0x00, 0x01, 0x02, 0x04


class _HungUpError(Exception):
    """vpcd closed the connection."""


def hold_card(
    card_file: CardFile,
    host: str,
    port: int,
    stop: threading.Event,
    *,
    connect: Callable[[], socket.socket] | None = None,
    on_command: Callable[[bytes], None] | None = None,
) -> None:
    """Hold the card on the slot until `stop` is set, or until its own fault pulls it.

    Connects again by itself when vpcd goes away; never raises for that. The card's PIN tries live
    until this returns.

    Args:
        card_file: the card; its fault works here as on every other reader.
        host: where vpcd listens.
        port: the slot's port there.
        stop: set by another thread to take the card away; seen within 0.2 s.
        connect: makes the connection instead of `host` and `port`; raises `OSError`.
        on_command: sees every command, for tests.

    Raises:
        CardFileError: the file's key is none.
    """
    card = EmulatedCard(card_file, on_command=on_command, taken_away=stop)
    connect = connect or (lambda: socket.create_connection((host, port), CONNECT_TIMEOUT_SECONDS))
    while not stop.is_set():
        try:
            with connect() as link:
                _serve(card, link, stop)
        except CardPulledError:
            return
        except (OSError, _HungUpError):
            stop.wait(RETRY_SECONDS)


def _serve(card: EmulatedCard, link: socket.socket, stop: threading.Event) -> None:
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while (payload := _receive_frame(link, stop)) is not None:
        match payload[0] if len(payload) == 1 else None:
            case 0x00:
                card.power_off()
            case 0x01 | 0x02:
                card.reset()
            case 0x04:
                _send_frame(link, card.atr)
            case _:
                _send_frame(link, card.transmit(payload))


def _receive_frame(link: socket.socket, stop: threading.Event) -> bytes | None:
    """The next payload, or None when `stop` was set."""
    head = _receive(link, 2, stop)
    return head and _receive(link, int.from_bytes(head, "big"), stop)


def _receive(link: socket.socket, length: int, stop: threading.Event) -> bytes | None:
    received = bytearray()
    link.settimeout(_POLL_SECONDS)
    while len(received) < length:
        if stop.is_set():
            return None
        # vpcd sends length and payload apart; a delayed acknowledgement costs 40 ms per command.
        # The kernel forgets this option, so it is set before every wait.
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        try:
            part = link.recv(length - len(received))
        except TimeoutError:
            continue
        if not part:
            raise _HungUpError
        received += part
    return bytes(received)


def _send_frame(link: socket.socket, payload: bytes) -> None:
    # Never an empty one: SCardTransmit would wait for ever.
    link.settimeout(_SEND_TIMEOUT_SECONDS)
    link.sendall(len(payload).to_bytes(2, "big") + payload)
