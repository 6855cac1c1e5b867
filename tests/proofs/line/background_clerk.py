"""A counter as a process whose background thread reconciles, as beside the screen.

    background_clerk.py HOME FIRST COUNT SEED SPEED

Registers COUNT people and says so; then answers on standard output what is asked on standard input:

    sent SECONDS               when nothing waits any more
    at SEQ SECONDS             when the rows are those of that place
    suspended CN SECONDS       when that person is shown as suspended
    link CN SERVICE-ID SECONDS when that registration is at the server

Each answer has the seconds that it took, or null where that was not enough. SPEED shortens all the
thread's own waits: at 60 its minute is a second. Ends with the input, and says what it asked for.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from unittest.mock import patch

import httpx

from mykey_tui.domain.link import LinkStatus
from mykey_tui.sync import background, plan
from mykey_tui.sync.background import BackgroundSync, Line
from tests.proofs.world import Counter, person, token_of

SERVER_POLL_SECONDS = 30.0
LOOK_EVERY_SECONDS = 0.02
PAUSE_SECONDS_MAX = 0.05


class Counted(httpx.BaseTransport):
    """A real line that counts what is asked, by path."""

    def __init__(self) -> None:
        self._real = httpx.HTTPTransport(verify=False)
        self.asked: Tally[str] = Tally()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked[request.url.path.split("/")[2]] += 1
        return self._real.handle_request(request)


@contextmanager
def hurried(speed: float) -> Iterator[None]:
    """All that the thread waits for, so many times as fast; the server's interval with it."""
    with ExitStack() as patches:
        for module, name, seconds in (
            (plan, "BACKOFF_FIRST_SECONDS", plan.BACKOFF_FIRST_SECONDS),
            (plan, "BACKOFF_MAX_SECONDS", plan.BACKOFF_MAX_SECONDS),
            (plan, "POLL_MIN_SECONDS", plan.POLL_MIN_SECONDS),
            (plan, "POLL_MAX_SECONDS", SERVER_POLL_SECONDS),
            (background, "PROBE_EVERY_SECONDS", background.PROBE_EVERY_SECONDS),
            (background, "ROUND_EVERY_SECONDS", background.ROUND_EVERY_SECONDS),
        ):
            patches.enter_context(patch.object(module, name, seconds / speed))
        yield


class Clerk:
    """Registers, and looks at what the thread has brought."""

    def __init__(self, counter: Counter, thread: BackgroundSync, dice: Random) -> None:
        self._counter = counter
        self._thread = thread
        self._dice = dice
        self.acknowledged: dict[str, str] = {}

    def work(self, numbers: range) -> None:
        """Half of the time the thread is told, as the screen tells it."""
        for number in numbers:
            self.link(person(number), f"S{number}")
            waiting = {item.sid for item in self._counter.waiting()}
            answered = [cn for cn, sid in self.acknowledged.items() if sid not in waiting]
            if answered and self._dice.random() < 0.2:
                cn = self._dice.choice(answered)
                self._counter.register("unlink", cn, self.acknowledged.pop(cn))
            if self._dice.random() < 0.5:
                self._thread.nudge()
            time.sleep(self._dice.uniform(0.0, PAUSE_SECONDS_MAX))

    def link(self, cn: str, service_id: str) -> None:
        self._counter.register("link", cn, service_id)
        self.acknowledged[cn] = service_id

    def answer(self, what: str, *words: str) -> float | None:
        """How long it took until what was asked for is so."""
        within = float(words[-1])
        if what == "sent":
            return seconds_until(self._nothing_waits, within)
        if what == "at":
            return seconds_until(lambda: self._stands_at(int(words[0])), within)
        if what == "suspended":
            return seconds_until(lambda: self._shows_suspended(words[0]), within)
        self.link(words[0], words[1])
        return seconds_until(self._nothing_waits, within)

    def _nothing_waits(self) -> bool:
        return self._counter.store.unsent() == 0

    def _stands_at(self, seq: int) -> bool:
        place, view = self._counter.store.progress().position, self._thread.view
        return place is not None and place.seq == seq and (view.line, view.code) == (Line.UP, None)

    def _shows_suspended(self, cn: str) -> bool:
        link = self._counter.store.lookup(token_of(self._counter.store.identity, cn))
        return link is not None and link.status is LinkStatus.SUSPENDED


def seconds_until(true: Callable[[], bool], within: float) -> float | None:
    begun = time.monotonic()
    while not true():
        if time.monotonic() - begun > within:
            return None
        time.sleep(LOOK_EVERY_SECONDS)
    return round(time.monotonic() - begun, 2)


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)  # noqa: T201


def main(home: Path, first: int, count: int, seed: int) -> None:
    line = Counted()
    counter = Counter(home, line)
    dice, jitter = Random(seed), Random(seed)  # noqa: S311  # chance, repeatable
    thread = BackgroundSync(counter.store, counter.client, on_change=lambda: None, random=jitter)
    clerk = Clerk(counter, thread, dice)
    thread.start()
    clerk.work(range(first, first + count))
    say(registered=count)
    for asked in sys.stdin:
        say(seconds=clerk.answer(*asked.split()))
    thread.stop()
    digest = counter.store.progress().digest.hex()
    say(acknowledged=clerk.acknowledged, asked=line.asked, digest=digest)


if __name__ == "__main__":
    with hurried(float(sys.argv[5])):
        main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
