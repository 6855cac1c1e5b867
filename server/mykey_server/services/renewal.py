"""A renewed certificate carries its links over (引継ぎ): from the old default MyKey ID to the new.

At every provider the successor's token gets a row with the same service ID, and the old token's row
stays as `renewed` with none: the old card opens nothing any more, and says why. A suspension is
carried over too, and never lifted from the old token: counters hear of suspensions before they hear
of rows, and a stopped card must not open anything in between. A chosen MyKey ID keeps its 14 characters and is completed at the municipal
counter, so it is not renewed here.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, and_, bindparam, insert, or_, select, update
from sqlmodel import col

from mykey_server.services.admin import AdminRefusedError
from mykey_server.services.feeds import LINKS
from mykey_server.services.holdings import (
    Held,
    Holdings,
    read_holdings,
    read_links_of,
    write_holdings,
)
from mykey_server.services.site import Provider, find_provider
from mykey_server.services.suspensions import set_suspended
from mykey_server.tables.base import table_of
from mykey_server.tables.management import (
    KIND_DEFAULT,
    ORIGIN_RENEWAL,
    PERSON_ACTIVE,
    PERSON_RENEWED,
    PERSON_SUSPENDED,
    LinkTable,
    PersonTable,
)
from mykey_tui.domain.ids import LookupToken, MyKeyId, ServiceId, SubjectCn, TerminalCode
from mykey_tui.domain.link import LinkRow, LinkStatus
from mykey_tui.domain.tokens import default_token

SUCCESSORS_MAX = 16
"""Renewals of one person in a row: one in five years."""

_people = table_of(PersonTable)


def renew(connection: Connection, old: SubjectCn, new: SubjectCn) -> list[str]:
    """Carry every link of `old` over to `new`; return the scopes that moved.

    The same once more does nothing. `new` may be registered already, and have links where `old`
    has none.

    Raises:
        AdminRefusedError: `old` is not registered, chosen, or renewed to another; `new` is chosen,
            renewed, suspended or somebody's successor already; both have a link at one provider,
            and a person must say which counts.
    """
    if _refuse_or_know(connection, old, new):
        return []
    is_suspended = _status(connection, old) == PERSON_SUSPENDED
    _let_succeed(connection, old, new)
    scopes = connection.execute(
        select(col(LinkTable.scope)).where(
            col(LinkTable.my_key_id) == old.my_key_id.text,
            col(LinkTable.terminal_code) == old.terminal_code.text,
            col(LinkTable.status) < LinkStatus.RENEWED.value,
        )
    ).scalars()
    moved = sorted(set(scopes))
    for scope in moved:
        provider = find_provider(connection, scope)
        _carry_over(connection, provider, old, new)
    if is_suspended:
        set_suspended(connection, new, suspended=True)
    return moved


def read_successors(
    connection: Connection, provider: Provider, holdings: Holdings
) -> dict[LookupToken, Held]:
    """Of each renewed row among the holdings: the row that has its link now, where there is one."""
    heirs = {
        token: held.person
        for token, held in holdings.rows.items()
        if held.row.status is LinkStatus.RENEWED and held.person is not None
    }
    found: dict[LookupToken, Held] = {}
    for _ in range(SUCCESSORS_MAX):
        if not heirs:
            break
        following = _successors_of(connection, set(heirs.values()))
        heirs = {token: following[cn] for token, cn in heirs.items() if cn in following}
        own = {token: default_token(provider.lookup_key, cn) for token, cn in heirs.items()}
        rows = read_holdings(
            connection, provider.scope, tokens=own.values(), service_ids=(), cns=()
        ).rows
        found |= {token: rows[own[token]] for token in heirs if own[token] in rows}
    return found


def _carry_over(connection: Connection, provider: Provider, old: SubjectCn, new: SubjectCn) -> None:
    head = LINKS.lock(connection, provider.scope)
    token = default_token(provider.lookup_key, new)
    holdings = read_holdings(connection, provider.scope, tokens=[token], service_ids=(), cns=())
    if token in holdings.rows and holdings.rows[token].is_live:
        raise AdminRefusedError(
            "both-linked", f"both have a link at {provider.provider_id}: one is to be removed first"
        )
    for held in read_links_of(connection, provider.scope, old).rows.values():
        if not held.is_live:
            continue
        holdings.rows[held.row.token] = held
        empty = replace(held.row, service_id=ServiceId(""), status=LinkStatus.RENEWED, binding=None)
        holdings.put(replace(held, row=empty))
        service_id = held.row.service_id
        holdings.put(Held(LinkRow(token, None, service_id, LinkStatus.ACTIVE, 0), new))
    write_holdings(connection, provider, head, holdings)


def _refuse_or_know(connection: Connection, old: SubjectCn, new: SubjectCn) -> bool:
    """Whether exactly this was done before. Raises `AdminRefusedError` where it may not be."""
    rows = {
        SubjectCn(MyKeyId(row.my_key_id), TerminalCode(row.terminal_code)): row
        for row in connection.execute(
            # Locked: a push that reads the same person waits, and then sees the successor.
            select(_people).where(or_(_is(old), _is(new))).with_for_update()
        )
    }
    before, after = rows.get(old), rows.get(new)
    if before is None:
        raise AdminRefusedError("not-registered", "the old MyKey ID is not registered")
    if old == new:
        raise AdminRefusedError("same", "the old and the new MyKey ID are the same")
    if before.status == PERSON_RENEWED:
        if (before.successor_id, before.successor_code) == _text_of(new):
            return True
        raise AdminRefusedError("renewed", "the old MyKey ID has another successor already")
    if before.kind != KIND_DEFAULT or (after is not None and after.kind != KIND_DEFAULT):
        raise AdminRefusedError("chosen", "a chosen MyKey ID is completed at the municipal counter")
    if after is not None and after.status != PERSON_ACTIVE:
        raise AdminRefusedError("not-active", "the new MyKey ID is suspended or renewed")
    taken = select(_people.c.my_key_id).where(
        _people.c.successor_id == new.my_key_id.text,
        _people.c.successor_code == new.terminal_code.text,
    )
    if connection.execute(taken).first() is not None:
        raise AdminRefusedError("successor", "the new MyKey ID is another one's successor already")
    return False


def _let_succeed(connection: Connection, old: SubjectCn, new: SubjectCn) -> None:
    if connection.execute(select(_people.c.status).where(_is(new))).first() is None:
        connection.execute(
            insert(_people).values(
                my_key_id=new.my_key_id.text,
                terminal_code=new.terminal_code.text,
                kind=KIND_DEFAULT,
                origin=ORIGIN_RENEWAL,
                status=PERSON_ACTIVE,
                # Only a chosen MyKey ID is held against its certificate.
                certificate_tag=b"",
            )
        )
    successor_id, successor_code = _text_of(new)
    connection.execute(
        update(_people)
        .where(_is(old))
        .values(status=PERSON_RENEWED, successor_id=successor_id, successor_code=successor_code)
    )


def _status(connection: Connection, cn: SubjectCn) -> int:
    status: int = connection.execute(select(_people.c.status).where(_is(cn))).scalar_one()
    return status


def _successors_of(connection: Connection, cns: set[SubjectCn]) -> dict[SubjectCn, SubjectCn]:
    found = connection.execute(_SUCCESSORS, {"ids": [cn.my_key_id.text for cn in cns]})
    return {
        SubjectCn(MyKeyId(row.my_key_id), TerminalCode(row.terminal_code)): SubjectCn(
            MyKeyId(row.successor_id), TerminalCode(row.successor_code)
        )
        for row in found
    }


def _is(cn: SubjectCn) -> ColumnElement[bool]:
    my_key_id, terminal_code = _text_of(cn)
    return and_(_people.c.my_key_id == my_key_id, _people.c.terminal_code == terminal_code)


def _text_of(cn: SubjectCn) -> tuple[str, str]:
    return cn.my_key_id.text, cn.terminal_code.text


_SUCCESSORS = select(
    _people.c.my_key_id,
    _people.c.terminal_code,
    _people.c.successor_id,
    _people.c.successor_code,
).where(
    _people.c.my_key_id.in_(bindparam("ids", expanding=True)),
    _people.c.successor_id.is_not(None),
)
