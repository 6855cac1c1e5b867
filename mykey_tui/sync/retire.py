"""What a counter does when the server proves that the operator has retired it: it ends.

Nothing but the proof does this. A refusal without it, with a wrong one, or at a counter that was
enrolled before servers signed, destroys nothing; then the counter is turned away (N-DENIED) and
keeps everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.identity import Identity
from mykey_tui.store.retire import destroy
from mykey_tui.wire.messages import Problem
from mykey_tui.wire.problems import ProblemType
from mykey_tui.wire.retirement import proves_retirement


class RetiredError(ServerError):
    """This counter was retired, and the server proved it. `lost` is how many it had not sent."""

    def __init__(self) -> None:
        super().__init__(Code.SERVER_RETIRED)
        self.lost = 0


def is_retirement(problem: Problem | None, identity: Identity, server_key: bytes | None) -> bool:
    """Whether a refusal proves the end of this very counter, to one that believes `server_key`."""
    return (
        problem is not None
        and problem.type == ProblemType.RETIRED.type_name
        and proves_retirement(
            problem.proof,
            server_key=server_key,
            device_id=str(identity.device_id),
            successions=problem.successions,
        )
    )


@contextmanager
def ends_when_retired(store: CounterStore) -> Iterator[None]:
    """Destroy keys and store when `RetiredError` comes by, count what was lost, and pass it on."""
    try:
        yield
    except RetiredError as error:
        error.lost = store.unsent()
        store.close()
        destroy(store.home)
        raise
