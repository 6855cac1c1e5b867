"""The operator's work on the command line: providers, terminals, suspensions, lists, the check."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, func, insert, select, true, update
from sqlmodel import col

from mykey_server.services.holdings import (
    Held,
    Holdings,
    lock_head,
    read_head,
    read_links_of,
    write_holdings,
)
from mykey_server.services.site import PROFILES, Provider, all_providers
from mykey_server.tables.management import (
    PERSON_ACTIVE,
    PERSON_SUSPENDED,
    LinkTable,
    PersonTable,
)
from mykey_server.tables.site import ProviderTable, ScopeTable
from mykey_server.tables.terminal import (
    TERMINAL_ACTIVE,
    TERMINAL_QUARANTINED,
    TERMINAL_RETIRED,
    HeldTable,
    TerminalTable,
)
from mykey_tui.domain.digest import DIGEST_KEY_LENGTH, EMPTY_DIGEST
from mykey_tui.domain.errors import MyKeyError
from mykey_tui.domain.ids import ProviderId, SubjectCn
from mykey_tui.domain.link import LinkStatus
from mykey_tui.domain.service_id import ServiceIdFormat
from mykey_tui.domain.text import safe
from mykey_tui.domain.tokens import PROVIDER_KEY_LENGTH, same_secret

PROVIDER_NAME_LENGTH_MAX = 64

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
        )
    )
    connection.execute(
        insert(ScopeTable).values(scope=provider_id.alias, seq=0, horizon=0, digest=EMPTY_DIGEST)
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
            "seq": read_head(connection, provider.scope).seq,
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
            col(ProviderTable.provider_id),
        )
        .join(ProviderTable, col(ProviderTable.scope) == col(TerminalTable.scope))
        .order_by(col(ProviderTable.provider_id), col(TerminalTable.name))
    )
    return [
        {
            "device_id": row.device_id,
            "name": row.name,
            "provider_id": row.provider_id,
            "status": _TERMINAL_STATES[row.status],
            "held": held.get(row.device_id, 0),
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
            col(LinkTable.seq),
        )
        .join(ProviderTable, col(ProviderTable.scope) == col(LinkTable.scope))
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
            "status": LinkStatus(row.status).name.lower(),
            "seq": row.seq,
        }


def set_suspended(connection: Connection, cn: SubjectCn, *, suspended: bool) -> list[str]:
    """Suspend or resume a registered MyKey ID at every provider; return the scopes that moved."""
    changed = connection.execute(
        update(PersonTable)
        .where(
            col(PersonTable.my_key_id) == cn.my_key_id.text,
            col(PersonTable.terminal_code) == cn.terminal_code.text,
        )
        .values(status=PERSON_SUSPENDED if suspended else PERSON_ACTIVE)
    )
    if changed.rowcount != 1:
        raise AdminRefusedError("not-registered", "this MyKey ID is not registered")
    status = LinkStatus.SUSPENDED if suspended else LinkStatus.ACTIVE
    return [
        provider.scope
        for provider in all_providers(connection)
        if _set_link_status(connection, provider, cn, status)
    ]


def _set_link_status(
    connection: Connection, provider: Provider, cn: SubjectCn, status: LinkStatus
) -> bool:
    head = lock_head(connection, provider.scope)
    holdings = read_links_of(connection, provider.scope, cn)
    for held in list(holdings.rows.values()):
        if held.row.status in {LinkStatus.ACTIVE, LinkStatus.SUSPENDED}:
            _move(holdings, held, status)
    write_holdings(connection, provider, head, holdings)
    return bool(holdings.before)


def _move(holdings: Holdings, held: Held, status: LinkStatus) -> None:
    if held.row.status is status:
        return
    holdings.put(replace(held, row=replace(held.row, status=status)))
