"""The first tables: credentials, versions, rotations, deliveries, tenures."""

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
        "credentials",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger),
        sa.Column("last_success_at", sa.BigInteger),
        sa.Column("looked_at", sa.BigInteger),
    )
    op.create_table(
        "versions",
        sa.Column("credential", sa.String(64), primary_key=True),
        sa.Column("generation", sa.Integer, primary_key=True),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("fingerprint", sa.String(32), nullable=False),
        sa.Column("username", sa.Text, nullable=False),
        sa.Column("issued_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("never_expires", sa.Boolean, nullable=False),
        sa.Column("revision", sa.Text),
        sa.Column("verified_at", sa.BigInteger),
        sa.Column("rejected_at", sa.BigInteger),
        sa.Column("sealed", sa.LargeBinary),
    )
    op.create_table(
        "rotations",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("credential", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("step", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("finished_at", sa.BigInteger),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("error", sa.String(32), nullable=False),
        sa.Column("requested_by", sa.Text, nullable=False),
    )
    op.create_index("rotations_by_credential", "rotations", ["credential", "id"])
    op.create_index("rotations_by_state", "rotations", ["state"])
    op.create_table(
        "deliveries",
        sa.Column("target", sa.String(64), primary_key=True),
        sa.Column("placement", sa.Text, primary_key=True),
        sa.Column("credential", sa.String(64), primary_key=True),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("error", sa.String(32), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("confirmed_generation", sa.Integer, nullable=False),
    )
    op.create_table(
        "tenures",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Remove the tables."""
    for name in ("tenures", "deliveries", "rotations", "versions", "credentials"):
        op.drop_table(name)
