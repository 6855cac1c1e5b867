"""`mykey-server check`: does the database hold what it should, and nothing else?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, func, select
from sqlalchemy.exc import NoResultFound

from mykey_server.database import reading
from mykey_server.services.enginecheck import Finding, check_engine
from mykey_server.services.feeds import FEEDS, Feed
from mykey_server.services.site import Provider, all_providers, read_keys
from mykey_server.tables.allowed import columns_not_allowed
from mykey_server.tables.site import SiteTable
from mykey_tui.domain import digest
from mykey_tui.wire.messages import BUCKETS
from mykey_tui.wire.succession import is_signed

_ROWS_AT_ONCE = 10_000


def self_check(engine: Engine) -> list[Finding]:
    """Look at everything: the engine and its settings, the columns, each scope's digest and seq."""
    with reading(engine) as connection:
        strangers = columns_not_allowed(connection)
        findings = check_engine(connection)
        findings.append(
            Finding(
                "columns", "tables", ok=not strangers, detail=", ".join(strangers) or "as listed"
            )
        )
        findings += _check_keys(connection)
        for provider in all_providers(connection):
            for feed in FEEDS:
                findings += _check_scope(connection, feed, provider)
    return findings


def as_report(findings: list[Finding]) -> dict[str, Any]:
    """The findings for JSON; `ok` of the whole."""
    return {
        "ok": all(finding.ok for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }


def _check_keys(connection: Connection) -> list[Finding]:
    """Whether counters of former keys can follow to the present ones."""
    if connection.execute(select(func.count()).select_from(SiteTable)).scalar_one() == 0:
        return []  # A database that nobody has used yet.
    try:
        keys = read_keys(connection)
    except ValueError:
        return [Finding("keys", "site", ok=False, detail="no keys")]
    links = keys.successions
    signed = all(is_signed(link, by=before.server_key) for before, link in pairwise(links))
    present = (keys.server_key, keys.seal_public_key)
    ends = not links or (links[-1].server_key, links[-1].seal_key) == present
    return [Finding("keys", "site", ok=signed and ends, detail=f"{len(links)} changes")]


def _check_scope(connection: Connection, feed: Feed, provider: Provider) -> list[Finding]:
    """Compare rows, buckets, scope digest, newest seq and newest place of one scope."""
    subject = feed.prefix + provider.scope
    try:
        head = feed.head(connection, provider.scope)
    except NoResultFound:
        return [Finding("seq", subject, ok=False, detail="the scope's own row is missing")]
    parts, newest = [0] * BUCKETS, 0
    for token, binding, service_id, status, seq in _all_rows(connection, feed, provider.scope):
        parts[token[0]] += digest.weight(provider.digest_key, token, binding, service_id, status)
        newest = max(newest, seq)
    told = connection.execute(
        select(func.max(feed.places.c.seq)).where(feed.places.c.scope == provider.scope)
    ).scalar()
    buckets = b"".join(_sum(part) for part in parts)
    # Newest: a tombstone that was compacted may have been the newest row.
    rows_fit = newest <= head.seq and (newest == head.seq or newest <= head.horizon == head.seq)
    return [
        Finding("digest", subject, ok=_sum(sum(parts)) == head.digest, detail="sum of live rows"),
        Finding(
            "buckets",
            subject,
            ok=buckets == feed.buckets(connection, provider.scope),
            detail="256 sums of live rows",
        ),
        Finding(
            "seq",
            subject,
            ok=rows_fit and head.seq == (told or 0),
            detail=f"head {head.seq}, newest row {newest}, history {told or 0}",
        ),
    ]


def _sum(weights: int) -> bytes:
    return digest.replace(digest.EMPTY_DIGEST, removed=0, added=weights)


def _all_rows(connection: Connection, feed: Feed, scope: str) -> Iterator[Sequence[Any]]:
    """Every row of a scope, a bounded number at a time."""
    page = (
        select(*feed.row_columns)
        .where(feed.rows.c.scope == scope, feed.rows.c.token > bindparam("after"))
        .order_by(feed.rows.c.token)
        .limit(_ROWS_AT_ONCE)
    )
    rows = connection.execute(page, {"after": b""}).all()
    while rows:
        yield from rows
        rows = connection.execute(page, {"after": rows[-1].token}).all()
