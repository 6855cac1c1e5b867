"""How much of the history is safe in a backup: up to there counters may forget their own record.

A backup is begun (how far each scope has come is written down), made by whatever copies databases
at this site, and confirmed when the copy was opened, checked and taken away. Only then do counters
hear of it. A copy that is begun first holds at least what was written down: whatever is copied
later has more. For SQLite, `make_copy` does all three.
"""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select, update

from mykey_server.database import open_database, write
from mykey_server.services import keys
from mykey_server.services.admin import AdminRefusedError
from mykey_server.services.selfcheck import self_check
from mykey_server.tables.base import table_of
from mykey_server.tables.site import BackupTable, ScopeTable

NAME_BYTES = 4
BACKUPS_KEPT = 100
"""Begun ones that can be confirmed, or confirmed again: the newest by name. Three months of nights."""

_scopes, _backups = table_of(ScopeTable), table_of(BackupTable)
_DURABLE = select(_scopes.c.durable_through).where(_scopes.c.scope == bindparam("scope"))


def durable_through(connection: Connection, scope: str) -> int:
    """Newest seq of a scope that is in a confirmed backup; 0 where none is."""
    seq: int = connection.execute(_DURABLE, {"scope": scope}).scalar_one()
    return seq


def begin(connection: Connection, name: str) -> dict[str, int]:
    """Write down, under a drawn name, how far each scope has come. The copy comes after this.

    Only the newest `BACKUPS_KEPT` are kept.
    """
    heads = {
        row.scope: row.seq for row in connection.execute(select(_scopes.c.scope, _scopes.c.seq))
    }
    connection.execute(delete(_backups).where(_backups.c.name == name))
    names = select(_backups.c.name).distinct().order_by(_backups.c.name.desc())
    too_old = connection.execute(names.offset(BACKUPS_KEPT - 1)).scalars().all()
    connection.execute(delete(_backups).where(_backups.c.name.in_(too_old)))
    if heads:
        connection.execute(
            insert(_backups),
            [{"name": name, "scope": scope, "seq": seq} for scope, seq in heads.items()],
        )
    keys.note_begun(connection, name)
    return heads


def draw_name(now: datetime) -> str:
    """A name for a backup: ties the two commands together, and later ones sort behind earlier ones."""
    return f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(NAME_BYTES)}"


def confirm(connection: Connection, name: str) -> dict[str, int]:
    """Tell counters of a backup that was checked; return how far each of its scopes is safe now.

    May come again, and after a newer one's: what is safe already is no refusal, and stays so.

    Raises:
        AdminRefusedError: no backup of this name was begun, or too many have been begun since.
    """
    found = connection.execute(
        select(_backups.c.scope, _backups.c.seq).where(_backups.c.name == name)
    )
    reached = {row.scope: row.seq for row in found}
    if not reached:
        raise AdminRefusedError("backup-unknown", "no backup of this name waits for its word")
    for scope, seq in reached.items():
        connection.execute(
            update(_scopes)
            .where(_scopes.c.scope == scope, _scopes.c.durable_through < seq)
            .values(durable_through=seq)
        )
    keys.note_confirmed(connection, name)
    return {scope: durable_through(connection, scope) for scope in reached}


def make_copy(engine: Engine, path: Path) -> dict[str, Any]:
    """Copy an SQLite database while it is in use, open the copy, check it, and confirm it.

    The copy is one moment of the database. It appears under its name only when it is good.

    Raises:
        AdminRefusedError: not SQLite, the file exists already, or the copy is not good.
    """
    if engine.dialect.name != "sqlite":
        raise AdminRefusedError(
            "not-sqlite", "use the database's own tools between begin and confirm"
        )
    if path.exists():
        raise AdminRefusedError("file-exists", "a backup is never written over another")
    name = draw_name(datetime.now(UTC))
    write(engine, lambda connection: begin(connection, name))
    unfinished = path.with_name(path.name + ".part")
    unfinished.unlink(missing_ok=True)
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")  # VACUUM runs outside of a transaction.
        connection.exec_driver_sql("VACUUM INTO ?", (str(unfinished),))
        connection.exec_driver_sql("BEGIN")
    unfinished.chmod(0o600)
    _refuse_bad(unfinished)
    _to_disk(unfinished)
    unfinished.rename(path)
    _to_disk(path.parent)
    return {"file": str(path), "durable_through": write(engine, lambda c: confirm(c, name))}


def _refuse_bad(path: Path) -> None:
    copy = open_database(path)
    try:
        bad = [finding for finding in self_check(copy) if not finding.ok]
    finally:
        copy.dispose()
    if bad:
        path.unlink()
        raise AdminRefusedError("copy-not-good", f"{bad[0].check} of {bad[0].subject}")


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
