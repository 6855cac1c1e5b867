"""What the operator does at the server, by the commands that an operator types."""

from __future__ import annotations

import shutil

from mykey_server.services.keys import FORMER_MAX
from tests.proofs.server_file import operate, read_server, split_cn
from tests.proofs.simulator.history import History
from tests.proofs.simulator.things import Backup
from tests.proofs.world import person

RENEWED = 500_000
"""Numbers of the people that renewed cards make."""


def restart_server(history: History) -> None:
    """The server's process ends and starts again."""
    history.server.stop()
    history.server.start()


def suspend(history: History) -> None:
    """Somebody's card is reported lost, or was found again."""
    known = sorted(history.server.links().keys() - history.frozen)
    if not known:
        return
    cn = history.dice.choice(known)
    now = cn not in history.suspended
    operate(history.server.file, "suspend" if now else "resume", *split_cn(cn))
    history.suspended = history.suspended | {cn} if now else history.suspended - {cn}
    history.may_be_refused.add(cn)
    history.tell(f"{'suspended' if now else 'resumed'} {cn[5:14]}")


def renew(history: History) -> None:
    """Somebody has a new card: the links go over to the new MyKey ID."""
    known = sorted(history.server.links().keys() - history.frozen - history.suspended)
    if not known:
        return
    old = history.dice.choice(known)
    new = person(RENEWED + len(history.told))
    operate(history.server.file, "renew", old, new)
    history.successors = {**history.successors, old: new}
    history.may_be_refused |= {old, new}
    history.frozen |= {old, new}
    history.renewals += 1
    history.tell(f"renewed {old[5:14]} as {new[5:14]}")


def compact(history: History) -> None:
    """Old tombstones and places are forgotten: also those that a counter still stands at."""
    state = read_server(history.server.file)
    if state.seq > 1:
        below = history.dice.randint(1, state.seq)
        operate(history.server.file, "compact", history.scope, "--below", str(below))
        history.tell(f"compacted below {below}")


def back_up(history: History) -> None:
    """A copy while the server runs; sometimes it is declared safe, and counters forget."""
    copy = history.folder / f"backup{len(history.backups)}.db"
    safe = history.dice.random() < 0.4
    if safe:
        operate(history.server.file, "backup", "make", str(copy))
        history.durable = len(history.backups)
    else:
        history.server.stop()
        shutil.copy(history.server.file, copy)
        history.server.start()
    history.backups.append(Backup(copy, history.suspended, history.successors))
    history.tell(f"backup {len(history.backups) - 1}{', declared safe' if safe else ''}")


def change_keys(history: History) -> None:
    """The server's own keys: drawn, put into a backup that is declared safe, then told.

    Where a backup brought drawn ones back, these are taken up, and no others drawn.
    """
    file = history.server.file
    if len(operate(file, "keys", "list")["former"]) == FORMER_MAX:
        return
    operate(file, "keys", "draw")
    copy = history.folder / f"backup{len(history.backups)}.db"
    operate(file, "backup", "make", str(copy))
    history.durable = len(history.backups)
    history.backups.append(Backup(copy, history.suspended, history.successors))
    history.tell(f"keys {operate(file, 'keys', 'rotate', '--anyway')['present']}")
    history.changes_of_keys += 1


def take_up_keys(history: History) -> None:
    """After a restore, as docs/operations.md says: until then counters send nothing."""
    if history.changes_of_keys and operate(history.server.file, "keys", "list")["drawn"]:
        change_keys(history)


def roll_back(history: History) -> None:
    """The server comes back from a backup, with a new epoch or with no sign at all."""
    if history.backups:
        _put_back(history, with_sign=history.dice.random() < 0.5)


def roll_back_without_sign(history: History) -> None:
    """The server comes back from a backup, and only its content tells."""
    if history.backups:
        _put_back(history, with_sign=False)


def roll_back_in_a_round(history: History) -> None:
    """It comes back after a counter has compared places, and before that counter's push."""
    if not history.backups:
        return
    number, box = history.some_box()

    def befall() -> bool:
        _put_back(history, with_sign=False)
        known = box.counter.store.progress()
        places = {(at.seq, at.digest) for at in (known.position, known.mark) if at is not None}
        return places <= read_server(history.server.file).places

    history.wire.loss = history.wire.loss_after_push = 0.0
    history.wire.before_push = befall
    history.round(number, moved=True)
    history.wire.before_push = None


def _put_back(history: History, *, with_sign: bool) -> None:
    number = history.dice.randrange(history.durable, len(history.backups))
    backup = history.backups[number]
    history.rolled_back = True
    history.server.stop()
    for leftover in history.server.file.parent.glob(history.server.file.name + "-*"):
        leftover.unlink()
    shutil.copy(backup.file, history.server.file)
    history.suspended, history.successors = backup.suspended, backup.successors
    for deed in history.deeds:
        deed.required &= not deed.only_at_server
    if with_sign:
        operate(history.server.file, "epoch", "renew")
    history.server.start()
    history.wire.forget_all_but(set(read_server(history.server.file).verdicts))
    history.tell(f"server is backup {number} again, {'new' if with_sign else 'same'} epoch")


def release(history: History) -> None:
    """Every counter that was shut out as a copied disk may speak again: somebody has looked."""
    for terminal in operate(history.server.file, "terminal", "list"):
        if terminal["status"] == "quarantined":
            operate(history.server.file, "terminal", "release", terminal["device_id"])
            history.tell("released")
