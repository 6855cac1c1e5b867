"""Counters' disks that come back from a copy, or live twice."""

from __future__ import annotations

import shutil

from tests.proofs.simulator.history import COUNTERS_MAX, History
from tests.proofs.simulator.things import Box
from tests.proofs.simulator.tools import put_back
from tests.proofs.world import Counter, token_of


def copy_disk(history: History) -> None:
    """Somebody copies a counter's disk, as a box's image is taken."""
    number, box = history.some_box()
    box.counter.close()
    copy = history.folder / f"disk{number}-{len(box.disks)}"
    shutil.copytree(box.home, copy)
    box.disks.append((copy, len(history.deeds)))
    box.counter = Counter(box.home, history.line)
    history.tell(f"disk of {number} copied")


def restore_disk(history: History) -> None:
    """An older copy of a counter's disk is put back; the newer one is gone.

    Written over the old file or put beside it: the one can be told by the file, the other not.
    """
    number, box = history.some_box()
    if not box.disks:
        return
    copy, then = history.dice.choice(box.disks)
    in_place = history.dice.random() < 0.5
    box.counter.close()
    _forgive(history, number, since=then)
    if not in_place:
        shutil.rmtree(box.home)
    put_back(copy, box.home)
    box.counter = Counter(box.home, history.line)
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
    box.counter = Counter(box.home, history.line)
    history.boxes.append(Box(home, Counter(home, history.line)))
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
