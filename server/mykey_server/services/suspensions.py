"""Suspends and resumes MyKey IDs: a flag in the small scope of every provider that they reach.

The links themselves do not move. A person's row is updated first and its links are read after it,
while a push reads the person before it writes a link: so of a link and a suspension at the same
moment one sees the other (docs/adr/0020-postgresql.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select, tuple_, update

from mykey_server.database import write
from mykey_server.services.admin import AdminRefusedError
from mykey_server.services.feeds import SUSPENSIONS, Change
from mykey_server.services.site import Provider, find_provider
from mykey_server.tables.base import table_of
from mykey_server.tables.management import (
    PERSON_ACTIVE,
    PERSON_SUSPENDED,
    LinkTable,
    PersonTable,
)
from mykey_server.tables.suspension import SuspensionScopeTable, SuspensionTable
from mykey_tui.domain import digest
from mykey_tui.domain.ids import SubjectCn
from mykey_tui.domain.link import LinkStatus

PEOPLE_PER_TRANSACTION = 1000
"""Of a long list: a few milliseconds of lock each, so that counters hardly wait for it."""

SUSPENDED = LinkStatus.SUSPENDED.value
LIFTED = LinkStatus.REMOVED.value


def set_suspended(connection: Connection, cn: SubjectCn, *, suspended: bool) -> list[str]:
    """Suspend or resume a registered MyKey ID at every provider; return the scopes that moved.

    Raises:
        AdminRefusedError: not registered, or renewed: then its successor is meant.
    """
    if _set_people(connection, [cn], suspended=suspended) != 1:
        raise AdminRefusedError("not-registered", "this MyKey ID is not registered")
    return _flag_links_of(connection, [cn], suspended=suspended)


def set_many_suspended(
    engine: Engine, cns: Iterable[SubjectCn], *, suspended: bool
) -> tuple[int, int]:
    """Suspend or resume a long list; return how many were registered and how many were not.

    In transactions of `PEOPLE_PER_TRANSACTION`; where it breaks off, the same list again is
    harmless.
    """
    known, asked = 0, 0
    for chunk in _chunks(cns):

        def work(connection: Connection, chunk: list[SubjectCn] = chunk) -> int:
            found = _set_people(connection, chunk, suspended=suspended)
            _flag_links_of(connection, chunk, suspended=suspended)
            return found

        known += write(engine, work)
        asked += len(chunk)
    return known, asked - known


def flag(connection: Connection, provider: Provider, tokens: Iterable[bytes], status: int) -> int:
    """Set the flags of these tokens, each changed one under a seq of its own; return how many.

    A token without a flag is not lifted; one that has this flag already does not move.
    """
    head = SUSPENSIONS.lock(connection, provider.scope)
    wanted = sorted(set(tokens))
    found = connection.execute(_FLAGS, {"scope": provider.scope, "tokens": wanted})
    before = {row.token: row.status for row in found}
    changed = [token for token in wanted if before.get(token, LIFTED) != status]
    if not changed:
        return 0
    weights = {
        token: digest.weight(provider.digest_key, token, None, "", SUSPENDED) for token in changed
    }
    step = 1 if status == SUSPENDED else -1
    changes = [
        Change(token, removed=0, added=weight) if step > 0 else Change(token, weight, 0)
        for token, weight in weights.items()
    ]
    SUSPENSIONS.move(connection, provider.scope, head, changes)
    connection.execute(_COUNT, {"where": provider.scope, "more": step * len(changed)})
    connection.execute(_DELETE, {"scope": provider.scope, "tokens": changed})
    connection.execute(
        _INSERT,
        [
            {"scope": provider.scope, "token": token, "status": status, "seq": head.seq + number}
            for number, token in enumerate(changed, start=1)
        ],
    )
    return len(changed)


def _set_people(connection: Connection, cns: list[SubjectCn], *, suspended: bool) -> int:
    """Set the status of these people; return how many there are. A renewed one does not count."""
    return connection.execute(
        _SET_STATUS,
        {
            "new": PERSON_SUSPENDED if suspended else PERSON_ACTIVE,
            "people": [(cn.my_key_id.text, cn.terminal_code.text) for cn in cns],
        },
    ).rowcount


def _flag_links_of(connection: Connection, cns: list[SubjectCn], *, suspended: bool) -> list[str]:
    """Flag the live links of these people, provider by provider in one order for all writers."""
    people = [(cn.my_key_id.text, cn.terminal_code.text) for cn in cns]
    tokens: dict[str, list[bytes]] = {}
    for scope, token in connection.execute(_LINKS_OF, {"people": people}):
        tokens.setdefault(scope, []).append(token)
    status = SUSPENDED if suspended else LIFTED
    return [
        scope
        for scope in sorted(tokens)
        if flag(connection, find_provider(connection, scope), tokens[scope], status)
    ]


def _chunks(cns: Iterable[SubjectCn]) -> Iterator[list[SubjectCn]]:
    iterator = iter(cns)
    while chunk := list(islice(iterator, PEOPLE_PER_TRANSACTION)):
        yield chunk


# Built once: building a statement costs more than running it.
_people, _links = table_of(PersonTable), table_of(LinkTable)
_flags, _scopes = table_of(SuspensionTable), table_of(SuspensionScopeTable)
_SET_STATUS = (
    update(_people)
    .where(
        tuple_(_people.c.my_key_id, _people.c.terminal_code).in_(
            bindparam("people", expanding=True)
        ),
        _people.c.status.in_((PERSON_ACTIVE, PERSON_SUSPENDED)),
    )
    .values(status=bindparam("new"))
)
_LINKS_OF = select(_links.c.scope, _links.c.token).where(
    tuple_(_links.c.my_key_id, _links.c.terminal_code).in_(bindparam("people", expanding=True)),
    _links.c.status < LinkStatus.RENEWED.value,
)
_FLAGS = select(_flags.c.token, _flags.c.status).where(
    _flags.c.scope == bindparam("scope"),
    _flags.c.token.in_(bindparam("tokens", expanding=True)),
)
_COUNT = (
    update(_scopes)
    .where(_scopes.c.scope == bindparam("where"))
    .values(total=_scopes.c.total + bindparam("more"))
)
_DELETE = delete(_flags).where(
    _flags.c.scope == bindparam("scope"),
    _flags.c.token.in_(bindparam("tokens", expanding=True)),
)
_INSERT = insert(_flags)
