"""Where a counter stands: said by the operator with the code, kept with the counter."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; empty for the counters that were enrolled before."""
    op.add_column("enrolment_code", sa.Column("site", sa.String(), nullable=True))
    op.add_column("terminal", sa.Column("site", sa.String(), nullable=True))
