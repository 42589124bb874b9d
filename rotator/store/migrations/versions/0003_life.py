"""What becomes of versions after they were in use, and how deliveries are known: more columns."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    with op.batch_alter_table("versions") as versions:
        versions.add_column(sa.Column("handle", sa.Text, nullable=False, server_default=sa.text("''")))
        versions.add_column(sa.Column("scopes", sa.Text))
        versions.add_column(sa.Column("principal", sa.Text, nullable=False, server_default=sa.text("''")))
        versions.add_column(sa.Column("superseded_at", sa.BigInteger))
        versions.add_column(sa.Column("ended_at", sa.BigInteger))
        versions.add_column(sa.Column("dead_at", sa.BigInteger))
        versions.add_column(sa.Column("restores", sa.Integer, nullable=False, server_default="0"))
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.add_column(sa.Column("proof", sa.String(16), nullable=False, server_default="value"))
        deliveries.add_column(sa.Column("written_at", sa.BigInteger))


def downgrade() -> None:
    """Remove the columns."""
    with op.batch_alter_table("deliveries") as deliveries:
        for name in ("written_at", "proof"):
            deliveries.drop_column(name)
    with op.batch_alter_table("versions") as versions:
        for name in ("restores", "dead_at", "ended_at", "superseded_at", "principal", "scopes", "handle"):
            versions.drop_column(name)
