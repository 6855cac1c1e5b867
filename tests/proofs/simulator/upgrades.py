"""Today's programs on the files of older ones, in the middle of everything."""

from __future__ import annotations

from mykey_tui.store import migrations
from tests.proofs.simulator.history import History
from tests.proofs.simulator.older import (
    STORE_LOADS_BESIDE,
    Begun,
    oldest_form_of,
    write_server_as,
    write_store_as,
)
from tests.proofs.simulator.wire import ViolationError
from tests.proofs.world import Counter

QUEUED_MAX = 6
"""More than one push takes (`tools.small_pages`)."""
PAGES_MAX = 2


def upgrade_counter(history: History) -> None:
    """A counter with a full queue, and often with a load that was cut off, gets today's program."""
    number, box = history.some_box()
    for _ in range(history.dice.randint(0, QUEUED_MAX)):
        history.register_new(number)
    is_loading = box.counter.store.load() is not None
    begun = _first_pages(history, number) if is_loading or history.dice.random() < 0.5 else None
    if is_loading and begun is None:
        return  # no older form can say this
    waiting = box.counter.waiting()
    digest_key = box.counter.store.identity.digest_key
    box.counter.close()
    newest = (STORE_LOADS_BESIDE if begun is not None else len(migrations.STEPS)) - 1
    form = history.dice.randint(oldest_form_of(box.home), newest)
    write_store_as(box.home, form, begun, digest_key=digest_key)
    box.counter = history.opened(box.home)
    load = f", loaded up to {begun.cursor}" if begun is not None else ""
    history.tell(f"{number} upgraded from {form}, {len(waiting)} waiting{load}")
    if box.counter.waiting() != waiting:
        raise ViolationError(f"counter {number} has another queue after an upgrade")


def upgrade_server(history: History) -> None:
    """The server's program is replaced by today's."""
    history.server.stop()
    write_server_as(history.server.file)
    history.server.start()
    history.tell("server upgraded")


def _first_pages(history: History, number: int) -> Begun | None:
    """What a first load has when it is cut off; None where the counter is not let in just now."""
    history.wire.loss = history.wire.loss_after_push = 0.0
    history.wire.new_turn()
    pages = history.dice.randint(1, PAGES_MAX)

    def load(counter: Counter) -> Begun:
        epoch, cursor, rows = counter.client.head().epoch, 0, []
        for _ in range(pages):
            page, _refused = counter.client.log(epoch=epoch, after=cursor, limit=3)
            cursor = page.next
            rows += page.rows
            if not page.more:
                break
        return Begun(epoch, cursor, rows)

    return history.turn(number, load)
