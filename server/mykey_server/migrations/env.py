"""Run by Alembic: the steps go through the connection that `migrate` holds."""

from __future__ import annotations

from alembic import context

from mykey_server.tables import management, site, suspension, terminal  # noqa: F401 - they fill METADATA
from mykey_server.tables.base import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,
)
context.run_migrations()
