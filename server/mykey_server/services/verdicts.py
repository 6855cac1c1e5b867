"""The stored verdicts of a counter's numbered mutations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select, update
from sqlmodel import col

from mykey_server.services.decide import Decision
from mykey_server.tables.base import table_of
from mykey_server.tables.rows import RowInsert
from mykey_server.tables.terminal import MutationTable
from mykey_tui.wire.messages import PushRequest, RecoverRequest


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored under a mutation number."""

    item_hash: bytes
    decision: Decision


def last_mid(connection: Connection, device_id: str, incarnation: bytes) -> int:
    """The newest mutation number with a verdict; 0 where there is none. Numbers have no gaps."""
    newest = connection.execute(_LAST, {"device": device_id, "incarnation": incarnation}).scalar()
    return newest or 0


def read_known(
    connection: Connection, request: PushRequest | RecoverRequest, mids: Iterable[int]
) -> dict[int, Known]:
    """What is stored under these numbers of the request's counter and file, by number."""
    return read_under(connection, request.device, request.incarnation, mids)


def read_under(
    connection: Connection, device: str, incarnation: bytes, mids: Iterable[int]
) -> dict[int, Known]:
    """What is stored under these numbers of one file of a counter, by number."""
    wanted = list(mids)
    if not wanted:
        return {}
    rows = connection.execute(
        _KNOWN, {"device": device, "incarnation": incarnation, "mids": wanted}
    )
    return {row.mid: Known(row.item_hash, Decision(row.verdict, row.kind)) for row in rows}


def store_new(connection: Connection, request: PushRequest, verdicts: dict[int, Known]) -> None:
    """Store the first verdicts of these numbers."""
    _ROWS.write(
        connection,
        [
            (
                request.device,
                request.incarnation,
                mid,
                known.item_hash,
                known.decision.verdict,
                known.decision.kind,
            )
            for mid, known in verdicts.items()
        ],
    )


def replace_held(connection: Connection, request: PushRequest, verdicts: dict[int, Known]) -> None:
    """Store the final verdicts of numbers that were held until now."""
    if verdicts:
        connection.execute(
            _DECIDE,
            [
                {
                    "device": request.device,
                    "session": request.incarnation,
                    "number": mid,
                    "verdict": known.decision.verdict,
                    "kind": known.decision.kind,
                }
                for mid, known in verdicts.items()
            ],
        )


# Built once: building a statement costs more than running it.
_LAST = select(func.max(col(MutationTable.mid))).where(
    col(MutationTable.device_id) == bindparam("device"),
    col(MutationTable.incarnation) == bindparam("incarnation"),
)
_KNOWN = select(
    col(MutationTable.mid),
    col(MutationTable.item_hash),
    col(MutationTable.verdict),
    col(MutationTable.kind),
).where(
    col(MutationTable.device_id) == bindparam("device"),
    col(MutationTable.incarnation) == bindparam("incarnation"),
    col(MutationTable.mid).in_(bindparam("mids", expanding=True)),
)
_TABLE = table_of(MutationTable)
_ROWS = RowInsert(_TABLE, "device_id", "incarnation", "mid", "item_hash", "verdict", "kind")
_DECIDE = update(_TABLE).where(
    _TABLE.c.device_id == bindparam("device"),
    _TABLE.c.incarnation == bindparam("session"),
    _TABLE.c.mid == bindparam("number"),
)
