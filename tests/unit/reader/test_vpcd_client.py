import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from mykey_tui.reader.card_file import CardFile, Fault, FaultName
from mykey_tui.reader.vpcd import hold_card

SELECT_JPKI = bytes.fromhex("00A4040C0AD392F000260100000001")
SELECT_CERTIFICATE = bytes.fromhex("00A4020C02000A")


def send(link: socket.socket, payload: bytes) -> None:
    link.sendall(len(payload).to_bytes(2, "big") + payload)


def receive(link: socket.socket) -> bytes:
    def exactly(length: int) -> bytes:
        data = b""
        while len(data) < length:
            part = link.recv(length - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    return exactly(int.from_bytes(exactly(2), "big"))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """What vpcd would be, on a loopback port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        yield server


@contextmanager
def held(card_file: CardFile, listener: socket.socket) -> Iterator[threading.Thread]:
    host, port = listener.getsockname()
    stop = threading.Event()
    holder = threading.Thread(target=hold_card, args=(card_file, host, port, stop))
    holder.start()
    try:
        yield holder
    finally:
        stop.set()
        holder.join(5)
        assert not holder.is_alive()


def accepted(listener: socket.socket) -> socket.socket:
    link = listener.accept()[0]
    link.settimeout(5)
    return link


def test_the_card_answers_its_atr_and_commands(listener: socket.socket, card: CardFile) -> None:
    with held(card, listener), accepted(listener) as link:
        send(link, b"\x01")
        send(link, b"\x04")
        assert receive(link) == card.atr
        send(link, SELECT_JPKI)
        assert receive(link) == b"\x90\x00"


@pytest.mark.parametrize("control", [b"\x00", b"\x01", b"\x02"])
def test_power_and_reset_clear_what_was_selected(
    listener: socket.socket, card: CardFile, control: bytes
) -> None:
    with held(card, listener), accepted(listener) as link:
        send(link, SELECT_JPKI)
        receive(link)
        send(link, control)
        send(link, SELECT_CERTIFICATE)
        assert receive(link) == b"\x6a\x82"


def test_an_empty_command_gets_an_answer_too(listener: socket.socket, card: CardFile) -> None:
    # A reply of no bytes would make SCardTransmit wait for ever.
    with held(card, listener), accepted(listener) as link:
        send(link, b"")
        assert receive(link) == b"\x67\x00"


def test_the_card_comes_back_when_the_service_was_restarted(
    listener: socket.socket, card: CardFile
) -> None:
    with held(card, listener):
        for _ in range(3):
            with accepted(listener) as link:
                send(link, b"\x04")
                assert receive(link) == card.atr


def test_a_card_pulled_by_its_fault_hangs_up_and_stays_away(
    listener: socket.socket, card: CardFile
) -> None:
    faulty = replace(card, fault=Fault(FaultName.REMOVED_DURING_READ, at=2))
    with held(faulty, listener) as holder, accepted(listener) as link:
        send(link, SELECT_JPKI)
        receive(link)
        send(link, SELECT_CERTIFICATE)
        with pytest.raises(EOFError):
            receive(link)
        holder.join(5)
        assert not holder.is_alive()
