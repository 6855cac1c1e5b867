"""The ID conversion table's rows at this counter: look one up, take the server's in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection

from mykey_tui.domain.digest import DIGEST_LENGTH, weigh, weight
from mykey_tui.domain.ids import Binding, LookupToken, ServiceId
from mykey_tui.domain.link import LinkStatus
from mykey_tui.store import columns
from mykey_tui.store.columns import Columns, Rows
from mykey_tui.wire.messages import BUCKETS, Row

# The widest form of a service ID (`domain.service_id`). Rows are held against this and not against
# the provider's own form, which may have changed since an older row was made.
_SERVICE_ID = re.compile(r"[0-9A-Z-]{1,32}")
_SERVICE_IDS = re.compile(r"(?:[0-9A-Z-]{1,32}\n)*+")
_REMOVED = LinkStatus.REMOVED.value
_RENEWED = LinkStatus.RENEWED.value
_STATUS_LIVE = frozenset(status.value for status in LinkStatus) - {_REMOVED}

_CHUNK_ROWS = 200
"""Rows that are changed together: one by one takes a quarter longer, and all at once would outgrow
the page cache, so that each page were decrypted twice."""

_COLUMNS = "token, binding, service_id, status, seq"

_MODULUS = 1 << (8 * DIGEST_LENGTH)

# One statement, so that all tables are seen at one moment.
_FIND = (
    "SELECT o.token, o.service_id, l.service_id, l.status, l.binding, s.token "
    "FROM (SELECT ? AS t) LEFT JOIN local_link AS o ON o.token = t "
    "LEFT JOIN link AS l ON l.token = t LEFT JOIN suspension AS s ON s.token = t"
)
_FIND_TOKEN_LOCAL = "SELECT token FROM local_link WHERE service_id = ? LIMIT 1"  # noqa: S105  # SQL
_FIND_TOKEN = (
    "SELECT l.token FROM link AS l LEFT JOIN local_link AS o ON o.token = l.token "  # noqa: S105
    "WHERE l.service_id = ? AND o.token IS NULL LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class LocalLink:
    """What this counter knows of a token. `provisional` while its own mutation waits to be sent."""

    service_id: ServiceId
    status: LinkStatus
    binding: Binding | None
    provisional: bool


@dataclass(slots=True)
class Tally:
    """The running sums over `link` while a transaction changes it."""

    digest: int
    rows: int

    @property
    def digest_bytes(self) -> bytes:
        """As it is stored and compared."""
        return self.digest.to_bytes(DIGEST_LENGTH, "big")


def find(connection: Connection, token: LookupToken) -> LocalLink | None:
    """The row of a token with this counter's own waiting mutation laid over it.

    A suspended token is SUSPENDED whatever else is known of it; its service ID may then be empty.
    """
    found = connection.exec_driver_sql(_FIND, (token,)).one()
    own_token, own_service_id, service_id, status, binding, suspended = found
    if suspended is not None:
        text = service_id or own_service_id or ""
        return LocalLink(ServiceId(text), LinkStatus.SUSPENDED, binding, provisional=False)
    known = LinkStatus(status) if status is not None else None
    # A mutation of ours does not lift what the server has stopped.
    stopped = known is not None and known is not LinkStatus.ACTIVE
    if own_token is None or stopped:
        if known is None:
            return None
        return LocalLink(ServiceId(service_id), known, binding, provisional=False)
    if own_service_id is None:
        return None
    return LocalLink(ServiceId(own_service_id), LinkStatus.ACTIVE, binding, provisional=True)


def find_token(connection: Connection, service_id: ServiceId) -> LookupToken | None:
    """Whose service ID this is, as far as this counter knows.

    A scan of all rows: about 0.2 s for a million. Only a link asks, which takes a person minutes; an
    index would cost every change that comes in more than the row itself (docs/adr/0025).
    """
    for statement in (_FIND_TOKEN_LOCAL, _FIND_TOKEN):
        row = connection.exec_driver_sql(statement, (service_id.text,)).first()
        if row is not None:
            return LookupToken(row[0])
    return None


def sort_out(rows: Iterable[Row]) -> tuple[list[Row], int]:
    """Make a page fit to be stored: one row for each token, in token order, and how many were bad.

    A row that cannot be shown (service ID outside every format, status from a newer server) is
    taken as a removal: the server has changed that row, so the old content must not be handed
    over either. The digest then differs, and that is reported.
    """
    page = list(rows)
    if _is_plain(page):
        return sorted(page, key=itemgetter(0)), 0
    kept: dict[bytes, Row] = {}
    refused = 0
    for row in page:
        token, _, service_id, status, seq = row
        sound = row
        if not _is_sound(service_id, status):
            refused += status != _REMOVED
            sound = (token, None, "", _REMOVED, seq)
        if token not in kept or kept[token][4] <= seq:
            kept[token] = sound
    return [kept[token] for token in sorted(kept)], refused


def _is_sound(service_id: str, status: int) -> bool:
    """Whether a live row can be shown. The service ID of a renewed one went to its successor."""
    if status == _RENEWED and not service_id:
        return True
    return status in _STATUS_LIVE and _SERVICE_ID.fullmatch(service_id) is not None


def _is_plain(page: Sequence[Row]) -> bool:
    """Whether a page has live, sound rows only, each token once: looked at as a whole, not by row."""
    service_ids = "".join([row[2] + "\n" for row in page])
    return (
        service_ids.count("\n") == len(page)
        and len({row[0] for row in page}) == len(page)
        and are_plain(service_ids, {row[3] for row in page})
    )


def are_plain(service_ids: str, statuses: Iterable[int]) -> bool:
    """Whether rows are live and sound, by their service IDs, one a line, and their statuses."""
    return _STATUS_LIVE.issuperset(statuses) and _SERVICE_IDS.fullmatch(service_ids) is not None


def add(connection: Connection, tally: Tally, rows: Columns, weight: int) -> None:
    """Take rows of a load in, in token order, none of which is there; `weight` is `weight_of` them."""
    columns.insert(connection, "INSERT", "link_next", rows)
    tally.rows += len(rows)
    tally.digest = (tally.digest + weight) % _MODULUS


def weight_of(key: bytes, rows: Columns) -> int:
    """What these rows add to the digest."""
    return weigh(key, rows.rows()) % _MODULUS


def put_new(
    connection: Connection,
    key: bytes,
    tally: Tally,
    rows: Sequence[Row],
    *,
    into: Rows = "link",
) -> None:
    """Take sorted rows in where nearly all are expected to be new: a first load.

    Falls back to `put` when a token is there already (it moved while its scope was being read).
    """
    live = [row for row in rows if row[3] != _REMOVED]
    connection.exec_driver_sql("SAVEPOINT first_load")
    inserted = columns.insert(connection, "INSERT OR IGNORE", into, columns.of_rows(live))
    if inserted == len(live):
        tally.rows += len(live)
        tally.digest = (tally.digest + weigh(key, live)) % _MODULUS
    else:
        connection.exec_driver_sql("ROLLBACK TO first_load")
        put(connection, key, tally, live, into=into)
    connection.exec_driver_sql("RELEASE first_load")
    put(connection, key, tally, [row for row in rows if row[3] == _REMOVED], into=into)


def put(
    connection: Connection,
    key: bytes,
    tally: Tally,
    rows: Sequence[Row],
    *,
    into: Rows = "link",
) -> None:
    """Take sorted rows in, one for each token at most; an older seq never overwrites a newer one.

    Some at a time: so a page that is decrypted to be read is still there to be written.
    """
    for start in range(0, len(rows), _CHUNK_ROWS):
        _put_some(connection, key, tally, rows[start : start + _CHUNK_ROWS], into)


def _put_some(
    connection: Connection, key: bytes, tally: Tally, rows: Sequence[Row], into: Rows
) -> None:
    old = _rows_of(connection, [row[0] for row in rows], into)
    news = [row for row in rows if row[0] not in old or old[row[0]][4] <= row[4]]
    gone = [(row[0],) for row in news if row[3] == _REMOVED and row[0] in old]
    live = [row for row in news if row[3] != _REMOVED]
    replaced = [old[row[0]] for row in news if row[0] in old]
    if gone:
        connection.exec_driver_sql(f"DELETE FROM {into} WHERE token = ?", gone)  # noqa: S608  # ours
    columns.insert(connection, "INSERT OR REPLACE", into, columns.of_rows(live))
    tally.rows += len(live) - len(replaced)
    change = weigh(key, live) - weigh(key, replaced)
    tally.digest = (tally.digest + change) % _MODULUS


def replace_bucket(
    connection: Connection,
    key: bytes,
    tally: Tally,
    bucket: int,
    rows: Columns,
    *,
    into: Rows,
) -> None:
    """Put these rows in the place of all rows whose token begins with the byte `bucket`."""
    first, beyond = bytes([bucket]) + bytes(15), bytes([bucket]) + b"\xff" * 16
    old = list(
        connection.exec_driver_sql(
            f"SELECT {_COLUMNS} FROM {into} WHERE token BETWEEN ? AND ?",  # noqa: S608  # ours
            (first, beyond),
        )
    )
    connection.exec_driver_sql(
        f"DELETE FROM {into} WHERE token BETWEEN ? AND ?",  # noqa: S608  # ours
        (first, beyond),
    )
    columns.insert(connection, "INSERT", into, rows)
    tally.rows += len(rows) - len(old)
    change = weigh(key, rows.rows()) - weigh(key, [_row(each) for each in old])
    tally.digest = (tally.digest + change) % _MODULUS


def bucket_sums(connection: Connection, key: bytes, *, of: Rows) -> tuple[list[int], int]:
    """The digest in 256 parts, by the token's first byte, and the number of rows: a whole scan."""
    sums, rows = [0] * BUCKETS, 0
    statement = f"SELECT {_COLUMNS} FROM {of}"  # noqa: S608  # words of ours alone
    for found in connection.exec_driver_sql(statement):
        token, binding, service_id, status, _ = found
        bucket = token[0]
        sums[bucket] = (sums[bucket] + weight(key, token, binding, service_id, status)) % _MODULUS
        rows += 1
    return sums, rows


def _row(found: Any) -> Row:  # noqa: ANN401  # a driver's row, of the columns below
    token, binding, service_id, status, seq = found
    return token, binding, service_id, status, seq


def _rows_of(connection: Connection, tokens: Sequence[bytes], of: Rows) -> dict[bytes, Row]:
    marks = ",".join("?" * len(tokens))
    statement = f"SELECT {_COLUMNS} FROM {of} WHERE token IN ({marks})"  # noqa: S608  # ours
    found = map(_row, connection.exec_driver_sql(statement, tuple(tokens)))
    return {row[0]: row for row in found}
