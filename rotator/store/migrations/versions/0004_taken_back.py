"""What was taken back, what leaked, and which rotation puts an earlier version back: more columns."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    with op.batch_alter_table("versions") as versions:
        versions.add_column(sa.Column("withdrawn_at", sa.BigInteger))
        versions.add_column(sa.Column("leaked_at", sa.BigInteger))
    with op.batch_alter_table("rotations") as rotations:
        rotations.add_column(sa.Column("restores", sa.Integer, nullable=False, server_default="0"))


def downgrade() -> None:
    """Remove the columns."""
    with op.batch_alter_table("rotations") as rotations:
        rotations.drop_column("restores")
    with op.batch_alter_table("versions") as versions:
        for name in ("leaked_at", "withdrawn_at"):
            versions.drop_column(name)
