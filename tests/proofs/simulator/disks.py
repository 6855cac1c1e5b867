"""Counters' disks that come back from a copy, or live twice."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.proofs.simulator.history import COUNTERS_MAX, History
from tests.proofs.simulator.things import Box
from tests.proofs.simulator.tools import put_back
from tests.proofs.world import token_of


def copy_disk(history: History) -> None:
    """Somebody copies a counter's disk, as a box's image is taken."""
    _copy(history, history.dice.randrange(len(history.boxes)))


def restore_disk(history: History) -> None:
    """An older copy of a counter's disk is put back; the newer one is gone.

    Written over the old file or put beside it: the one can be told by the file, the other not.
    """
    number, box = history.some_box()
    if box.disks:
        _restore(history, number, *history.dice.choice(box.disks))


def restore_what_was_sent(history: History) -> None:
    """The copy is put back that was made just before a push; the line then goes twice.

    Once between the reply to that push and the pull, and once after the server has said what became
    of the numbers that the copy knows.
    """
    number = history.dice.randrange(len(history.boxes))
    history.register_new(number)
    copy = _copy(history, number)
    history.wire.loss, history.wire.loss_after_push = 0.0, 1.0
    history.round(number)
    _restore(history, number, *copy)
    history.round(number)


def _copy(history: History, number: int) -> tuple[Path, int]:
    box = history.boxes[number]
    box.counter.close()
    copy = history.folder / f"disk{number}-{len(box.disks)}"
    shutil.copytree(box.home, copy)
    box.disks.append((copy, len(history.deeds)))
    box.counter = history.opened(box.home)
    history.tell(f"disk of {number} copied")
    return box.disks[-1]


def _restore(history: History, number: int, copy: Path, then: int) -> None:
    box, in_place = history.boxes[number], history.dice.random() < 0.5
    box.counter.close()
    _forgive(history, number, since=then)
    if not in_place:
        shutil.rmtree(box.home)
    put_back(copy, box.home)
    box.counter = history.opened(box.home)
    history.tell(f"disk of {number} restored, {'in place' if in_place else 'as a new file'}")


def clone_disk(history: History) -> None:
    """A copy of a counter's disk starts on a second machine, and both go on."""
    number, box = history.some_box()
    if len(history.boxes) == COUNTERS_MAX:
        return
    for item in box.counter.waiting():
        _freeze(history, box, item.token)
    box.counter.close()
    home = history.folder / f"counter{len(history.boxes)}"
    shutil.copytree(box.home, home)
    box.counter = history.opened(box.home)
    history.boxes.append(Box(home, history.opened(home)))
    history.tell(f"{len(history.boxes) - 1} is a copy of {number}")


def _forgive(history: History, number: int, *, since: int) -> None:
    """What only the lost disk knew may be gone; what the server has by now may not."""
    at_server = history.server.links()
    for deed in history.deeds[since:]:
        if deed.counter == number:
            stands = at_server.get(history.called(deed.cn))
            history.frozen.add(deed.cn)
            deed.required &= deed.op == "link" and stands == deed.service_id
            deed.only_at_server = True


def _freeze(history: History, box: Box, token: bytes) -> None:
    """Two machines will send this; nobody touches the person any more."""
    identity = box.counter.store.identity
    history.frozen |= {deed.cn for deed in history.deeds if token_of(identity, deed.cn) == token}
