"""When a placement was repaired, and until when it is left alone: two more columns."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.add_column(sa.Column("left_until", sa.BigInteger))
        deliveries.add_column(sa.Column("repairs", sa.Text, nullable=False, server_default=sa.text("''")))


def downgrade() -> None:
    """Remove the columns."""
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.drop_column("repairs")
        deliveries.drop_column("left_until")
