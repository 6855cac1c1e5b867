"""The server's file: made, operated by the operator's own commands, and read whole.

With `world.py` all that the proofs know of the server's inside.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from mykey_server.cli import run
from mykey_server.core import open_core
from mykey_server.database import open_database, reading, writing
from mykey_server.services import admin
from mykey_server.services.enrol import CODE_LIFETIME, make_code
from mykey_server.services.selfcheck import self_check
from mykey_server.services.site import open_site
from mykey_server.settings import Settings
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.digest import EMPTY_DIGEST
from mykey_tui.domain.ids import ProviderId, SubjectCn
from mykey_tui.domain.service_id import ServiceIdFormat

PROVIDER = "A-α1-0001"


def operate(file: Path, *words: str) -> Any:
    """One of the operator's commands, beside the running server; what it answers."""
    said = io.StringIO()
    with redirect_stdout(said):
        exit_code = run([*words, "--db", str(file)])
    assert exit_code == 0, f"{words[0]}: {said.getvalue()}"
    return json.loads(said.getvalue())


def split_cn(cn: str) -> tuple[str, str]:
    """MyKey ID and terminal code, as the operator's commands take them."""
    parsed = SubjectCn.parse(cn)
    return parsed.my_key_id.text, parsed.terminal_code.text


def add_provider(file: Path) -> None:
    """Make the server's file with one provider in it."""
    open_core(Settings(database=file), SystemClock()).close()
    engine = server_engine(file)
    try:
        with writing(engine) as connection:
            admin.add_provider(
                connection,
                ProviderId.parse(PROVIDER),
                name=PROVIDER,
                service_id_format=ServiceIdFormat.parse("alnum:1-32"),
                profile="simulated",
            )
    finally:
        engine.dispose()


def give_known_keys(file: Path) -> None:
    """Instead of those that were drawn: tokens, and with them buckets, are then those of each run."""
    engine = server_engine(file)
    try:
        with writing(engine) as connection:
            connection.exec_driver_sql(
                "UPDATE provider SET lookup_key = ?, digest_key = ?",
                (b"lookup k" * 4, b"digest k" * 4),
            )
    finally:
        engine.dispose()


def draw_code(file: Path) -> str:
    """A one-time code for a counter of the file's one provider."""
    engine = server_engine(file)
    try:
        site = open_site(engine)
        with writing(engine) as connection:
            scope = str(connection.exec_driver_sql("SELECT scope FROM provider").scalar())
            now = datetime.now(UTC)
            return make_code(connection, site, scope=scope, now=now, lifetime=CODE_LIFETIME)[0]
    finally:
        engine.dispose()


def server_engine(file: Path) -> Engine:
    """The server's file, opened beside the server or without it."""
    return open_database(file)


@dataclass(frozen=True)
class ServerState:
    """What a server's file says, read in one go."""

    faults: list[str]
    """Findings of the server's own check."""
    verdicts: dict[tuple[str, bytes, int], tuple[str, str | None]]
    """By device, incarnation and number."""
    service_ids: dict[str, str]
    """By person."""
    seq: int
    digest: bytes
    """Of the provider's scope."""
    places: set[tuple[int, bytes]]
    """Of the provider's history."""

    @property
    def applied(self) -> int:
        return sum(verdict == "applied" for verdict, _ in self.verdicts.values())


def read_server(file: Path) -> ServerState:
    engine = server_engine(file)
    try:
        findings = self_check(engine)
        with reading(engine) as connection:
            verdicts = connection.exec_driver_sql(
                "SELECT device_id, incarnation, mid, verdict, kind FROM mutation"
            ).all()
            rows = list(admin.list_links(connection, None))
            scope = connection.exec_driver_sql("SELECT seq, digest FROM scope").one_or_none()
            seq, digest = scope or (0, EMPTY_DIGEST)  # missing: the check has found it
            places = connection.exec_driver_sql("SELECT seq, digest FROM scope_history").all()
    finally:
        engine.dispose()
    return ServerState(
        faults=[f"{f.check} {f.subject}: {f.detail}" for f in findings if not f.ok],
        verdicts={(d, bytes(i), m): (v, k) for d, i, m, v, k in verdicts},
        service_ids=service_ids_of(rows),
        seq=int(seq),
        digest=bytes(digest),
        places={(0, EMPTY_DIGEST)} | {(seq, bytes(digest)) for seq, digest in places},
    )


def service_ids_of(rows: Iterable[dict[str, Any]]) -> dict[str, str]:
    """By person; a renewed row has none any more."""
    return {
        row["mykey_id"] + row["terminal_code"]: row["service_id"]
        for row in rows
        if row["service_id"]
    }
