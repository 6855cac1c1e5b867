"""The rows that one transaction reads, decides on and writes back, all of one scope."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, and_, bindparam, delete, or_, select
from sqlmodel import col

from mykey_server.services.feeds import LINKS, Change, Head
from mykey_server.services.site import Provider
from mykey_server.tables.base import table_of
from mykey_server.tables.management import KIND_CHOSEN, LinkTable, PersonTable
from mykey_server.tables.rows import RowInsert, Value
from mykey_tui.domain import digest
from mykey_tui.domain.ids import Binding, LookupToken, MyKeyId, ServiceId, SubjectCn, TerminalCode
from mykey_tui.domain.link import LinkRow, LinkStatus

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_NOTHING = object()
# The interpreter looks a member up anew each time that its class is asked for it.
_ACTIVE, _SUSPENDED = LinkStatus.ACTIVE, LinkStatus.SUSPENDED


@dataclass(frozen=True, slots=True)
class Person:
    """A registered MyKey ID."""

    cn: SubjectCn
    kind: str
    origin: str
    status: int
    certificate_tag: bytes
    is_new: bool = False
    """Not in the file yet."""


@dataclass(frozen=True, slots=True)
class Held:
    """A row of the management table: what counters see of it, and whose it is."""

    row: LinkRow
    person: SubjectCn | None
    """None in a tombstone."""

    @property
    def is_live(self) -> bool:
        """Whether the row links anything: it is neither removed nor renewed."""
        return self.row.status is _ACTIVE or self.row.status is _SUSPENDED


@dataclass(slots=True)
class Holdings:
    """What is in the file and concerns this batch, moving with each decision.

    A decision moves it by `put` and `register` alone: both note what stood there before.
    """

    rows: dict[LookupToken, Held] = field(default_factory=dict)
    owners: dict[str, LookupToken] = field(default_factory=dict)
    """Live service ID to its token."""
    people: dict[SubjectCn, Person] = field(default_factory=dict)
    before: dict[LookupToken, Held | None] = field(default_factory=dict)
    """Each changed row as it is in the file, in the order of the first change."""
    _noted: list[tuple[dict[Any, Any], Any, Any]] = field(default_factory=list)
    """Since the last savepoint: a table, a key, and what stood under it."""

    def savepoint(self) -> None:
        """What stands now is what `roll_back` comes back to."""
        self._noted.clear()

    def roll_back(self) -> None:
        """Undo every `put` and `register` since the last savepoint, half done ones too."""
        while self._noted:
            table, key, stood = self._noted.pop()
            if stood is _NOTHING:
                table.pop(key, None)
            else:
                table[key] = stood

    def put(self, held: Held) -> None:
        """Let a row stand as `held` from now on."""
        token = held.row.token
        old = self.rows.get(token)
        if token not in self.before:
            self._set(self.before, token, old)
        if old is not None and old.is_live:
            self._note(self.owners, old.row.service_id.text)
            self.owners.pop(old.row.service_id.text, None)
        if held.is_live:
            self._set(self.owners, held.row.service_id.text, token)
        self._set(self.rows, token, held)

    def register(self, person: Person) -> None:
        """Let a MyKey ID be registered from now on."""
        self._set(self.people, person.cn, person)

    def _note(self, table: dict[_Key, Any], key: _Key) -> None:
        self._noted.append((table, key, table.get(key, _NOTHING)))

    def _set(self, table: dict[_Key, _Value], key: _Key, value: _Value) -> None:
        self._note(table, key)
        table[key] = value

    def owner_of(self, service_id: str) -> Held | None:
        """The live row that holds a service ID."""
        token = self.owners.get(service_id)
        return None if token is None else self.rows[token]

    def chosen(self, my_key_id: MyKeyId) -> Person | None:
        """The person who chose these 14 characters."""
        for person in self.people.values():
            if person.kind == KIND_CHOSEN and person.cn.my_key_id == my_key_id:
                return person
        return None


def read_holdings(
    connection: Connection,
    scope: str,
    *,
    tokens: Iterable[LookupToken],
    service_ids: Iterable[str],
    cns: Iterable[SubjectCn],
) -> Holdings:
    """Everything in the file that a batch over these tokens, service IDs and people may meet."""
    holdings = Holdings()
    # PostgreSQL cannot even be asked for a text with a NUL; no row holds one.
    sids = {service_id for service_id in service_ids if "\0" not in service_id}
    wanted = {"scope": scope, "tokens": list(set(tokens)), "sids": list(sids)}
    for row in connection.execute(_TOUCHED, wanted):
        held = _held(row)
        holdings.rows[held.row.token] = held
        if held.is_live:
            holdings.owners[held.row.service_id.text] = held.row.token
    my_key_ids = list({cn.my_key_id.text for cn in cns})
    for found in connection.execute(_PEOPLE, {"ids": my_key_ids}):
        cn = _cn(found.my_key_id, found.terminal_code)
        person = Person(cn, found.kind, found.origin, found.status, found.certificate_tag)
        holdings.people[person.cn] = person
    return holdings


def read_links_of(connection: Connection, scope: str, cn: SubjectCn) -> Holdings:
    """The rows of one person in one scope, live or renewed."""
    holdings = Holdings()
    for row in connection.execute(
        _LINK.where(
            col(LinkTable.scope) == scope,
            col(LinkTable.my_key_id) == cn.my_key_id.text,
            col(LinkTable.terminal_code) == cn.terminal_code.text,
        )
    ):
        held = _held(row)
        holdings.rows[held.row.token] = held
    return holdings


def write_holdings(
    connection: Connection, provider: Provider, head: Head, holdings: Holdings
) -> Head:
    """Write what changed, each changed row under a seq of its own, and return the new head.

    The counter row moves last, once; who decides has it locked since `LINKS.lock`.
    """
    new_people = [person for person in holdings.people.values() if person.is_new]
    _PEOPLE_ROWS.write(connection, [_person_values(person) for person in new_people])
    if not holdings.before:
        return head
    changed = [
        _at(holdings.rows[token], head.seq + number)
        for number, token in enumerate(holdings.before, start=1)
    ]
    changes = [
        Change(
            held.row.token,
            removed=0 if old is None else digest.row_weight(provider.digest_key, old.row),
            added=digest.row_weight(provider.digest_key, held.row),
        )
        for held, old in zip(changed, holdings.before.values(), strict=True)
    ]
    holdings.rows.update((held.row.token, held) for held in changed)
    head = LINKS.move(connection, provider.scope, head, changes)
    # Deleted first: within a batch a service ID may move from one row to another.
    gone = [token for token, old in holdings.before.items() if old is not None]
    if gone:
        connection.execute(_DELETE_LINKS, {"scope": provider.scope, "tokens": gone})
    _LINK_ROWS.write(connection, [_values(provider.scope, held) for held in changed])
    return head


# Built once: building a statement costs more than running it.
_LINK = select(
    col(LinkTable.token),
    col(LinkTable.my_key_id),
    col(LinkTable.terminal_code),
    col(LinkTable.binding),
    col(LinkTable.service_id),
    col(LinkTable.status),
    col(LinkTable.seq),
)

_PERSON = select(
    col(PersonTable.my_key_id),
    col(PersonTable.terminal_code),
    col(PersonTable.kind),
    col(PersonTable.origin),
    col(PersonTable.status),
    col(PersonTable.certificate_tag),
)

_TOUCHED = _LINK.where(
    col(LinkTable.scope) == bindparam("scope"),
    or_(
        col(LinkTable.token).in_(bindparam("tokens", expanding=True)),
        and_(
            col(LinkTable.service_id).in_(bindparam("sids", expanding=True)),
            col(LinkTable.status) < LinkStatus.RENEWED.value,
        ),
    ),
)
# Shared with other pushes, not with a suspension: it waits for this commit and sees these links,
# or this waits for it and sees the status.
_PEOPLE = _PERSON.where(
    col(PersonTable.my_key_id).in_(bindparam("ids", expanding=True))
).with_for_update(read=True)

_links = table_of(LinkTable)
_PEOPLE_ROWS = RowInsert(
    table_of(PersonTable),
    "my_key_id",
    "terminal_code",
    "kind",
    "origin",
    "status",
    "certificate_tag",
)
_LINK_ROWS = RowInsert(
    _links,
    "scope",
    "token",
    "my_key_id",
    "terminal_code",
    "binding",
    "service_id",
    "status",
    "seq",
)
_DELETE_LINKS = delete(_links).where(
    _links.c.scope == bindparam("scope"),
    _links.c.token.in_(bindparam("tokens", expanding=True)),
)


def _at(held: Held, seq: int) -> Held:
    """The same under its seq. Spelt out: `dataclasses.replace` costs ten times as much."""
    row = held.row
    return Held(LinkRow(row.token, row.binding, row.service_id, row.status, seq), held.person)


def _cn(my_key_id: str, terminal_code: str) -> SubjectCn:
    return SubjectCn(MyKeyId(my_key_id), TerminalCode(terminal_code))


def _held(row: Row[bytes, str | None, str | None, bytes | None, str, int, int]) -> Held:
    person = None
    if row.my_key_id is not None and row.terminal_code is not None:
        person = _cn(row.my_key_id, row.terminal_code)
    return Held(
        LinkRow(
            token=LookupToken(row.token),
            binding=None if row.binding is None else Binding(row.binding),
            service_id=ServiceId(row.service_id),
            status=LinkStatus(row.status),
            seq=row.seq,
        ),
        person,
    )


def _person_values(person: Person) -> tuple[Value, ...]:
    return (
        person.cn.my_key_id.text,
        person.cn.terminal_code.text,
        person.kind,
        person.origin,
        person.status,
        person.certificate_tag,
    )


def _values(scope: str, held: Held) -> tuple[Value, ...]:
    row, person = held.row, held.person
    return (
        scope,
        row.token,
        None if person is None else person.my_key_id.text,
        None if person is None else person.terminal_code.text,
        row.binding,
        row.service_id.text,
        row.status.value,
        row.seq,
    )
