"""A bad line as a process of its own: stands before the server and spoils what passes, by seed.

    proxy.py SEED UPSTREAM-PORT LOSS

Prints `{"port": N}` when it listens, and at SIGTERM what it did to how many requests. It is a good
line until SIGUSR1; at SIGUSR2 nothing gets through any more, until the next one.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import struct
import sys
from collections import Counter
from random import Random

HEAD_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = 16 * 1024 * 1024
OTHERS = {
    "lost": 0.04,
    "cut in the body": 0.05,
    "cut in the reply": 0.05,
    "twice": 0.1,
    "late": 0.1,
}
"""Besides the replies that are dropped (LOSS)."""
LATE_SECONDS_MAX = 0.2


class Proxy:
    """One request at a time on each connection, as the counters' client does it."""

    def __init__(self, seed: int, upstream: int, loss: float) -> None:
        self._dice = Random(seed)  # noqa: S311  # chance, repeatable
        self._upstream = upstream
        self._fates = ["reply dropped", *OTHERS, "passed"]
        shares = [loss, *OTHERS.values()]
        self._weights = [*shares, 1.0 - sum(shares)]
        self._good = True
        self._out = False
        self.done: Counter[str] = Counter()

    def turn_bad(self) -> None:
        """From the next request on."""
        self._good = False

    def toggle_outage(self) -> None:
        """From the next request on nothing gets through, or again what did before."""
        self._out = not self._out

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            self.done["broken by the other side"] += 1
        finally:
            reset(writer)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Pass one request on. False where the connection is to end."""
        try:
            request = await read_message(reader)
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            return False  # between two requests: the counter is done
        fate = self._fate()
        self.done[fate] += 1
        if fate in ("lost", "outage"):
            return False
        if fate == "cut in the body":
            await self._ask(request[: self._dice.randint(1, len(request) - 1)], whole=False)
            return False
        if fate == "late":
            await asyncio.sleep(self._dice.uniform(0.0, LATE_SECONDS_MAX))
        reply = await self._ask(request, whole=True)
        if fate == "twice":
            reply = await self._ask(request, whole=True)
        if fate == "reply dropped":
            return False
        if fate == "cut in the reply":
            writer.write(reply[: self._dice.randint(0, len(reply) - 1)])
            await writer.drain()
            return False
        writer.write(reply)
        await writer.drain()
        return True

    def _fate(self) -> str:
        if self._out:
            return "outage"
        return "passed" if self._good else self._dice.choices(self._fates, self._weights)[0]

    async def _ask(self, request: bytes, *, whole: bool) -> bytes:
        """Send to the server, on a connection of its own; the reply, where the request was whole."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        try:
            writer.write(request)
            await writer.drain()
            return await read_message(reader) if whole else b""
        finally:
            reset(writer)


async def read_message(reader: asyncio.StreamReader) -> bytes:
    """One request or reply, head and body, as it came."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").lower().split("\r\n")
    fields = dict(line.split(":", 1) for line in lines[1:] if ":" in line)
    if "chunked" in fields.get("transfer-encoding", ""):
        return head + await read_chunks(reader)
    size = int(fields.get("content-length", "0"))
    if size > BODY_BYTES_MAX:
        raise OSError("body too large")
    return head + await reader.readexactly(size)


async def read_chunks(reader: asyncio.StreamReader) -> bytes:
    """A body of unknown length, with its frame."""
    parts: list[bytes] = []
    while sum(map(len, parts)) <= BODY_BYTES_MAX:
        line = await reader.readuntil(b"\r\n")
        parts += [line, await reader.readexactly(int(line.split(b";")[0], 16) + 2)]
        if line.strip() == b"0":
            return b"".join(parts)
    raise OSError("body too large")


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection the hard way: with RST, whatever is under way."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


async def main(seed: int, upstream: int, loss: float) -> None:
    proxy = Proxy(seed, upstream, loss)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=HEAD_BYTES_MAX)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, proxy.turn_bad)
    loop.add_signal_handler(signal.SIGUSR2, proxy.toggle_outage)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)  # noqa: T201
    await stop.wait()
    server.close()
    print(json.dumps(proxy.done), flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
