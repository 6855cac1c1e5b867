"""Wrong programs, made by patching the right one inside a victim: the harness must catch each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from mykey_server.services import intake
from mykey_server.services import verdicts as verdicts_module
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.wire.messages import PushRequest


@contextmanager
def sound() -> Iterator[None]:
    """The program as it is."""
    yield


@contextmanager
def acknowledges_early() -> Iterator[None]:
    """The clerk is told before the transaction is over."""
    real = CounterStore.queue_mutation

    def queue(self: CounterStore, op: Any, token: Any, sid: Any, seal: Any, **rest: Any) -> int:
        def telling(frame: Any) -> bytes:
            os.write(1, f"done {op} {frame.mid} {frame.sid[1:]}\n".encode())
            sealed: bytes = seal(frame)
            return sealed

        return real(self, op, token, sid, telling, **rest)

    with patch.object(CounterStore, "queue_mutation", queue):
        yield


@contextmanager
def forgets_what_it_decided() -> Iterator[None]:
    """The server takes every item for a new one: it decides replays again."""
    real = intake._sort

    def sort(connection: Any, request: PushRequest) -> Any:
        found = real(connection, request)
        found.new.update({item.mid: item for item in request.items if item.mid in found.known})
        return found

    def store_again(connection: Any, request: PushRequest, verdicts: Any) -> None:
        for mid in verdicts:
            connection.exec_driver_sql(
                "DELETE FROM mutation WHERE device_id = ? AND incarnation = ? AND mid = ?",
                (request.device, request.incarnation, mid),
            )
        verdicts_module.store_new(connection, request, verdicts)

    def read_nothing(connection: Any, request: Any, mids: Any) -> Any:
        known = verdicts_module.read_known(connection, request, mids)
        # Proofs are made for what is not known: all of it, here.
        return {} if set(mids) == {item.mid for item in request.items} else known

    with (
        patch.object(intake, "_sort", sort),
        patch.object(intake, "store_new", store_again),
        patch.object(intake, "read_known", read_nothing),
    ):
        yield


MUTANTS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "sound": sound,
    "early": acknowledges_early,
    "forgetful": forgets_what_it_decided,
}
