"""Keys that follow each other: the next pair, the public chain, the former keys of seals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables, and what tells every process of a change. The keys stay as they are."""
    op.add_column("site", sa.Column("key_state", sa.String(), nullable=False, server_default=""))
    op.add_column("terminal", sa.Column("believes", sa.String(), nullable=True))
    op.create_table(
        "next_key",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("seal_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_key", sa.LargeBinary(), nullable=False),
        sa.Column("backup", sa.String(), nullable=True),
        sa.Column("safe", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_next_key"),
    )
    op.create_table(
        "succession",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("server_key", sa.LargeBinary(), nullable=False),
        sa.Column("seal_key", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_succession"),
    )
    op.create_table(
        "former_seal",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("seal_key", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_former_seal"),
    )
