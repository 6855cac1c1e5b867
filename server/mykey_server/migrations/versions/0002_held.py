"""What waits for a decision: mutations that the server could not judge yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "held",
        sa.Column("device_id", sa.String(), nullable=False),
        sa.Column("incarnation", sa.LargeBinary(), nullable=False),
        sa.Column("mid", sa.BigInteger(), nullable=False),
        sa.Column("token_tag", sa.LargeBinary(), nullable=False),
        sa.Column("sid_tag", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", "incarnation", "mid", name="pk_held"),
        sa.ForeignKeyConstraint(["device_id"], ["terminal.device_id"], name="fk_held_terminal"),
        sqlite_with_rowid=False,
    )
