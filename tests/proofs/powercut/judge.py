"""Looks at a disk after a power cut: is everything there that was acknowledged, and nothing half?"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from mykey_tui.domain.errors import MyKeyError
from mykey_tui.store.progress import Progress
from mykey_tui.wire.messages import FIRST_PREV, PushItem, item_hash
from tests.proofs.powercut.replay import Image
from tests.proofs.server_file import read_server
from tests.proofs.world import damage_of_store, open_counter, person

NEWEST = 40
"""Registrations whose effect is looked at: a cut tears the last ones, not those of long before."""


@dataclass(slots=True)
class Said:
    """What had been acknowledged before the power went."""

    queued: dict[int, str] = field(default_factory=dict)
    told: dict[int, str] = field(default_factory=dict)
    settled: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, words: Iterator[str]) -> Said:
        said = cls()
        for word in words:
            kind, *rest = word.split()
            if kind == "queued":
                said.queued[int(rest[0])] = rest[1]
            elif kind == "told":
                said.told[int(rest[0])] = rest[1]
            elif kind == "settled":
                said.settled.add(int(rest[0]))
        return said


def faults_of(image: Image, folder: Path) -> list[str]:
    """What is wrong with this disk; `folder` is made and removed."""
    said = Said.of(iter(image.said))
    image.write(folder)
    try:
        return [*counter_faults(folder / "counter", said), *server_faults(folder, said)]
    except (MyKeyError, SQLAlchemyError) as error:
        return [f"does not open: {error!r}"]
    finally:
        shutil.rmtree(folder)


def counter_faults(home: Path, said: Said) -> Iterator[str]:
    """Pages, chain, half transactions, and every number that a clerk was shown."""
    with open_counter(home) as counter:
        journal = counter.journal()
        yield from chain_faults(journal, counter.store.progress())
        items = {item.mid: item for item in journal}
        for mid, service_id in said.queued.items():
            if mid not in items or items[mid].sid != service_id:
                yield f"registration {mid} was acknowledged and is lost"
        for item in journal[-NEWEST:]:
            # Its own transaction laid the effect down; both or neither.
            if counter.finds(person(int(item.sid[1:]))) != item.sid:
                yield f"half a transaction: {item.mid} is queued and has no effect"
        unanswered = {item.mid for item in counter.waiting()}
        for mid in said.settled & unanswered:
            yield f"the verdict of {mid} was taken in and is lost"
    yield from (f"counter: {line}" for line in damage_of_store(home))


def chain_faults(journal: Sequence[PushItem], known: Progress) -> Iterator[str]:
    """Numbers without gaps, each chained to the one before it, the last as the progress says."""
    prev, last = FIRST_PREV, 0
    for item in journal:
        if item.mid != last + 1 or item.prev != prev:
            yield f"the chain breaks at {item.mid}"
        prev, last = item_hash(item), item.mid
    if (known.last_mid, known.last_hash) != (last, prev):
        yield f"half a transaction: the progress knows {known.last_mid}, the queue ends at {last}"


def server_faults(folder: Path, said: Said) -> Iterator[str]:
    """Pages, digest and seq, and every verdict that the server has told."""
    state = read_server(folder / "server" / "server.db")
    yield from (f"server: {line}" for line in state.faults)
    stored = {mid: verdict for (_, _, mid), (verdict, _) in state.verdicts.items()}
    for mid, verdict in said.told.items():
        if stored.get(mid) != verdict:
            yield f"verdict {verdict} of {mid} was told and is lost"
        if verdict == "applied" and state.service_ids.get(person(mid)) != f"S{mid}":
            yield f"half a transaction: {mid} is applied and has no row"
    if state.seq != state.applied:
        yield f"half a transaction: {state.applied} applied, seq {state.seq}"
