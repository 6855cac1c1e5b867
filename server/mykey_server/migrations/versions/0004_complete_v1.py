"""Protocol v1 complete: digests in parts, suspensions in a scope of their own, successors, backups.

Suspended links become plain ones: what is suspended stands in the new scope from now on.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op

from mykey_tui.domain import digest

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None

_BUCKETS = 256
_ACTIVE, _SUSPENDED = 0, 1
_ROWS_AT_ONCE = 10_000


def upgrade() -> None:
    """Make the tables and columns, and fill them from the rows."""
    _add_columns()
    _make_tables()
    connection = op.get_bind()
    connection.execute(sa.text("UPDATE site SET sign_key = :key"), {"key": secrets.token_bytes(32)})
    for scope, digest_key in connection.execute(
        sa.text("SELECT scope, digest_key FROM provider ORDER BY scope")
    ).all():
        _fill_suspensions(connection, scope, digest_key)
        _fill_buckets(connection, scope, digest_key)


def _add_columns() -> None:
    op.add_column("site", _bytes("sign_key"))
    op.add_column("scope", _bytes("buckets"))
    op.add_column("scope", _number("durable_through", "0", sa.BigInteger()))
    op.add_column("provider", _number("green_s", "86400"))
    op.add_column("provider", _number("refuse_s", "259200"))
    op.add_column("provider", _number("lookups_max", "2000"))
    op.add_column("my_key_id", sa.Column("successor_id", sa.String(), nullable=True))
    op.add_column("my_key_id", sa.Column("successor_code", sa.String(), nullable=True))
    op.create_index(
        "uq_my_key_id_successor", "my_key_id", ["successor_id", "successor_code"], unique=True
    )
    # A renewed link has no service ID of its own any more, as a removed one has none.
    op.drop_index("uq_link_service_id", table_name="link")
    op.create_index(
        "uq_link_service_id",
        "link",
        ["scope", "service_id"],
        unique=True,
        sqlite_where=sa.text("status < 2"),
        postgresql_where=sa.text("status < 2"),
    )


def _make_tables() -> None:
    op.create_table(
        "suspension_scope",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("horizon", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("buckets", sa.LargeBinary(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name="pk_suspension_scope"),
        sa.ForeignKeyConstraint(["scope"], ["provider.scope"], name="fk_suspension_scope_provider"),
    )
    op.create_table(
        "suspension_history",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "seq", name="pk_suspension_history"),
        sa.ForeignKeyConstraint(
            ["scope"], ["suspension_scope.scope"], name="fk_suspension_history_suspension_scope"
        ),
    )
    op.create_table(
        "suspension",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "token", name="pk_suspension"),
        sa.ForeignKeyConstraint(
            ["scope"], ["suspension_scope.scope"], name="fk_suspension_suspension_scope"
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("uq_suspension_seq", "suspension", ["scope", "seq"], unique=True)
    op.create_table(
        "backup",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "scope", name="pk_backup"),
        sa.ForeignKeyConstraint(["scope"], ["scope.scope"], name="fk_backup_scope"),
    )


def _fill_suspensions(connection: sa.Connection, scope: str, digest_key: bytes) -> None:
    """Flag each suspended token in the new scope, and let its link be active under a new seq."""
    head = connection.execute(
        sa.text("SELECT seq, digest FROM scope WHERE scope = :scope"), {"scope": scope}
    ).one()
    rows = connection.execute(
        sa.text(
            "SELECT token, binding, service_id FROM link"
            " WHERE scope = :scope AND status = :suspended ORDER BY seq"
        ),
        {"scope": scope, "suspended": _SUSPENDED},
    ).all()
    seq, total = head.seq, int.from_bytes(head.digest, "big")
    parts = [0] * _BUCKETS
    for token, binding, sid in rows:
        seq += 1
        total -= digest.weight(digest_key, token, binding, sid, _SUSPENDED)
        total += digest.weight(digest_key, token, binding, sid, _ACTIVE)
        parts[token[0]] += digest.weight(digest_key, token, None, "", _SUSPENDED)
        connection.execute(
            sa.text("UPDATE link SET status = 0, seq = :seq WHERE scope = :scope AND token = :t"),
            {"seq": seq, "scope": scope, "t": token},
        )
    _make_suspension_scope(connection, scope, [row[0] for row in rows], parts)
    if rows:
        place = {"scope": scope, "seq": seq, "digest": _bytes_of(total)}
        connection.execute(
            sa.text("UPDATE scope SET seq = :seq, digest = :digest WHERE scope = :scope"), place
        )
        connection.execute(
            sa.text("INSERT INTO scope_history (scope, seq, digest) VALUES (:scope, :seq, :digest)"),
            place,
        )


def _make_suspension_scope(
    connection: sa.Connection, scope: str, tokens: list[bytes], parts: list[int]
) -> None:
    place = {"scope": scope, "seq": len(tokens), "digest": _bytes_of(sum(parts))}
    connection.execute(
        sa.text(
            "INSERT INTO suspension_scope (scope, seq, horizon, digest, buckets, total)"
            " VALUES (:scope, :seq, 0, :digest, :buckets, :seq)"
        ),
        place | {"buckets": b"".join(map(_bytes_of, parts))},
    )
    if tokens:
        connection.execute(
            sa.text(
                "INSERT INTO suspension (scope, token, status, seq)"
                " VALUES (:scope, :token, 1, :seq)"
            ),
            [{"scope": scope, "token": token, "seq": n} for n, token in enumerate(tokens, start=1)],
        )
        connection.execute(
            sa.text(
                "INSERT INTO suspension_history (scope, seq, digest)"
                " VALUES (:scope, :seq, :digest)"
            ),
            place,
        )


def _fill_buckets(connection: sa.Connection, scope: str, digest_key: bytes) -> None:
    parts = [0] * _BUCKETS
    for token, binding, sid, status in _all_rows(connection, scope):
        parts[token[0]] += digest.weight(digest_key, token, binding, sid, status)
    connection.execute(
        sa.text("UPDATE scope SET buckets = :buckets WHERE scope = :scope"),
        {"scope": scope, "buckets": b"".join(map(_bytes_of, parts))},
    )


def _all_rows(connection: sa.Connection, scope: str) -> Iterable[Any]:
    """Every row of a scope, a bounded number at a time."""
    after = b""
    while True:
        rows = connection.execute(
            sa.text(
                "SELECT token, binding, service_id, status FROM link"
                " WHERE scope = :scope AND token > :after ORDER BY token LIMIT :limit"
            ),
            {"scope": scope, "after": after, "limit": _ROWS_AT_ONCE},
        ).all()
        yield from rows
        if len(rows) < _ROWS_AT_ONCE:
            return
        after = rows[-1].token


def _bytes_of(total: int) -> bytes:
    return (total % (1 << 128)).to_bytes(16, "big")


def _bytes(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=False, server_default=sa.text("''"))


def _number(name: str, default: str, kind: sa.types.TypeEngine[int] | None = None) -> sa.Column[int]:
    return sa.Column(
        name, kind or sa.Integer(), nullable=False, server_default=sa.text(default)
    )
