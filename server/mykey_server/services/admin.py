"""The operator's work on the command line: providers, terminals, suspensions, lists, the check."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, insert, select, true, update
from sqlmodel import col

from mykey_server.profiles import PROFILES
from mykey_server.services.feeds import EMPTY_BUCKETS, LINKS
from mykey_server.services.site import all_providers
from mykey_server.tables.base import table_of
from mykey_server.tables.management import LinkTable
from mykey_server.tables.site import ProviderTable, ScopeTable
from mykey_server.tables.suspension import SuspensionScopeTable, SuspensionTable
from mykey_server.tables.terminal import (
    TERMINAL_ACTIVE,
    TERMINAL_QUARANTINED,
    TERMINAL_RETIRED,
    HeldTable,
    TerminalTable,
)
from mykey_tui.domain.digest import DIGEST_KEY_LENGTH, EMPTY_DIGEST
from mykey_tui.domain.errors import MyKeyError
from mykey_tui.domain.fingerprint import words_of
from mykey_tui.domain.ids import ProviderId
from mykey_tui.domain.link import LinkStatus
from mykey_tui.domain.service_id import ServiceIdFormat
from mykey_tui.domain.text import safe
from mykey_tui.domain.tokens import PROVIDER_KEY_LENGTH, same_secret
from mykey_tui.wire.messages import Staleness

PROVIDER_NAME_LENGTH_MAX = 64
STALENESS = Staleness(green_s=24 * 3600, refuse_s=72 * 3600, lookups_max=2000)
"""What a provider's counters keep to until the operator says otherwise."""
REFUSE_SECONDS_MAX = 7 * 24 * 3600
LOOKUPS_MAX = 1_000_000

_flags = table_of(SuspensionTable)
_TERMINAL_STATES = {
    TERMINAL_ACTIVE: "active",
    TERMINAL_RETIRED: "retired",
    TERMINAL_QUARANTINED: "quarantined",
}


class AdminRefusedError(MyKeyError):
    """The operator's command cannot be done; `reason` is a stable name for scripts."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


@dataclass(frozen=True, slots=True, repr=False)
class ProviderKeys:
    """A provider's own: of its lookup tokens, and of its digests."""

    lookup: bytes
    digest: bytes


def draw_keys() -> ProviderKeys:
    """New ones. Drawn before the transaction, so that a second try knows the first's row."""
    return ProviderKeys(
        secrets.token_bytes(PROVIDER_KEY_LENGTH), secrets.token_bytes(DIGEST_KEY_LENGTH)
    )


def add_provider(
    connection: Connection,
    provider_id: ProviderId,
    *,
    name: str,
    service_id_format: ServiceIdFormat,
    profile: str,
    keys: ProviderKeys | None = None,
) -> None:
    """Register a service provider with an empty scope and keys of its own.

    Nothing is done where a provider with exactly these `keys` is there: an earlier try was
    committed, and only the word of it was lost.
    """
    keys = keys or draw_keys()
    if profile not in PROFILES:
        raise AdminRefusedError("profile-unknown", f"a profile is one of {', '.join(PROFILES)}")
    same = connection.execute(
        select(col(ProviderTable.provider_id), col(ProviderTable.lookup_key)).where(
            col(ProviderTable.scope) == provider_id.alias
        )
    ).one_or_none()
    if same is not None:
        if same_secret(same.lookup_key, keys.lookup):
            return
        raise AdminRefusedError("provider-exists", f"{same.provider_id} is registered already")
    connection.execute(
        insert(ProviderTable).values(
            scope=provider_id.alias,
            provider_id=provider_id.text,
            name=safe(name, PROVIDER_NAME_LENGTH_MAX),
            service_id_format=service_id_format.text,
            profile=profile,
            lookup_key=keys.lookup,
            digest_key=keys.digest,
            green_s=STALENESS.green_s,
            refuse_s=STALENESS.refuse_s,
            lookups_max=STALENESS.lookups_max,
        )
    )
    for table, more in ((ScopeTable, {"durable_through": 0}), (SuspensionScopeTable, {"total": 0})):
        connection.execute(
            insert(table).values(
                scope=provider_id.alias,
                seq=0,
                horizon=0,
                digest=EMPTY_DIGEST,
                buckets=EMPTY_BUCKETS,
                **more,
            )
        )


def set_staleness(connection: Connection, scope: str, staleness: Staleness) -> None:
    """Say how old a provider's rows may be at its counters; they learn it with their next round."""
    if not 0 < staleness.green_s <= staleness.refuse_s <= REFUSE_SECONDS_MAX:
        raise AdminRefusedError(
            "staleness-out-of-range", "green comes before refuse, and refuse within 7 days"
        )
    if not 0 < staleness.lookups_max <= LOOKUPS_MAX:
        raise AdminRefusedError("staleness-out-of-range", f"1 to {LOOKUPS_MAX} look-ups")
    connection.execute(
        update(ProviderTable)
        .where(col(ProviderTable.scope) == scope)
        .values(
            green_s=staleness.green_s,
            refuse_s=staleness.refuse_s,
            lookups_max=staleness.lookups_max,
        )
    )


def require_scope(connection: Connection, provider_id: ProviderId) -> str:
    """The scope of a registered provider, named by its ID or by its alias."""
    scope = connection.execute(
        select(col(ProviderTable.scope)).where(col(ProviderTable.scope) == provider_id.alias)
    ).scalar()
    if scope is None:
        raise AdminRefusedError("provider-unknown", "no such service provider")
    return scope


def list_providers(connection: Connection) -> list[dict[str, Any]]:
    """All providers, without their keys."""
    return [
        {
            "provider_id": provider.provider_id,
            "alias": provider.scope,
            "name": provider.name,
            "service_id_format": provider.service_id_format.text,
            "profile": provider.profile,
            "seq": LINKS.head(connection, provider.scope).seq,
        }
        for provider in all_providers(connection)
    ]


def list_terminals(connection: Connection) -> list[dict[str, Any]]:
    """All enrolled counters, each with the number of its mutations that wait for a decision."""
    counted = connection.execute(
        select(col(HeldTable.device_id), func.count()).group_by(col(HeldTable.device_id))
    )
    held = {row[0]: row[1] for row in counted}
    rows = connection.execute(
        select(
            col(TerminalTable.device_id),
            col(TerminalTable.name),
            col(TerminalTable.status),
            col(TerminalTable.public_key),
            col(TerminalTable.site),
            col(TerminalTable.believes),
            col(ProviderTable.provider_id),
        )
        .join(ProviderTable, col(ProviderTable.scope) == col(TerminalTable.scope))
        .order_by(col(ProviderTable.provider_id), col(TerminalTable.name))
    )
    return [
        {
            "device_id": row.device_id,
            "name": row.name,
            "site": row.site,
            "provider_id": row.provider_id,
            "status": _TERMINAL_STATES[row.status],
            "held": held.get(row.device_id, 0),
            "words": words_of(row.public_key),
            "believes": row.believes,
        }
        for row in rows
    ]


def set_terminal_status(connection: Connection, device_id: str, status: int) -> None:
    """Retire a counter, or let a quarantined one speak again; effective at its next request.

    A retired counter stays retired: it enrols anew.
    """
    found = connection.execute(
        select(col(TerminalTable.status)).where(col(TerminalTable.device_id) == device_id)
    ).scalar()
    if found is None:
        raise AdminRefusedError("terminal-unknown", "no such terminal")
    if found == TERMINAL_RETIRED and status != TERMINAL_RETIRED:
        raise AdminRefusedError("terminal-retired", "a retired terminal enrols anew")
    connection.execute(
        update(TerminalTable).where(col(TerminalTable.device_id) == device_id).values(status=status)
    )


def list_links(connection: Connection, scope: str | None) -> Iterator[dict[str, Any]]:
    """The management table: live links, in one provider or in all."""
    rows = connection.execute(
        select(
            col(LinkTable.my_key_id),
            col(LinkTable.terminal_code),
            col(ProviderTable.provider_id),
            col(LinkTable.service_id),
            col(LinkTable.status),
            _flags.c.status.label("flag"),
            col(LinkTable.seq),
        )
        .join(ProviderTable, col(ProviderTable.scope) == col(LinkTable.scope))
        .outerjoin(
            _flags,
            and_(
                _flags.c.scope == col(LinkTable.scope),
                _flags.c.token == col(LinkTable.token),
                _flags.c.status == LinkStatus.SUSPENDED.value,
            ),
        )
        .where(
            col(LinkTable.status) != LinkStatus.REMOVED.value,
            true() if scope is None else col(LinkTable.scope) == scope,
        )
        .order_by(col(LinkTable.scope), col(LinkTable.seq))
    )
    for row in rows:
        yield {
            "mykey_id": row.my_key_id,
            "terminal_code": row.terminal_code,
            "provider_id": row.provider_id,
            "service_id": row.service_id,
            "status": LinkStatus(row.flag or row.status).name.lower(),
            "seq": row.seq,
        }
