"""The proof process: a second process that opens seals and judges certificates for a server.

It reads jobs from its standard input, one end of a socket pair, and answers on it. It has no file,
no table and no key of its own: all comes with the job, and the anchors come first. It ends when the
other end closes, whatever ended the server; so a signal to the whole group does not end it before
the server's last push.

Imports nothing of the tables or the web: that would double its memory.
"""

from __future__ import annotations

import gc
import signal
import socket
from typing import TypeAlias

import msgspec
from msgspec import msgpack

from mykey_server.faults import log_fault
from mykey_server.services.cards import TrustedCards, cards_from_bytes
from mykey_server.services.proof import UNDECIDABLE, Flawed, Proof, Proven
from mykey_server.services.prove import Job, prove
from mykey_tui.domain.ids import Binding, MyKeyId, SubjectCn, TerminalCode

FRAME_BYTES_MAX = 1024 * 1024
"""A job is smaller than the request that brought its items (256 KiB); anchors are 32 at most."""
LENGTH_BYTES = 4
READY = b"ready"

_Plain: TypeAlias = tuple[str, str, bytes, bytes | None] | str | None
"""A proof on its way: of a proven item MyKey ID, terminal code, tag, binding; of a flawed one the
field; None for undecidable."""


def main() -> None:
    """Serve the process at the other end of standard input until it closes that."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=0) as line:
        try:
            _serve(line)
        except (EOFError, ConnectionError):
            return
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            log_fault(error)


def _serve(line: socket.socket) -> None:
    cards = cards_from_bytes(receive(line))
    gc.freeze()  # What was loaded stays; looking at it again at each collection is waste.
    send(line, READY)
    while True:
        send(line, answer(receive(line), cards))


def answer(job: bytes, cards: TrustedCards) -> bytes:
    """Do an encoded job and encode its proofs."""
    proofs = prove(msgpack.decode(job, type=Job), cards)
    return msgpack.encode([_plain(proof) for proof in proofs])


def proofs_of(answered: bytes, count: int) -> list[Proof]:
    """Decode the proofs of a job of `count` items. Raises `ValueError` for anything else."""
    plain = msgpack.decode(answered, type=list[_Plain])
    if len(plain) != count:
        raise ValueError("not as many proofs as items")
    return [_proof(one) for one in plain]


def send(line: socket.socket, content: bytes) -> None:
    """Send one frame. Raises `OSError`, which includes a time-out of the line."""
    line.sendall(len(content).to_bytes(LENGTH_BYTES, "big"))
    line.sendall(content)


def receive(line: socket.socket) -> bytes:
    """Receive one frame.

    Raises:
        EOFError: the other end is closed.
        OSError: the line broke, or its time-out passed.
        ValueError: longer than `FRAME_BYTES_MAX`.
    """
    length = int.from_bytes(_exactly(line, LENGTH_BYTES), "big")
    if length > FRAME_BYTES_MAX:
        raise ValueError("a frame is too long")
    return _exactly(line, length)


def _exactly(line: socket.socket, size: int) -> bytes:
    chunks: list[bytes] = []
    while size:
        chunk = line.recv(size)
        if not chunk:
            raise EOFError
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


def _plain(proof: Proof) -> _Plain:
    if isinstance(proof, Proven):
        cn = proof.cn
        return cn.my_key_id.text, cn.terminal_code.text, proof.certificate_tag, proof.binding
    return proof.field if isinstance(proof, Flawed) else None


def _proof(plain: _Plain) -> Proof:
    if plain is None:
        return UNDECIDABLE
    if isinstance(plain, str):
        return Flawed(plain)
    my_key_id, terminal_code, tag, binding = plain
    cn = SubjectCn(MyKeyId(my_key_id), TerminalCode(terminal_code))
    return Proven(cn, tag, None if binding is None else Binding(binding))


if __name__ == "__main__":
    main()
