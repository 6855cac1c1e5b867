"""Every table and column that the server may have: compared with the file at each start.

Whoever adds a column writes it here too, and answers: does it join a person with a time, a place,
a purchase or a loan? Then it must not exist.
"""

from __future__ import annotations

from sqlalchemy import Connection, inspect

ALLOWED_COLUMNS: dict[str, frozenset[str]] = {
    "alembic_version": frozenset({"version_num"}),
    "backup": frozenset({"name", "scope", "seq"}),
    "enrolment_code": frozenset(
        {"prefix", "secret_tag", "scope", "expires_at", "wrong_tries", "device_id", "site"}
    ),
    "former_seal": frozenset({"number", "seal_key", "fingerprint"}),
    "held": frozenset({"device_id", "incarnation", "mid", "token_tag", "sid_tag"}),
    "link": frozenset(
        {
            "scope",
            "token",
            "my_key_id",
            "terminal_code",
            "binding",
            "service_id",
            "status",
            "seq",
        }
    ),
    "mutation": frozenset({"device_id", "incarnation", "mid", "item_hash", "verdict", "kind"}),
    "my_key_id": frozenset(
        {
            "my_key_id",
            "terminal_code",
            "kind",
            "origin",
            "status",
            "certificate_tag",
            "successor_id",
            "successor_code",
        }
    ),
    "next_key": frozenset({"number", "seal_key", "sign_key", "backup", "safe"}),
    "provider": frozenset(
        {
            "scope",
            "provider_id",
            "name",
            "service_id_format",
            "profile",
            "lookup_key",
            "digest_key",
            "green_s",
            "refuse_s",
            "lookups_max",
        }
    ),
    "scope": frozenset({"scope", "seq", "horizon", "digest", "buckets", "durable_through"}),
    "scope_history": frozenset({"scope", "seq", "digest"}),
    "site": frozenset(
        {"number", "epoch", "seal_key", "tag_key", "sign_key", "cluster", "branch", "key_state"}
    ),
    "succession": frozenset({"number", "server_key", "seal_key", "signature"}),
    "suspension": frozenset({"scope", "token", "status", "seq"}),
    "suspension_history": frozenset({"scope", "seq", "digest"}),
    "suspension_scope": frozenset({"scope", "seq", "horizon", "digest", "buckets", "total"}),
    "terminal": frozenset(
        {"device_id", "scope", "name", "public_key", "status", "site", "believes"}
    ),
}


def columns_not_allowed(connection: Connection) -> list[str]:
    """Names of tables and columns in the file that are not on the list, as `table.column`."""
    inspector = inspect(connection)
    return sorted(
        f"{table}.{column['name']}"
        for table in inspector.get_table_names()
        for column in inspector.get_columns(table)
        if column["name"] not in ALLOWED_COLUMNS.get(table, frozenset())
    )
