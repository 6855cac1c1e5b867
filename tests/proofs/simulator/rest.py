"""Bringing a history to rest, and what must be true then."""

from __future__ import annotations

from datetime import timedelta

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import failure_code
from mykey_tui.store.tables import MutationState
from tests.proofs.server_file import operate, read_server
from tests.proofs.simulator.history import History, is_shared
from tests.proofs.simulator.operator import release, take_up_keys
from tests.proofs.simulator.things import Box, Deed
from tests.proofs.simulator.wire import ViolationError

ROUNDS_MAX = 12
SHOWN = {MutationState.CONFLICT, MutationState.INVALID}
"""Refused, and lying before a person."""


def come_to_rest(history: History) -> None:
    """The line is good again and everybody reconciles until nothing changes.

    A server that came back from a backup with no sign has a list of suspensions that is older than
    the one its counters have proof of. They say so, and believe it again when the operator has drawn
    a new epoch; by then every registration must be back already.
    """
    history.wire.loss = history.wire.loss_after_push = 0.0
    for box in history.boxes:
        box.skew = timedelta()
    take_up_keys(history)
    if not reconcile_until_calm(history):
        check_deeds(history)
        history.server.stop()
        operate(history.server.file, "epoch", "renew")
        history.server.start()
        history.tell("the operator draws a new epoch")
        if not reconcile_until_calm(history):
            raise ViolationError("suspensions are not believed under a new epoch")


def reconcile_until_calm(history: History) -> bool:
    """Rounds of all until nothing is left to do. False where suspensions are not believed."""
    calm = 0
    for _ in range(ROUNDS_MAX):
        done, believed = [], True
        for number in range(len(history.boxes)):
            at_end = history.round(number)
            doubt = history.stopped_by is not None and (
                failure_code(history.stopped_by) is Code.SERVER_SUSPENSIONS
            )
            done.append(at_end or doubt)
            believed &= not doubt
        for box in history.boxes:
            look_at_parked(box)
        release(history)
        still = all(done) and not any(box.counter.waiting() for box in history.boxes)
        calm = calm + 1 if still else 0
        if calm == 2:  # once more after the last push, so that every counter has it
            return believed
    waiting = [len(box.counter.waiting()) for box in history.boxes]
    raise ViolationError(f"no rest after {ROUNDS_MAX} rounds: waiting {waiting}")


def look_at_parked(box: Box) -> None:
    """Somebody presses the key for trying again."""
    for line in box.counter.store.queue():
        if line.state is MutationState.PARKED:
            box.counter.store.retry(line.mid)


def check_at_rest(history: History) -> None:
    """Nothing acknowledged is lost or counted twice, and everybody has the same rows."""
    check_same_rows(history)
    server = read_server(history.server.file)
    if server.faults:
        raise ViolationError("the server's file: " + "; ".join(server.faults))
    if server.seq > server.applied + 2 * history.renewals:
        raise ViolationError(f"counted twice: {server.applied} applied, seq {server.seq}")
    check_deeds(history)
    if history.wire.repairs and not history.rolled_back:
        # After that a half-read pull may go on from a seq that means other rows now; the digest finds
        # it, and that part is loaded again.
        raise ViolationError(f"rows differed on the way: {history.wire.repairs} repairs")


def check_deeds(history: History) -> None:
    """Every acknowledged registration is in effect, or was refused and lies before a person."""
    service_ids = history.server.links()
    shown = {
        (number, line.op == "unlink", line.service_id.text)
        for number, box in enumerate(history.boxes)
        for line in box.counter.store.queue()
        if line.state in SHOWN
    }
    for deed in last_deeds(history):
        stands = service_ids.get(history.called(deed.cn))
        in_effect = stands == deed.service_id if deed.op == "link" else stands is None
        may_be_refused = is_shared(deed.cn) or deed.cn in history.may_be_refused
        refused = may_be_refused and (deed.counter, deed.op == "unlink", deed.service_id) in shown
        if deed.required and not in_effect and not refused:
            raise ViolationError(
                f"lost: {deed.op} {deed.cn[5:14]} {deed.service_id} of counter {deed.counter}; "
                f"the server has {stands}"
            )


def check_same_rows(history: History) -> None:
    """Equal digests, made of equal rows."""
    links = history.server.links()
    places = {
        (known.cursor, known.digest)
        for known in (box.counter.store.progress() for box in history.boxes)
    }
    if len(places) != 1:
        raise ViolationError(f"digests differ at rest: {sorted(seq for seq, _ in places)}")
    for number, box in enumerate(history.boxes):
        for cn, service_id in links.items():
            if box.counter.finds(cn) != service_id:
                raise ViolationError(f"counter {number} has other rows than the server")


def last_deeds(history: History) -> list[Deed]:
    """What each counter did last with each person."""
    last: dict[tuple[int, str], Deed] = {}
    for deed in history.deeds:
        last[deed.counter, deed.cn] = deed
    return list(last.values())
