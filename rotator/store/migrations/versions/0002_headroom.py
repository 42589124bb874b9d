"""Measured pull limits: headroom_samples."""

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
        "headroom_samples",
        sa.Column("registry", sa.String(255), primary_key=True),
        sa.Column("credential", sa.String(64), primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("quota", sa.BigInteger),
        sa.Column("remaining", sa.BigInteger),
        sa.Column("window_seconds", sa.BigInteger),
        sa.Column("reset_at", sa.BigInteger),
        sa.Column("source", sa.String(16), nullable=False),
    )


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("headroom_samples")
