"""When a login was shown to the person who is to enter it: one more column."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.add_column(sa.Column("revealed_at", sa.BigInteger))


def downgrade() -> None:
    """Remove the column."""
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.drop_column("revealed_at")
