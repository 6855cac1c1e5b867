"""Registers and reconciles under the logger: the real counter's file and the real server's file.

Says to descriptor 777, which only the logger hears:
    start            what follows is acknowledged work
    queued MID SID   a registration returned: the clerk saw it done
    told MID VERDICT the server's answer has left the server
    settled MID      the counter has taken that answer in
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from random import Random
from typing import Any

import httpx
from sqlalchemy import event
from sqlalchemy.pool import Pool

from mykey_tui.wire.messages import PushReply
from tests.proofs.messages import decoded
from tests.proofs.server_file import add_provider
from tests.proofs.world import Counter, Line, Server, person

WORD_DESCRIPTOR = 777

BENT = {
    "normal": ("PRAGMA synchronous = NORMAL",),
    "off": ("PRAGMA synchronous = OFF",),
    "delete": ("PRAGMA journal_mode = DELETE", "PRAGMA synchronous = FULL"),
}
"""Wrong settings, put over the right ones behind the program's back."""


def say(text: str) -> None:
    os.write(WORD_DESCRIPTOR, text.encode())


def bend(mode: str) -> None:
    """Every connection of either side gets the wrong settings after it was set up and checked."""

    def spoil(connection: Any, _record: object) -> None:
        for statement in BENT[mode]:
            connection.execute(statement)

    event.listen(Pool, "connect", spoil)


class Telling:
    """Stands on the line and says which verdicts the server has given."""

    def __init__(self) -> None:
        self.mids: list[int] = []

    def __call__(self, request: httpx.Request, send: Any) -> httpx.Response:
        answer: httpx.Response = send()
        if request.url.path == "/v1/push":
            for item in decoded(answer, PushReply).items:
                say(f"told {item.mid} {item.verdict}")
                self.mids.append(item.mid)
        return answer


def main(folder: Path, registrations: int, seed: int, mode: str) -> None:
    dice = Random(seed)  # noqa: S311  # chance, repeatable
    if mode != "full":
        bend(mode)
    line = Line()
    (folder / "server").mkdir()
    server = Server(folder / "server" / "server.db", line)
    add_provider(server.file)
    server.start()
    server.enrol(folder / "counter")
    counter = Counter(folder / "counter", line)
    telling = line.spoil = Telling()
    say("start")
    for number in range(1, registrations + 1):
        mid = counter.register("link", person(number), f"S{number}")
        say(f"queued {mid} S{number}")
        if dice.random() < 0.15:
            counter.sync()
            for settled in telling.mids:
                say(f"settled {settled}")
            telling.mids.clear()
    # Ends as a killed process does: nothing is tidied up, and the log may be long.
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
