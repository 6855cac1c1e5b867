"""Wrong programs, made by patching the right one: the simulator must find a history that shows each.

`sync.md` section 4 gives the reason for the first three: all of them are needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import msgspec
from sqlalchemy import Connection

from mykey_tui.store import migrations, progress, verdicts
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.engine import writing
from mykey_tui.sync.client import ServerClient
from mykey_tui.wire.messages import RecoveredItem, ScopeHead
from tests.proofs.kills.mutants import forgets_what_it_decided
from tests.proofs.simulator import disks, operator
from tests.proofs.simulator.history import History
from tests.proofs.simulator.run import Action
from tests.proofs.simulator.server_mutants import (
    draws_numbers_before_the_lock,
    lets_refusals_be_kept,
    lets_rows_be_kept,
    opens_with_the_present_key_alone,
)
from tests.proofs.simulator.upgrades import upgrade_counter


@contextmanager
def drops_the_journal_at_the_reply() -> Iterator[None]:
    """What the server has answered is forgotten at once, as if a backup had it."""
    real = CounterStore.settle

    def settle(self: CounterStore, reply: Any, **rest: Any) -> Any:
        settled = real(self, reply, **rest)
        self.note_durable(reply.seq)
        return settled

    with patch.object(CounterStore, "settle", settle):
        yield


@contextmanager
def keeps_no_mark() -> Iterator[None]:
    """The place that a push reply told of is not remembered."""
    real = progress.change

    def change(connection: Any, **values: Any) -> None:
        kept = {name: values[name] for name in values if not name.startswith("mark_")}
        if kept:
            real(connection, **kept)

    with patch.object(progress, "change", change):
        yield


@contextmanager
def compares_only_before_a_pull() -> Iterator[None]:
    """A push goes without the places that its counter knows, and is applied to any history."""
    real = ServerClient.push

    def push(self: ServerClient, request: Any) -> Any:
        return real(self, msgspec.structs.replace(request, base=None, mark=None))

    with patch.object(ServerClient, "push", push):
        yield


@contextmanager
def moves_the_cursor_first() -> Iterator[None]:
    """The cursor and the rows of its page are two transactions."""
    real = CounterStore.apply_page

    def apply(self: CounterStore, rows: Iterable[Any], *, cursor: int, **rest: Any) -> int:
        real(self, [], cursor=cursor, **rest)
        return real(self, rows, cursor=cursor, **rest)

    with patch.object(CounterStore, "apply_page", apply):
        yield


@contextmanager
def compares_in_the_middle() -> Iterator[None]:
    """Every page is taken for the last one."""
    real = CounterStore.apply_page

    def apply(self: CounterStore, rows: Iterable[Any], *, epoch: str, **rest: Any) -> int:
        bad = real(self, rows, epoch=epoch, **rest)
        known = self.progress()
        self.finish_pull(ScopeHead(known.cursor, known.digest), epoch=epoch)
        return bad

    with patch.object(CounterStore, "apply_page", apply):
        yield


@contextmanager
def keeps_its_numbers() -> Iterator[None]:
    """A file that came back from a copy goes on counting where the copy stood."""

    def draw_anew(self: CounterStore, _answers: object, **_rest: object) -> None:
        with writing(self._engine) as connection:
            progress.change(connection, recover_due=0)

    with patch.object(CounterStore, "draw_anew", draw_anew):
        yield


@contextmanager
def settles_by_answers() -> Iterator[None]:
    """What the server says of a copied file's numbers settles them, with no place beside it."""
    real = CounterStore.draw_anew

    def draw_anew(self: CounterStore, answers: Iterable[RecoveredItem]) -> None:
        told = list(answers)
        mids = {known.mid: self.mid_of(known.mid, incarnation=self.incarnation()) for known in told}
        real(self, told)
        with writing(self._engine) as connection:
            for known in told:
                mid = mids[known.mid]
                if known.state == "same" and known.verdict is not None and mid is not None:
                    verdicts.settle(connection, mid, known.verdict, seq=0, loading=False)

    with patch.object(CounterStore, "draw_anew", draw_anew):
        yield


@contextmanager
def upgrades_to_an_empty_queue() -> Iterator[None]:
    """The newest step of the schema begins with nothing that waits."""
    *before, last = migrations.STEPS

    def forgetful(connection: Connection) -> None:
        last(connection)
        connection.exec_driver_sql("DELETE FROM outbox WHERE state <> 'done'")

    with patch.object(migrations, "STEPS", (*before, forgetful)):
        yield


@dataclass(frozen=True)
class Mutant:
    """One wrong program, what mostly befalls it, and the invariant that it breaks (a pattern)."""

    bend: Callable[[], AbstractContextManager[None]]
    breaks: str
    actions: Mapping[Action, int] = field(default_factory=dict)


WORK: dict[Action, int] = {History.register: 5, History.reconcile: 5}
MUTANTS = {
    "journal dropped at the reply": Mutant(
        drops_the_journal_at_the_reply,
        "lost|no rest",
        WORK | {operator.back_up: 1, operator.roll_back: 1},
    ),
    "mark not kept": Mutant(
        keeps_no_mark, "lost", WORK | {operator.back_up: 1, operator.roll_back_without_sign: 2}
    ),
    "places compared only before a pull": Mutant(
        compares_only_before_a_pull,
        "a push was applied to a history that its counter does not know",
        WORK
        | {
            History.reconcile_without_pull: 5,
            operator.back_up: 3,
            operator.roll_back_in_a_round: 3,
        },
    ),
    "verdicts not remembered": Mutant(
        forgets_what_it_decided, "verdict of|counted twice", WORK | {History.remove: 2}
    ),
    "cursor apart from its page": Mutant(
        moves_the_cursor_first, "rows differed on the way", WORK | {History.reconcile_and_crash: 5}
    ),
    "digest compared in the middle": Mutant(compares_in_the_middle, "is not complete", WORK),
    "numbers not drawn anew": Mutant(
        keeps_its_numbers,
        "verdict of|lost|no rest",
        WORK | {disks.copy_disk: 2, disks.restore_disk: 2},
    ),
    "settled by answers without a place": Mutant(
        settles_by_answers,
        "lost",
        WORK
        | {
            disks.restore_what_was_sent: 3,
            operator.back_up: 2,
            operator.roll_back_without_sign: 2,
        },
    ),
    "numbers drawn before the lock": Mutant(
        draws_numbers_before_the_lock,
        "two sets of rows under seq",
        WORK | {History.reconcile_across: 5},
    ),
    "rows kept longer than tombstones": Mutant(
        lets_rows_be_kept,
        "rows differed on the way|no rest",
        WORK | {History.remove: 5, operator.compact: 3},
    ),
    "a refusal that may be kept": Mutant(
        lets_refusals_be_kept,
        "begins anew whose places the server has",
        WORK | {operator.back_up: 1, operator.roll_back_without_sign: 2},
    ),
    "former keys forgotten": Mutant(
        opens_with_the_present_key_alone, "lost", WORK | {operator.change_keys: 3}
    ),
    "an upgrade that forgets the queue": Mutant(
        upgrades_to_an_empty_queue, "another queue after an upgrade", WORK | {upgrade_counter: 2}
    ),
}
