"""What `mykey-server check` asks of the engine itself: SQLite's pages, PostgreSQL's settings."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select, text
from sqlmodel import col

from mykey_server.tables.site import SiteTable

_MUST_BE_ON = ("fsync", "full_page_writes", "synchronous_commit")
"""PostgreSQL's own settings without which a commit that was acknowledged can be lost."""
_MUST_BE = {
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_transaction_sample_rate": "0",
}
"""Those with which PostgreSQL's own log, which has the time in every line, names no person: an
error's DETAIL holds the key that was there already, a logged statement its parameters."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check and what it found; `subject` is a table or a scope, never a person."""

    check: str
    subject: str
    ok: bool
    detail: str


def check_engine(connection: Connection) -> list[Finding]:
    """Whether the engine keeps what it was given, and says no more of it than it must."""
    if connection.dialect.name == "sqlite":
        return _check_file(connection)
    return _check_cluster(connection)


def _check_file(connection: Connection) -> list[Finding]:
    version = connection.exec_driver_sql("SELECT sqlite_version()").scalar_one()
    damage = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
    return [
        Finding("engine", "sqlite", ok=True, detail=version),
        Finding("pages", "file", ok=list(damage) == ["ok"], detail="integrity_check"),
    ]


def _check_cluster(connection: Connection) -> list[Finding]:
    """Whether PostgreSQL may lose a commit, and whether it says where its history breaks off.

    Its pages it looks after itself; `pg_amcheck` looks at all of them.
    """
    connection.exec_driver_sql("SET LOCAL statement_timeout = '1h'")
    told = {
        name: connection.execute(text("SELECT current_setting(:name)"), {"name": name}).scalar_one()
        for name in ("server_version", "server_encoding", *_MUST_BE_ON, *_MUST_BE)
    }
    off = [name for name in _MUST_BE_ON if told[name] != "on"]
    timeline = connection.execute(select(col(SiteTable.branch))).scalar()
    talks = [f"{name} = {told[name]}" for name, quiet in _MUST_BE.items() if told[name] != quiet]
    return [
        Finding("engine", "postgresql", ok=True, detail=told["server_version"]),
        Finding("log", "cluster", ok=not talks, detail=", ".join(talks) or "writes no values down"),
        Finding(
            "encoding",
            "database",
            ok=told["server_encoding"] == "UTF8",
            detail=told["server_encoding"],
        ),
        Finding(
            "durable",
            "cluster",
            ok=not off,
            detail=", ".join(off) + " off" if off else "as it must",
        ),
        Finding(
            "history",
            "cluster",
            ok=timeline is not None,
            detail="not told: renew the epoch by hand after a restore or a failover"
            if timeline is None
            else f"timeline {timeline}",
        ),
    ]
