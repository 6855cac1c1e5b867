"""Which PostgreSQL history the epoch names: another one gets another epoch."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; empty on SQLite, and until the first start on PostgreSQL."""
    op.add_column("site", sa.Column("cluster", sa.String(), nullable=True))
    op.add_column("site", sa.Column("branch", sa.BigInteger(), nullable=True))
