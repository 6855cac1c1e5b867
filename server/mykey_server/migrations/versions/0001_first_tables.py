"""The first tables: providers, terminals, the management table, mutations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "site",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.String(), nullable=False),
        sa.Column("seal_key", sa.LargeBinary(), nullable=False),
        sa.Column("tag_key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_site"),
    )
    op.create_table(
        "provider",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("service_id_format", sa.String(), nullable=False),
        sa.Column("profile", sa.String(), nullable=False),
        sa.Column("lookup_key", sa.LargeBinary(), nullable=False),
        sa.Column("digest_key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name="pk_provider"),
        sa.UniqueConstraint("provider_id"),
    )
    op.create_table(
        "scope",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("horizon", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name="pk_scope"),
        sa.ForeignKeyConstraint(["scope"], ["provider.scope"], name="fk_scope_provider"),
    )
    op.create_table(
        "scope_history",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "seq", name="pk_scope_history"),
        sa.ForeignKeyConstraint(["scope"], ["scope.scope"], name="fk_scope_history_scope"),
    )
    op.create_table(
        "terminal",
        sa.Column("device_id", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", name="pk_terminal"),
        sa.ForeignKeyConstraint(["scope"], ["provider.scope"], name="fk_terminal_provider"),
    )
    op.create_index("ix_terminal_scope", "terminal", ["scope"])
    op.create_table(
        "enrolment_code",
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("secret_tag", sa.LargeBinary(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("wrong_tries", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("prefix", name="pk_enrolment_code"),
        sa.ForeignKeyConstraint(["scope"], ["provider.scope"], name="fk_enrolment_code_provider"),
    )
    op.create_table(
        "mutation",
        sa.Column("device_id", sa.String(), nullable=False),
        sa.Column("incarnation", sa.LargeBinary(), nullable=False),
        sa.Column("mid", sa.BigInteger(), nullable=False),
        sa.Column("item_hash", sa.LargeBinary(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("device_id", "incarnation", "mid", name="pk_mutation"),
        sa.ForeignKeyConstraint(
            ["device_id"], ["terminal.device_id"], name="fk_mutation_terminal"
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "my_key_id",
        sa.Column("my_key_id", sa.String(), nullable=False),
        sa.Column("terminal_code", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("certificate_tag", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("my_key_id", "terminal_code", name="pk_my_key_id"),
    )
    op.create_index(
        "uq_my_key_id_chosen",
        "my_key_id",
        ["my_key_id"],
        unique=True,
        sqlite_where=sa.text("kind = 'chosen'"),
        postgresql_where=sa.text("kind = 'chosen'"),
    )
    op.create_table(
        "link",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("my_key_id", sa.String(), nullable=True),
        sa.Column("terminal_code", sa.String(), nullable=True),
        sa.Column("binding", sa.LargeBinary(), nullable=True),
        sa.Column("service_id", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "token", name="pk_link"),
        sa.ForeignKeyConstraint(["scope"], ["scope.scope"], name="fk_link_scope"),
        sa.ForeignKeyConstraint(
            ["my_key_id", "terminal_code"],
            ["my_key_id.my_key_id", "my_key_id.terminal_code"],
            name="fk_link_my_key_id",
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("uq_link_seq", "link", ["scope", "seq"], unique=True)
    op.create_index(
        "uq_link_service_id",
        "link",
        ["scope", "service_id"],
        unique=True,
        sqlite_where=sa.text("status <> 9"),
        postgresql_where=sa.text("status <> 9"),
    )
    op.create_index("ix_link_person", "link", ["my_key_id", "terminal_code"])
