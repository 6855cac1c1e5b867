"""`mykey-server check`: does the file hold what it should, and nothing else?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import sqlcipher3.dbapi2
from sqlalchemy import Connection, Engine, func, select, text
from sqlmodel import col

from mykey_server.database import reading
from mykey_server.services.holdings import read_head
from mykey_server.services.site import Provider, all_providers
from mykey_server.tables.allowed import columns_not_allowed
from mykey_server.tables.management import LinkTable
from mykey_server.tables.site import ScopeHistoryTable
from mykey_tui.domain import digest


@dataclass(frozen=True, slots=True)
class Finding:
    """One check and what it found; `subject` is a table or a scope, never a person."""

    check: str
    subject: str
    ok: bool
    detail: str


def self_check(engine: Engine) -> list[Finding]:
    """Look at everything: the engine, the pages, the columns, each scope's digest and seq."""
    with reading(engine) as connection:
        strangers = columns_not_allowed(connection)
        damage = connection.execute(text("PRAGMA integrity_check")).scalars().all()
        findings = [
            Finding("engine", "sqlite", ok=True, detail=sqlcipher3.dbapi2.sqlite_version),
            Finding("pages", "file", ok=list(damage) == ["ok"], detail="integrity_check"),
            Finding(
                "columns", "file", ok=not strangers, detail=", ".join(strangers) or "as listed"
            ),
        ]
        for provider in all_providers(connection):
            findings += _check_scope(connection, provider)
    return findings


def as_report(findings: list[Finding]) -> dict[str, Any]:
    """The findings for JSON; `ok` of the whole."""
    return {
        "ok": all(finding.ok for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }


def _check_scope(connection: Connection, provider: Provider) -> list[Finding]:
    head = read_head(connection, provider.scope)
    total, newest = 0, 0
    rows = connection.execute(
        select(
            col(LinkTable.token),
            col(LinkTable.binding),
            col(LinkTable.service_id),
            col(LinkTable.status),
            col(LinkTable.seq),
        ).where(col(LinkTable.scope) == provider.scope)
    )
    for token, binding, service_id, status, seq in rows:
        total += digest.weight(provider.digest_key, token, binding, service_id, status)
        newest = max(newest, seq)
    summed = digest.replace(digest.EMPTY_DIGEST, removed=0, added=total)
    told = connection.execute(
        select(func.max(col(ScopeHistoryTable.seq))).where(
            col(ScopeHistoryTable.scope) == provider.scope
        )
    ).scalar()
    return [
        Finding("digest", provider.scope, ok=summed == head.digest, detail="sum of live rows"),
        Finding(
            "seq",
            provider.scope,
            ok=newest == head.seq == (told or 0),
            detail=f"head {head.seq}, newest row {newest}, history {told or 0}",
        ),
    ]
