"""One simulated history: a server and its counters on real files, and what befalls them by seed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import TypeVar

from mykey_tui.domain.errors import LineError, MyKeyError
from mykey_tui.domain.link import LinkStatus
from mykey_tui.store.outbox import Operation
from mykey_tui.store.tables import MutationState
from tests.proofs.server_file import read_server
from tests.proofs.simulator.things import Backup, Box, Deed
from tests.proofs.simulator.tools import Crash, TrueClock, clock_ahead
from tests.proofs.simulator.wire import ViolationError, Wire
from tests.proofs.world import Counter, Line, Server, person, token_of

_Result = TypeVar("_Result")
COUNTERS = 2
COUNTERS_MAX = 4
"""With clones."""
SHARED_PEOPLE = 4
"""People whom several counters link, each to a service ID of its own."""
CRASH_WITHIN = 8
"""A crash comes within so many transactions."""


class History:
    """Everything that happens between setting up and coming to rest."""

    def __init__(self, seed: int, folder: Path, template: Path) -> None:
        self.dice = Random(seed)  # noqa: S311  # chance, repeatable
        self.folder = folder
        self.line = Line()
        self.again_after_seconds = (0.0, 0.0) if seed % 2 else ()
        """In every second history a request that was cut goes again at once, as it does in a shop; in
        the others a round ends there, so that more of them end in the middle."""
        self.wire = Wire(self.dice)
        shutil.copytree(template, folder / "server")
        self.server = Server(folder / "server" / "server.db", self.line, TrueClock())
        self.server.start()
        self.deeds: list[Deed] = []
        self.suspended: frozenset[str] = frozenset()
        self.successors: dict[str, str] = {}
        """Whose card was renewed, and what they are called since."""
        self.renewals = 0
        self.may_be_refused: set[str] = set()
        """A registration of theirs may rightly be refused; it must then be shown."""
        self.frozen: set[str] = set()
        """Nobody touches these people any more: what they should be is not certain."""
        self.backups: list[Backup] = []
        self.rolled_back = False
        self.changes_of_keys = 0
        self.durable = 0
        """The backup that the server was told is safe: none older is ever put back."""
        self.boxes: list[Box] = []
        self.crash_in: int | None = None
        self.trouble_in: int | None = None
        self.stopped_by: MyKeyError | None = None
        """What the last turn ended with."""
        self.told: list[str] = []
        """What happened, for whoever reads a failure."""
        self._people = 0
        for number in range(COUNTERS):
            home = folder / f"counter{number}"
            self.server.enrol(home)
            self.boxes.append(Box(home, self.opened(home)))
        self.scope = self.boxes[0].counter.store.identity.scope
        self.wire.server_places = lambda: read_server(self.server.file).places
        self.line.spoil = self.wire

    def opened(self, home: Path) -> Counter:
        """The counter's program, started on these files."""
        return Counter(home, self.line, again_after_seconds=self.again_after_seconds)

    def close(self) -> None:
        for box in self.boxes:
            box.counter.close()
        self.server.stop()
        self.line.end()

    # At a counter

    def register(self) -> None:
        """A clerk links somebody new, or somebody whom another counter may link too."""
        number, box = self.some_box()
        if self.dice.random() < 0.15:
            cn = person(self.dice.randrange(SHARED_PEOPLE))
            if box.counter.finds(cn) is None:
                self._do(number, "link", cn, f"C{number}N{len(self.deeds)}")
        else:
            self.register_new(number)

    def register_new(self, number: int) -> None:
        """A clerk of this counter links somebody whom no other counter links."""
        self._people += 1
        self._do(number, "link", person(1000 + self._people), f"S{len(self.deeds)}")

    def remove(self) -> None:
        """A clerk takes away the link of somebody whom this counter linked."""
        number, box = self.some_box()
        mine = [deed.cn for deed in self.deeds if deed.counter == number]
        cns = [cn for cn in dict.fromkeys(mine) if cn not in self.frozen and not is_shared(cn)]
        linked = [cn for cn in cns if box.counter.finds(cn) is not None]
        if linked:
            cn = self.dice.choice(linked)
            self._do(number, "unlink", cn, box.counter.finds(cn) or "")

    def decide_conflict(self) -> None:
        """Somebody looks at a refused link: keep what stands there, or replace it."""
        number, box = self.some_box()
        lines = [q for q in box.counter.store.queue() if q.state is MutationState.CONFLICT]
        if not lines:
            return
        line = self.dice.choice(lines)
        deed = next(deed for deed in self.deeds if deed.service_id == line.service_id.text)
        if self.dice.random() < 0.5:
            box.counter.store.resolve(line.mid)
            self.give_up(deed.cn, counter=number)
            self.tell(f"{line.service_id.text} given up at {number}")
            return
        done = self.turn(number, lambda counter: counter.store.replace_conflict(line.mid))
        self.tell(f"{line.service_id.text} replaces what stands, at {number}: {done}")
        if done is not None:
            self.give_up(deed.cn)
            self.deeds.append(Deed(number, "link", deed.cn, deed.service_id))

    def give_up(self, cn: str, *, counter: int | None = None) -> None:
        """A person decided that what was done with `cn` (at one counter) need not stand."""
        for deed in self.deeds:
            if deed.cn == cn and counter in (None, deed.counter):
                deed.required = False

    def _do(self, number: int, op: Operation, cn: str, service_id: str) -> None:
        if cn in self.frozen:
            return
        done = self.turn(number, lambda counter: counter.register(op, cn, service_id))
        self.tell(f"{op} {cn[5:14]} {service_id} at {number}: {done}")
        if done is not None:
            self.deeds.append(Deed(number, op, cn, service_id))

    def reconcile(self) -> None:
        """A round on a line that is as bad as this history has it."""
        self.wire.loss = self.dice.choice((0.0, 0.1, 0.3))
        self.wire.loss_after_push = self.dice.choice((0.0, 0.3))
        self.round(self.dice.randrange(len(self.boxes)))

    def reconcile_without_pull(self) -> None:
        """The line goes between the reply to the push and the pull: acknowledged, and not seen."""
        self.wire.loss, self.wire.loss_after_push = 0.0, 1.0
        self.round(self.dice.randrange(len(self.boxes)))

    def reconcile_and_crash(self) -> None:
        """The program ends between two of its transactions."""
        self.wire.loss = self.wire.loss_after_push = 0.0
        self.crash_in = self.dice.randint(1, CRASH_WITHIN)
        self.round(self.dice.randrange(len(self.boxes)))

    def reconcile_with_trouble(self) -> None:
        """The server cannot commit what it was sent."""
        self.wire.loss = self.wire.loss_after_push = 0.0
        self.trouble_in = self.dice.randint(1, 3)
        self.round(self.dice.randrange(len(self.boxes)))

    def reconcile_stuck(self) -> None:
        """No push gets through, and a suspension must arrive all the same."""
        self.wire.loss = self.wire.loss_after_push = 0.0
        self.wire.stuck = True
        number = self.dice.randrange(len(self.boxes))
        self.round(number)
        self.wire.stuck = False
        if isinstance(self.stopped_by, LineError):
            self.check_suspensions(number)

    def reconcile_across(self) -> None:
        """A whole round of one counter falls into the push of another."""
        first, second = self.dice.sample(range(len(self.boxes)), 2)
        self.wire.loss = self.wire.loss_after_push = 0.0
        self.overlap(first, second)

    def overlap(self, first: int, second: int) -> None:
        """A round of `first`; the one of `second` falls between the two ends of its push."""

        def befall() -> bool:
            self.round(second)
            return True

        self.wire.before_push = befall
        self.round(first)
        self.wire.before_push = None

    def round(self, number: int, *, moved: bool = False) -> bool:
        """One round; what holds after every round is looked at. Whether it came to its end.

        `moved`: the server becomes another one meanwhile, and the next round must show that.
        """
        self.wire.new_turn()
        report = self.turn(number, Counter.sync)
        said = report.digest if report else repr(self.stopped_by or "crash")
        self.tell(f"round of {number}: {said}")
        self._check_position(number)
        if report is not None and not moved:
            self.check_suspensions(number)
        return report is not None and report.digest == "match"

    def turn(self, number: int, work: Callable[[Counter], _Result]) -> _Result | None:
        """Let a counter do something at its own time; None where it was stopped or crashed."""
        box = self.boxes[number]
        self.stopped_by = None
        with clock_ahead(box.skew):
            try:
                return work(box.counter)
            except MyKeyError as error:
                self.stopped_by = error
                return None
            except Crash:
                self.reopen(number)
                return None
            finally:
                self.crash_in = self.trouble_in = None

    def reopen(self, number: int) -> None:
        """Start the counter's program again on the files as they are."""
        self.crash_in = None
        box = self.boxes[number]
        box.counter.close()
        box.counter = self.opened(box.home)

    def restart_counter(self) -> None:
        """The program is started again, as after an upgrade; the queue is whatever it is."""
        self.reopen(self.dice.randrange(len(self.boxes)))

    def jump(self) -> None:
        """The box's clock is wrong by years from now on, or right again."""
        number = self.dice.randrange(len(self.boxes))
        years = self.dice.choice((-20, -3, 0, 0, 3, 20))
        self.boxes[number].skew = timedelta(days=365 * years)
        self.tell(f"clock of {number} is {years} years off")

    # What always holds

    def _check_position(self, number: int) -> None:
        """The place that counts as complete is one that the server told as complete."""
        known = self.boxes[number].counter.store.progress().position
        if known is not None and (known.seq, known.digest) not in self.wire.told:
            raise ViolationError(f"counter {number} stands at {known.seq}, which is not complete")

    def check_suspensions(self, number: int) -> None:
        """After one round every suspension is visible, and nobody else is stopped."""
        store = self.boxes[number].counter.store
        for cn in self.server.links():
            link = store.lookup(token_of(store.identity, cn))
            if link is None or link.provisional:
                continue
            stopped = link.status is not LinkStatus.ACTIVE
            if stopped != (cn in self.suspended):
                raise ViolationError(
                    f"suspension of {cn[5:14]} is {not stopped} at counter {number}"
                )

    def called(self, cn: str) -> str:
        """The person's MyKey ID as it is now."""
        return self.successors.get(cn, cn)

    def tell(self, what: str) -> None:
        self.told.append(what)

    def some_box(self) -> tuple[int, Box]:
        number = self.dice.randrange(len(self.boxes))
        return number, self.boxes[number]


def is_shared(cn: str) -> bool:
    """Whether several counters may have linked this person."""
    return int(cn[5:14]) < SHARED_PEOPLE
