"""A My Number Card that is not ours: another hand's reading of the same documents.

Shares no line with the product. It has a contact card's ATR, hands out at most 96 bytes at a time,
always through 61xx and GET RESPONSE, refuses Le=00, corrects a wrong Le with 6Cxx, and answers
the selection of its application with data. Runs as a process of its own; the socket to vpcd is
inherited.

Arguments: descriptor of the socket, file with the certificate.
"""

import socket
import sys
from pathlib import Path

ATR = bytes.fromhex("3BDA13FF8131FB468012392F31C173C601C03B")
NAME = bytes.fromhex("D392F000260100000001")
FCI = bytes.fromhex("6F0C840A") + NAME
PORTION = 96


def exactly(wire: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = wire.recv(count - len(data))
        if not piece:
            sys.exit(0)
        data.extend(piece)
    return bytes(data)


class Chip:
    def __init__(self, certificate: bytes) -> None:
        self.files = {
            b"\x00\x0a": certificate + b"\xff" * 77,
            b"\x00\x06": b"JPKIAPICCTOKEN2".ljust(160),
        }
        self.restart()

    def restart(self) -> None:
        self.inside = False
        self.opened = b""
        self.queue = b""

    def __call__(self, apdu: bytes) -> bytes:
        head, body = apdu[:4].hex(), apdu[4:]
        if head == "00c00000":
            return self.fetch(body[0])
        self.queue = b""
        if head.startswith("00a4"):
            return self.choose(head, body[1 : 1 + body[0]])
        if head.startswith("00b0"):
            return self.look(int(head[4:], 16), body[0])
        return b"\x6d\x00"

    def offer(self, data: bytes) -> bytes:
        self.queue = data
        return bytes([0x61, len(data)])

    def fetch(self, wanted: int) -> bytes:
        if not self.queue:
            return b"\x69\x85"
        if wanted == 0 or wanted > len(self.queue):
            return bytes([0x6C, len(self.queue)])
        given, self.queue = self.queue[:wanted], self.queue[wanted:]
        return given + (bytes([0x61, len(self.queue)]) if self.queue else b"\x90\x00")

    def choose(self, head: str, what: bytes) -> bytes:
        if head.startswith("00a404") and what == NAME:
            self.inside, self.opened = True, b""
            return self.offer(FCI)
        if head == "00a4020c" and self.inside and what in self.files:
            self.opened = self.files[what]
            return b"\x90\x00"
        return b"\x6a\x82"

    def look(self, where: int, wanted: int) -> bytes:
        if not self.opened:
            return b"\x69\x86"
        rest = self.opened[where:]
        if not rest:
            return b"\x6b\x00"
        if wanted == 0:
            return b"\x67\x00"
        if wanted > len(rest):
            return bytes([0x6C, min(len(rest), 255)])
        return self.offer(rest[: min(wanted, PORTION)])


def main() -> None:
    wire = socket.socket(fileno=int(sys.argv[1]))
    chip = Chip(Path(sys.argv[2]).read_bytes())
    while True:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        message = exactly(wire, int.from_bytes(exactly(wire, 2), "big"))
        if message == b"\x04":
            reply = ATR
        elif len(message) == 1:
            chip.restart()
            continue
        else:
            reply = chip(message)
        wire.sendall(len(reply).to_bytes(2, "big") + reply)


if __name__ == "__main__":
    main()
