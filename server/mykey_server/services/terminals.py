"""Enrolled counters: who they are, and whether they may still speak."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Engine, bindparam, select, update
from sqlmodel import col

from mykey_server.database import reading
from mykey_server.problem import ProblemError
from mykey_server.services.site import Site
from mykey_server.tables.terminal import (
    TERMINAL_ACTIVE,
    TERMINAL_QUARANTINED,
    TERMINAL_RETIRED,
    TerminalTable,
)
from mykey_tui.wire.problems import ProblemType
from mykey_tui.wire.retirement import retirement_proof

# Built once: every request asks this.
_TERMINAL = select(
    col(TerminalTable.scope),
    col(TerminalTable.public_key),
    col(TerminalTable.status),
    col(TerminalTable.believes),
).where(col(TerminalTable.device_id) == bindparam("device_id"))
_STATUS = select(col(TerminalTable.status)).where(
    col(TerminalTable.device_id) == bindparam("device_id")
)


@dataclass(frozen=True, slots=True)
class Terminal:
    """A counter whose signature was verified."""

    device_id: str
    scope: str
    public_key: Ed25519PublicKey
    status: int
    believes: str | None
    """Fingerprint of the server's keys that it last said it believes."""


def find_terminal(connection: Connection, device_id: str) -> Terminal | None:
    """The counter of a device id, retired ones too."""
    if "\0" in device_id:  # PostgreSQL cannot even be asked for it.
        return None
    row = connection.execute(_TERMINAL, {"device_id": device_id}).one_or_none()
    if row is None:
        return None
    key = Ed25519PublicKey.from_public_bytes(row.public_key)
    return Terminal(device_id, row.scope, key, row.status, row.believes)


def refuse_unless_active(terminal: Terminal, site: Site, engine: Engine) -> None:
    """Raises `ProblemError`: `RETIRED`, with the proof on which the counter ends, or `CLONED`."""
    if terminal.status == TERMINAL_RETIRED:
        with reading(engine) as connection:
            keys = site.keys(connection)
        proof = retirement_proof(keys.sign_key, terminal.device_id)
        raise ProblemError(ProblemType.RETIRED, proof=proof, successions=keys.successions)
    if terminal.status == TERMINAL_QUARANTINED:
        raise ProblemError(ProblemType.CLONED)


def note_believed(connection: Connection, device_id: str, believes: str) -> None:
    """Remember which of the server's keys a counter believes: it says so in its greeting."""
    connection.execute(
        update(TerminalTable)
        .where(col(TerminalTable.device_id) == device_id)
        .values(believes=believes)
    )


def check_status(connection: Connection, device_id: str) -> None:
    """Look again, inside a write transaction: the operator may have been quicker.

    The proof of a retirement comes with the counter's next request, which gets no further than here.
    """
    status = connection.execute(_STATUS, {"device_id": device_id}).scalar_one()
    if status != TERMINAL_ACTIVE:
        raise ProblemError(
            ProblemType.RETIRED if status == TERMINAL_RETIRED else ProblemType.CLONED
        )
